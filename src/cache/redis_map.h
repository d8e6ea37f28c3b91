// Which node of a Redis Cluster has a key (Redis Cluster Specification, "Key distribution model" and
// "MOVED redirection"), and what the nodes say about it.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cache/redis_config.h"
#include "resp/reply.h"

namespace kith::cache {

inline constexpr size_t kSlots = 16384;
// Masters that a map may name: a cluster is recommended to have no more nodes than this.
inline constexpr size_t kMaxRedisNodes = 1000;

// CRC-16/XMODEM of the key, or of its hash tag: what stands between the first '{' and the next '}'.
uint16_t slot_of(std::string_view key);

struct SlotRange {
  uint16_t first;
  uint16_t last;  // with it
  RedisAddress master;
};

// Of CLUSTER SLOTS. A node that does not know its own host leaves it out: then it is the one that was asked.
// Fails with protocol when the answer makes no sense.
Result<std::vector<SlotRange>> parse_slots(const resp::Reply& reply, const RedisAddress& asked);

// "MOVED 3999 127.0.0.1:6381" and "ASK 3999 127.0.0.1:6381"; nullopt for anything else.
struct Redirect {
  bool ask;  // for this one command; else for good
  uint16_t slot;
  RedisAddress to;
};
std::optional<Redirect> parse_redirect(const resp::Reply& reply, const RedisAddress& asked);

}  // namespace kith::cache
