#include "cluster/forwarded_exchange.h"

namespace kith::cluster {
namespace {
// The first node applies the configured timeouts towards the client; this one only keeps a peer that
// has stopped taking data from holding the request for ever.
constexpr Duration kStall = 60s;
}  // namespace

runtime::Task<Result<void>> ForwardedExchange::start(http::ResponseHead head) {
  KITH_CHECK(!started_);
  started_ = true;
  pipe_->send_head(head);
  co_return Result<void>();
}

runtime::Task<Result<void>> ForwardedExchange::write(ByteView data) {
  if (request_.head.method == "HEAD") co_return Result<void>();
  bytes_out_ += data.size();
  co_return co_await pipe_->write(data, loop_.now() + kStall);
}

runtime::Task<Result<void>> ForwardedExchange::finish() {
  finished_ = true;
  pipe_->end();
  co_return Result<void>();
}

runtime::Task<Result<std::unique_ptr<runtime::Stream>>> ForwardedExchange::upgrade(http::ResponseHead head) {
  KITH_CHECK(!started_);
  started_ = true;
  upgraded_ = true;
  head.status = 101;
  pipe_->send_head(head);
  std::unique_ptr<runtime::Stream> stream = std::make_unique<PipeStream>(pipe_, request_.origin);
  co_return stream;
}

runtime::Task<Result<size_t>> ForwardedExchange::read(MutableByteView buffer) {
  if (!request_.head.has_body()) co_return size_t{0};
  auto n = co_await pipe_->read(buffer, kNever);
  if (n) bytes_in_ += *n;
  co_return n;
}

runtime::Task<void> ForwardedExchange::complete() {
  if (upgraded_) co_return;  // the stream ended with its owner
  if (!started_) {
    http::ResponseHead head;
    head.status = 500;
    (void)co_await respond(std::move(head), "Internal error.\n", "text/plain");
  }
  if (finished_) {
    pipe_->end();
  } else {
    pipe_->reset("the answer was cut");
  }
}

}  // namespace kith::cluster
