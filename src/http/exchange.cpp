#include "http/exchange.h"

namespace kith::http {

runtime::Task<Result<void>> Exchange::respond(ResponseHead head, std::string body, std::string content_type) {
  bool bodiless = head.status == 204 || head.status == 304;
  head.content_length.reset();
  if (!bodiless) head.content_length = body.size();
  if (!content_type.empty()) head.headers.set("Content-Type", content_type);
  KITH_CO_TRY_VOID(co_await start(std::move(head)));
  if (!bodiless) KITH_CO_TRY_VOID(co_await write(as_bytes(body)));
  co_return co_await finish();
}

}  // namespace kith::http
