#include "gateway/observed_exchange.h"

namespace kith::gateway {

void ObservedExchange::observe(http::ResponseHead& head) {
  status_ = head.status;
  if (another_answers_) return;
  for (const http::Header& header : ours_) head.headers.set(header.name, header.value);
  if (cookie_.empty()) return;
  head.headers.add("Set-Cookie", cookie_);
  head.headers.set("Cache-Control", "no-store");
}

runtime::Task<Result<void>> ObservedExchange::start(http::ResponseHead head) {
  observe(head);
  return inner_.start(std::move(head));
}

runtime::Task<Result<std::unique_ptr<runtime::Stream>>> ObservedExchange::upgrade(http::ResponseHead head) {
  observe(head);
  return inner_.upgrade(std::move(head));
}

}  // namespace kith::gateway
