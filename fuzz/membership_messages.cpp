// Every decoder of the membership channel, and the core behind them: the first byte is the message type,
// the rest its payload, as they come from a peer that holds the PSK and means harm.
#include <cstdlib>

#include "membership/core.h"

using namespace kith;
using namespace kith::membership;

namespace {

NodeRecord record_of(const crypto::SigningKey& key, uint16_t port) {
  NodeRecord record;
  record.key = key.public_key();
  record.id = node_id(record.key);
  record.incarnation = 1;
  record.sequence = 1;
  record.membership = {Multiaddr::Host::ip4, "10.0.0.1", port};
  record.data = {Multiaddr::Host::ip4, "10.0.0.1", static_cast<uint16_t>(port + 1)};
  return record;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static const crypto::SigningKey kOurs = crypto::SigningKey::from_seed(Bytes(32, 1));
  static const crypto::SigningKey kTheirs = crypto::SigningKey::from_seed(Bytes(32, 2));
  static const Bytes kTheirRecord = record_of(kTheirs, 9450).encode(kTheirs);
  ByteView payload(data + 1, size - 1);
  (void)NodeRecord::decode(payload);

  MonoTime now{};
  Core core({}, kOurs, record_of(kOurs, 9550), 1, now);
  NodeId peer = node_id(kTheirs.public_key());
  core.link_up(peer, kTheirRecord, now);
  Result<void> done = core.handle_message(peer, data[0], payload, now);
  if (!done && done.error().side() != Side::peer) std::abort();
  // What it said changes neither who we are nor that the peer, whose link lives, is a member.
  if (core.member(peer) == nullptr || core.remembered() > 400) std::abort();
  while (core.poll_transmit() || core.poll_dial() || core.poll_event()) {
  }
  if (core.poll_timeout() <= now) std::abort();
  return 0;
}
