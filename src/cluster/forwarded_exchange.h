// A request that another node forwarded to us, as an Exchange over a pipe.
#pragma once

#include "cluster/pipe.h"

namespace kith::cluster {

class ForwardedExchange final : public http::Exchange, private http::BodyReader {
 public:
  ForwardedExchange(runtime::Loop& loop, std::shared_ptr<Pipe> pipe, ForwardedRequest request)
      : loop_(loop), pipe_(std::move(pipe)), request_(std::move(request)) {}

  const http::RequestHead& request() const override { return request_.head; }
  const http::Origin& origin() const override { return request_.origin; }
  http::BodyReader& body() override { return *this; }

  runtime::Task<Result<void>> start(http::ResponseHead head) override;
  runtime::Task<Result<void>> write(ByteView data) override;
  runtime::Task<Result<void>> finish() override;
  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> upgrade(http::ResponseHead head) override;
  bool started() const override { return started_; }
  uint64_t bytes_in() const override { return bytes_in_; }
  uint64_t bytes_out() const override { return bytes_out_; }
  void abort() override { pipe_->reset("aborted"); }

  // After the handler: answers 500 when nobody answered, ends the pipe when the answer is whole.
  runtime::Task<void> complete();

 private:
  runtime::Task<Result<size_t>> read(MutableByteView buffer) override;

  runtime::Loop& loop_;
  std::shared_ptr<Pipe> pipe_;
  ForwardedRequest request_;
  bool started_ = false;
  bool finished_ = false;
  bool upgraded_ = false;
  uint64_t bytes_in_ = 0;
  uint64_t bytes_out_ = 0;
};

}  // namespace kith::cluster
