// A request that is forwarded to another node, with its answer.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "http/exchange.h"

namespace kith {

class Client final : public http::Exchange, private http::BodyReader {
 public:
  explicit Client(std::string body, std::string path = "/echo") : body_(std::move(body)) {
    head_.method = "POST";
    head_.target.path = std::move(path);
    head_.host = "app.test";
    head_.content_length = body_.size();
  }
  const http::RequestHead& request() const override { return head_; }
  const http::Origin& origin() const override { return origin_; }
  http::BodyReader& body() override { return *this; }
  runtime::Task<Result<void>> start(http::ResponseHead head) override {
    answer = std::move(head);
    started_ = true;
    co_return Result<void>();
  }
  runtime::Task<Result<void>> write(ByteView data) override {
    text += as_text(data);
    co_return Result<void>();
  }
  runtime::Task<Result<void>> finish() override {
    finished = true;
    co_return Result<void>();
  }
  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> upgrade(http::ResponseHead) override {
    co_return Error(Code::internal, "");
  }
  bool started() const override { return started_; }
  uint64_t bytes_in() const override { return 0; }
  uint64_t bytes_out() const override { return 0; }
  void abort() override { aborted = true; }

  http::ResponseHead answer;
  std::string text;
  bool finished = false;
  bool aborted = false;

 private:
  runtime::Task<Result<size_t>> read(MutableByteView buffer) override {
    size_t n = std::min(buffer.size(), body_.size() - at_);
    std::copy_n(body_.begin() + static_cast<long>(at_), n, buffer.begin());
    at_ += n;
    co_return n;
  }
  http::RequestHead head_;
  http::Origin origin_;
  std::string body_;
  size_t at_ = 0;
  bool started_ = false;
};

}  // namespace kith
