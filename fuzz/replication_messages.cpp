// Every message of replication, from a peer that says anything: the core answers with a result, holds
// no more than its limits and never stops. The first bytes choose a script of messages and ticks.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "replication/core.h"
#include "store/session_table.h"

namespace {

using namespace kith;
using namespace kith::replication;

const WallTime kWall = from_unix_ms(1'800'000'000'000);

NodeId node(uint8_t id) {
  NodeId result;
  result.bytes[0] = id;
  return result;
}

void drain(Core& core, store::SessionTable& table) {
  while (auto event = core.poll_event()) {
    if (auto* apply = std::get_if<Apply>(&*event)) table.apply(apply->op, kWall);
    if (auto* state = std::get_if<ApplyState>(&*event)) table.apply(state->entry, kWall);
  }
  for (uint8_t peer = 1; peer <= 2; ++peer) {
    for (Priority priority : {Priority::control, Priority::session, Priority::repair}) {
      // A peer that asks again and again gets its answers one by one: take a few.
      for (int i = 0; i < 8; ++i) {
        auto message = core.poll_transmit(node(peer), priority);
        if (!message) break;
        KITH_CHECK(message->payload.size() <= kMaxMessage);
      }
    }
  }
}

}  // namespace

// Input: pieces of one byte peer and type, two bytes size, that many bytes of payload.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  MonoTime now{};
  store::SessionTable table({.idle_timeout = std::chrono::hours(1)}, node(9));
  const auto key = crypto::SigningKey::from_seed(Bytes(32, 9));
  Core core({}, Replica{crypto::node_id(key.public_key()), 1}, key, table, now);
  core.peer_up(Replica{node(1), 1}, now);
  core.peer_up(Replica{node(2), 1}, now);
  if (auto op = table.create(Key{}, {Bytes(10), kWall, kWall + std::chrono::hours(1), kWall}, kWall))
    core.append(std::move(*op), now);
  Reader in(ByteView(data, size));
  while (in.remaining() > 0) {
    const uint8_t head = in.u8();
    const size_t length = std::min<size_t>(in.u16(), in.remaining());
    const ByteView payload = in.raw(length);
    if (!in.ok()) break;
    const uint8_t peer = head >> 7 ? 1 : 2;
    (void)core.handle_message(node(peer), head & 15, payload, now);
    drain(core, table);
    if (head & 16) core.handle_timeout(now += 1s);
    if (head & 32) core.allow_founding(now);
    if (head & 64) {
      core.peer_down(node(peer), now);
      core.peer_up(Replica{node(peer), 1}, now);
    }
    drain(core, table);
  }
  return 0;
}
