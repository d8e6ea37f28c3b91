#include "http/framed_body.h"

namespace kith::http {
namespace {
constexpr size_t kFramingRead = 16 << 10;  // one read for a chunk line and, often, the chunk itself
}

Result<bool> FramedBody::settle(InputBuffer& input) {
  while (!decoder_.done() && decoder_.due() == 0 && !input.empty()) {
    KITH_TRY(size_t used, decoder_.parse(input.view()));
    input.consume(used);
  }
  return decoder_.done() || (decoder_.due() > 0 && !input.empty());
}

Result<void> FramedBody::pass(InputBuffer& input, size_t bytes) {
  input.consume(bytes);
  decoder_.advance(bytes);
  KITH_TRY([[maybe_unused]] bool settled, settle(input));
  return {};
}

runtime::Task<Result<size_t>> FramedBody::read(runtime::Stream& stream, InputBuffer& input,
                                               MutableByteView out, MonoTime deadline) {
  KITH_CHECK(!out.empty());
  for (;;) {
    KITH_CO_TRY(bool ready, settle(input));
    if (decoder_.done()) co_return size_t{0};
    size_t taken = 0;
    if (ready) {
      size_t most = static_cast<size_t>(std::min<uint64_t>(out.size(), decoder_.due()));
      taken = input.take(out.first(most));
    } else {
      bool direct = decoder_.due() > 0;
      MutableByteView into =
          direct ? out.first(static_cast<size_t>(std::min<uint64_t>(out.size(), decoder_.due())))
                 : input.space(kFramingRead);
      KITH_CO_TRY(taken, co_await stream.read(into, deadline));
      if (taken == 0) {
        KITH_CO_TRY_VOID(decoder_.end());
        co_return size_t{0};
      }
      if (!direct) {
        input.commit(taken);
        continue;
      }
    }
    decoder_.advance(taken);
    // Looking ahead costs nothing and lets the owner see at once that the body is complete.
    KITH_CO_TRY([[maybe_unused]] bool settled, settle(input));
    co_return taken;
  }
}

}  // namespace kith::http
