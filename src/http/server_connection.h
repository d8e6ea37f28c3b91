// One connection of the server: one coroutine from accept to close, which is also the Exchange that
// the handler sees. Requests are served strictly one after the other, so pipelined ones wait in the
// input buffer.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "http/early_stream.h"
#include "http/framed_body.h"
#include "http/server.h"
#include "runtime/scope.h"
#include "runtime/sync.h"

namespace kith::http {

class ServerConnection;

// Response heads wait for the first body bytes, to leave with them in one write; a head that nothing
// followed in the same turn of the loop is sent by one posted call for all connections.
struct HeadFlusher {
  std::vector<ServerConnection*> due;
  bool posted = false;
};

// What the connections of one server share. Outlives them.
struct ServerShared {
  runtime::Ports& ports;
  ServerOptions options;
  Handler& handler;
  std::shared_ptr<const crypto::TlsContext> tls;
  Log log;
  bool draining = false;
  size_t in_flight = 0;
  std::shared_ptr<HeadFlusher> flusher = std::make_shared<HeadFlusher>();  // also held by the posted call
  std::string date;                                                        // of date_second
  int64_t date_second = -1;

  // now + duration; 0 = never.
  MonoTime deadline(Duration duration) const {
    return duration == Duration::zero() ? kNever : ports.loop.now() + duration;
  }
  std::string_view http_date();
  void flush_soon(ServerConnection* connection);
};

class ServerConnection final : public Exchange, private BodyReader {
 public:
  ServerConnection(ServerShared& shared, std::unique_ptr<runtime::Stream> stream);
  ~ServerConnection() override;

  runtime::Task<void> run();
  // Closes when no request is under way.
  void close_if_idle();
  void flush_head();  // starts sending a head that still waits

  const RequestHead& request() const override { return head_; }
  const Origin& origin() const override { return origin_; }
  BodyReader& body() override { return *this; }
  runtime::Task<Result<void>> start(ResponseHead head) override;
  runtime::Task<Result<void>> write(ByteView data) override;
  runtime::Task<Result<void>> finish() override;
  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> upgrade(ResponseHead head) override;
  bool started() const override { return started_; }
  uint64_t bytes_in() const override { return bytes_in_; }
  uint64_t bytes_out() const override { return bytes_out_; }
  void abort() override;

 private:
  class Upgraded;

  runtime::Task<Result<size_t>> read(MutableByteView buffer) override;

  runtime::Task<bool> secure();
  runtime::Task<bool> read_head();
  runtime::Task<bool> serve_request();
  void begin_request();
  runtime::Task<void> refuse(const Refusal& refusal);
  runtime::Task<bool> discard_body();
  runtime::Task<void> linger();

  void close();
  Duration header_timeout() const;
  Framing choose_framing(const ResponseHead& head) const;
  // At most one write is pending on the stream: the handler's, a waiting head, or "100 Continue".
  bool try_lock_writes() { return !std::exchange(writing_, true); }
  runtime::Task<void> wait_and_lock_writes();
  void unlock_writes();
  // With the lock held: the waiting head, if any, then the pieces. A failure is final.
  runtime::Task<Result<void>> send(std::span<const ByteView> pieces);
  runtime::Task<void> send_waiting_head();

  ServerShared& shared_;
  std::unique_ptr<runtime::Stream> stream_;  // null until a TLS handshake is done
  runtime::Stream* raw_;                     // the stream under TLS; null when the handshake failed
  InputBuffer input_;
  RequestParser parser_;
  Origin origin_;
  runtime::Scope flushes_;
  runtime::Event writes_free_;
  bool writing_ = false;
  bool flush_due_ = false;  // listed in the flusher
  bool idle_ = true;        // between requests: nothing of the next one has come
  bool first_ = true;       // no request has come yet
  bool aborted_ = false;
  std::optional<Error> write_failed_;

  // The request under way.
  RequestHead head_;
  FramedBody body_;
  Duration read_budget_{};  // how long the rest of the request may still be waited for
  bool continue_due_ = false;
  bool body_failed_ = false;
  bool stream_broken_ = false;  // a read timed out: the stream can only be closed
  bool started_ = false;
  bool finished_ = false;
  bool upgraded_ = false;
  bool upgraded_open_ = false;  // the handler holds the stream
  bool keep_alive_ = false;
  Framing framing_ = Framing::none;
  uint64_t length_left_ = 0;  // with Framing::length
  std::string out_head_;
  bool head_waits_ = false;
  uint64_t bytes_in_ = 0;
  uint64_t bytes_out_ = 0;
};

}  // namespace kith::http
