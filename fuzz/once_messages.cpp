// The decoders of single use and the core behind them: the first byte is the message type, the rest its
// payload, as they come from a deputy that means harm.
#include <cstdlib>

#include "once/core.h"

using namespace kith;
using namespace kith::once;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Replica self{{}, 1}, peer{{}, 2}, other{{}, 3};
  self.node.bytes[0] = 1;
  peer.node.bytes[0] = 2;
  other.node.bytes[0] = 3;
  Now now{MonoTime{1h}, from_unix_ms(1'700'000'000'000)};
  Core core({}, self, 1);
  core.set_view({{self, "a"}, {peer, "b"}, {other, "c"}}, now);
  auto group = core.mint({{}, now.wall + 60s, {}, Bytes(8)}, now.mono + 1s, now);
  if (!group) std::abort();
  Result<void> done = core.handle_message(peer, data[0], ByteView(data + 1, size - 1), now);
  if (!done && done.error().side() != Side::peer) std::abort();
  // Whatever one deputy says before anybody asked, nobody has won.
  if (!core.redeem({{}, *group, {}}, now.mono + 1s, now)) std::abort();
  while (auto event = core.poll_event()) {
    if (std::holds_alternative<Redeemed>(*event)) std::abort();
  }
  now.mono += 10s;
  now.wall += 120s;
  core.handle_timeout(now);
  while (core.poll_transmit() || core.poll_event()) {
  }
  return 0;
}
