// HTTP/1.1 client for upstreams and identity providers: pooled connections per (scheme, host, port,
// TLS context), one client per loop.
#pragma once

#include <memory>

#include "crypto/tls.h"
#include "http/exchange.h"

namespace kith::http {

struct ClientOptions {
  size_t max_idle_per_host = 64;  // kept-alive connections; LIFO, so the surplus ages out
  Duration idle_timeout = 50s;    // below the 60 s most servers use
  Duration connect_timeout = 5s;
  size_t max_response_head_bytes = 32 << 10;
};

struct ClientRequest {
  Url url;
  RequestHead head;         // target, Host and framing are taken from url / content_length / chunked
  std::string host_header;  // empty: url.authority()
  // Read to its end within send() when head.has_body(); its failure is returned as it is.
  BodyReader* body = nullptr;
  std::shared_ptr<const crypto::TlsContext> tls;  // for https; null = system authorities
  Duration head_timeout = 30s;   // until the response head has come, from when the request was sent; also
                                 // one write of the request without progress
  Duration body_timeout = 5min;  // silence within the response body; 0 = none
  Duration total_timeout = 0s;   // the whole exchange with its body; 0 = none
};

class ClientResponse {
 public:
  virtual ~ClientResponse() = default;
  virtual const ResponseHead& head() const = 0;
  virtual BodyReader& body() = 0;
  // After 101: the raw connection, which no longer needs this object. Once.
  virtual std::unique_ptr<runtime::Stream> take_upgraded() = 0;
  // Ends the connection under it now, unless it has been given back already. On its loop.
  virtual void abort() = 0;
};

// Outlives the responses it gave, but not the streams that were upgraded.
class Client {
 public:
  virtual ~Client() = default;
  // Failures: unreachable, refused, timeout, reset, protocol; side upstream. A request on a pooled
  // connection that dies before any response byte is retried once on a fresh one, when its method is
  // idempotent (RFC 9110 section 9.2.2) and no body byte was sent.
  virtual runtime::Task<Result<std::unique_ptr<ClientResponse>>> send(ClientRequest request) = 0;

  // A small whole exchange; limit when the body exceeds max_bytes. Without a total_timeout the whole
  // gets twice the head_timeout.
  struct Whole {
    ResponseHead head;
    std::string body;
  };
  runtime::Task<Result<Whole>> fetch(ClientRequest request, std::string body, size_t max_bytes = 1 << 20);
};

std::unique_ptr<Client> make_client(runtime::Ports& ports, ClientOptions options);

}  // namespace kith::http
