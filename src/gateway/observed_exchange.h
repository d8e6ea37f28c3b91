// The exchange as the phases see it: passes everything on, notes the status for the access log, and
// puts our own headers on every response that starts here.
#pragma once

#include <optional>
#include <string>

#include "http/exchange.h"

namespace kith::gateway {

class ObservedExchange final : public http::Exchange {
 public:
  explicit ObservedExchange(http::Exchange& inner) : inner_(inner) {}

  const http::RequestHead& request() const override { return replaced_ ? *replaced_ : inner_.request(); }
  const http::Origin& origin() const override { return inner_.origin(); }
  http::BodyReader& body() override { return inner_.body(); }
  runtime::Task<Result<void>> start(http::ResponseHead head) override;
  runtime::Task<Result<void>> write(ByteView data) override { return inner_.write(data); }
  runtime::Task<Result<void>> finish() override { return inner_.finish(); }
  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> upgrade(http::ResponseHead head) override;
  bool started() const override { return inner_.started(); }
  uint64_t bytes_in() const override { return inner_.bytes_in(); }
  uint64_t bytes_out() const override { return inner_.bytes_out(); }
  void abort() override { inner_.abort(); }

  int status() const { return status_; }  // 0 before a response
  // Our own headers, set on each response that starts here in place of any of the same name; not while
  // another node answers, which sets its own.
  http::Headers& response_headers() { return ours_; }
  void let_another_answer(bool another) { another_answers_ = another; }
  // A cookie of ours beside those of the response, which then may not be kept by any cache.
  void add_cookie(std::string set_cookie) { cookie_ = std::move(set_cookie); }
  // What request() shows from now on.
  void replace_request(http::RequestHead head) { replaced_ = std::move(head); }

 private:
  void observe(http::ResponseHead& head);

  http::Exchange& inner_;
  std::optional<http::RequestHead> replaced_;
  http::Headers ours_;
  bool another_answers_ = false;
  std::string cookie_;
  int status_ = 0;
};

}  // namespace kith::gateway
