// Pipe: one end of a forwarded request's byte stream, as the worker loop sees it. The other end is the
// same on another node; between them lie the two control loops and the bulk link. All state lives on
// the worker loop; the control loop posts what arrives, the pipe posts what leaves.
//
// Flow control: each side sends only what the other has granted (credit), so a slow client holds up
// its own stream and nothing else.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "cluster/forward_codec.h"
#include "runtime/ports.h"
#include "runtime/sync.h"

namespace kith::cluster {

inline constexpr size_t kPipeWindow = 256 << 10;  // bytes in flight per direction
// When a peer has many requests open with us: what it sends and nobody reads yet stays bounded in sum.
inline constexpr size_t kSmallPipeWindow = 16 << 10;

class Pipe {
 public:
  // Sends one message about this pipe to the peer; callable on the worker loop.
  using Send = std::function<void(ForwardType type, Bytes payload)>;

  // Neither side may send before the other has granted something. window: what we grant the other side,
  // and at most hold unread.
  Pipe(runtime::Loop& loop, Send send, size_t window = kPipeWindow)
      : loop_(loop), send_(std::move(send)), window_(window) {}
  size_t window() const { return window_; }
  size_t held_pieces() const { return inbound_.size(); }

  // What arrived, in order; on the worker loop.
  void on_head(Result<http::ResponseHead> head) { head_.set(std::move(head)); }
  void on_data(Bytes data);
  void on_end();
  void on_credit(uint64_t bytes);
  void on_reset(Error error);

  // The response head, when this end is the one that asked; fails when the pipe is reset.
  runtime::Task<Result<http::ResponseHead>> head();
  // Waits until the other side took the request (it has granted credit).
  runtime::Task<Result<void>> accepted(MonoTime deadline);
  runtime::Task<Result<size_t>> read(MutableByteView buffer, MonoTime deadline);
  runtime::Task<Result<void>> write(ByteView data, MonoTime deadline);
  void send_head(const http::ResponseHead& head);
  // Takes that many more bytes. A peer that sends more than was granted in all is cut off.
  void grant(size_t bytes);
  // Ends our direction in order. Idempotent.
  void end();
  // Ends both directions, unless both have ended in order. Idempotent.
  void reset(std::string_view why);

  bool finished() const { return failed_ || (received_end_ && sent_end_); }

 private:
  runtime::Loop& loop_;
  Send send_;
  const size_t window_;
  uint64_t credit_ = 0;        // what we may still send
  uint64_t granted_ = 0;       // what the other side may still send
  size_t unacknowledged_ = 0;  // read, credit not yet returned
  std::deque<Bytes> inbound_;
  size_t offset_ = 0;  // into the first of inbound_
  bool received_end_ = false;
  bool sent_end_ = false;
  std::optional<Error> failed_;
  runtime::OneShot<Result<http::ResponseHead>> head_;
  runtime::Event readable_;
  runtime::Event writable_;
};

// What comes through the pipe, as a body.
class PipeBody final : public http::BodyReader {
 public:
  explicit PipeBody(std::shared_ptr<Pipe> pipe) : pipe_(std::move(pipe)) {}
  runtime::Task<Result<size_t>> read(MutableByteView buffer) override { return pipe_->read(buffer, kNever); }

 private:
  std::shared_ptr<Pipe> pipe_;
};

// The pipe as a Stream, after an upgrade.
class PipeStream final : public runtime::Stream {
 public:
  PipeStream(std::shared_ptr<Pipe> pipe, const http::Origin& origin);
  ~PipeStream() override { PipeStream::close(); }
  runtime::Task<Result<size_t>> read(MutableByteView buffer, MonoTime deadline) override {
    return pipe_->read(buffer, deadline);
  }
  runtime::Task<Result<void>> write(std::span<const ByteView> pieces, MonoTime deadline) override;
  runtime::Task<Result<void>> shutdown() override;
  void close() override { pipe_->reset("closed"); }
  Endpoint local_endpoint() const override { return local_; }
  Endpoint remote_endpoint() const override { return remote_; }

 private:
  std::shared_ptr<Pipe> pipe_;
  Endpoint local_;
  Endpoint remote_;
};

}  // namespace kith::cluster
