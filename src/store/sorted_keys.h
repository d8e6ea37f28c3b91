// The keys of a shard in order, for snapshots.
//
// Problem: a snapshot is given in the order of keys and in chunks, a shard has many chunks, and hash maps
// know no order: sorting anew for each chunk costs the square of the shard. Idea: what was sorted is kept
// until a key comes to the shard; for several snapshots at a time some shards are kept. Keys that went may be
// among them. On one thread.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "store/session_state.h"

namespace kith::store {

class SortedKeys {
 public:
  // added: how many keys have come to the shard so far. list() gives those that it has now, in any order.
  template <class List>
  const std::vector<Key>& of(size_t shard, uint64_t added, List&& list) {
    for (const Kept& each : kept_)
      if (each.shard == shard && each.added == added) return each.keys;
    auto same =
        std::find_if(kept_.begin(), kept_.end(), [&](const Kept& each) { return each.shard == shard; });
    Kept& kept = same != kept_.end() ? *same : kept_[next_++ % kept_.size()];
    kept = {shard, added, list()};
    std::sort(kept.keys.begin(), kept.keys.end());
    return kept.keys;
  }

 private:
  static constexpr size_t kShards = 4;  // snapshots at a time, about
  struct Kept {
    std::optional<size_t> shard;
    uint64_t added = 0;
    std::vector<Key> keys;
  };
  std::array<Kept, kShards> kept_;
  size_t next_ = 0;
};

}  // namespace kith::store
