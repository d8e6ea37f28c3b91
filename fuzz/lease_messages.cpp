// The decoders of the lease and the core behind them: the first byte is the message type, the rest its
// payload, as they come from a member that means harm.
#include <cstdlib>

#include "lease/core.h"

using namespace kith;
using namespace kith::lease;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  NodeId self, peer;
  self.bytes[0] = 1;
  peer.bytes[0] = 2;
  MonoTime now{1h};
  Core core({.quorum = 2}, self, 1, now);
  core.set_view({{self, "a"}, {peer, "b"}}, now);
  Result<void> done = core.handle_message(peer, data[0], ByteView(data + 1, size - 1), now);
  if (!done && done.error().side() != Side::peer) std::abort();
  // Whatever one other node says, we do not lead before we asked.
  if (core.leads(now)) std::abort();
  core.handle_timeout(now + 10s, from_unix_ms(1));
  while (core.poll_transmit() || core.poll_event()) {
  }
  return 0;
}
