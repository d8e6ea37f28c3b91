// One request and its response, as a handler sees it. Two things implement Exchange: a connection of
// the HTTP/1.1 server, and a request that another node forwarded over the mesh.
#pragma once

#include <memory>

#include "http/message.h"
#include "runtime/ports.h"

namespace kith::http {

class BodyReader {
 public:
  virtual ~BodyReader() = default;
  // At least 1 byte, at most buffer.size(); 0 = the body is complete. protocol or reset when it ends early.
  virtual runtime::Task<Result<size_t>> read(MutableByteView buffer) = 0;

  // Bytes of the body that are here already, to be used where they lie; "" tells nothing. Valid until the
  // next call.
  virtual ByteView here() { return {}; }
  // Passes over the first bytes of here(). Failures as of read().
  virtual Result<void> pass(size_t) { return {}; }
  virtual bool complete() const { return false; }  // known to be at its end; false tells nothing
};

// Facts about where a request came from, which no header can change.
struct Origin {
  Endpoint peer;  // the direct TCP peer (for a forwarded request: as the first node saw it)
  Endpoint local;
  bool tls = false;          // the connection to the first node was TLS
  std::string forwarded_by;  // name of the node that forwarded it over the mesh, or ""
  std::string tls_subject;   // verified client certificate, or ""
};

class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const RequestHead& request() const = 0;
  virtual const Origin& origin() const = 0;
  virtual BodyReader& body() = 0;

  // Sends the head. Framing is ours: with content_length the body has exactly that length, without
  // it is chunked (HTTP/1.1) or ends with the connection (HTTP/1.0); 1xx, 204, 304 and answers to
  // HEAD have none. Called once.
  virtual runtime::Task<Result<void>> start(ResponseHead head) = 0;
  virtual runtime::Task<Result<void>> write(ByteView data) = 0;
  virtual runtime::Task<Result<void>> finish() = 0;
  // Answers 101 with the head's headers and hands over the connection as raw bytes; bytes the client
  // sent early are read first. Instead of start().
  virtual runtime::Task<Result<std::unique_ptr<runtime::Stream>>> upgrade(ResponseHead head) = 0;

  virtual bool started() const = 0;       // start() or upgrade() was called
  virtual uint64_t bytes_in() const = 0;  // body bytes so far
  virtual uint64_t bytes_out() const = 0;
  // Ends the exchange and its connection at once, mid-stream too: an answer that cannot be finished must
  // not look whole. On the exchange's loop.
  virtual void abort() = 0;

  // A small whole answer. Sets Content-Length, and Content-Type when given.
  runtime::Task<Result<void>> respond(ResponseHead head, std::string body, std::string content_type = "");
};

class Handler {
 public:
  virtual ~Handler() = default;
  // Answers the exchange, which outlives the call. One that returns without start() is answered 500.
  virtual runtime::Task<void> handle(Exchange& exchange) = 0;
};

}  // namespace kith::http
