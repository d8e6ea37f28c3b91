// What this node has applied of each log, for the worker loops: the control loop writes, all read.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include "base/node.h"

namespace kith::cluster {

class AppliedView {
 public:
  // A replica is known from when it became a member or its first write came.
  void note(const Replica& replica, uint64_t prefix = 0) {
    std::unique_lock lock(mutex_);
    uint64_t& known = prefixes_[replica];
    if (prefix > known) known = prefix;
  }
  // Of what nothing is known any more; of a node, the lives that `over` is true of.
  void forget(const Replica& replica) {
    std::unique_lock lock(mutex_);
    prefixes_.erase(replica);
  }
  template <class Over>
  void forget_lives(NodeId node, Over over) {
    std::unique_lock lock(mutex_);
    for (auto at = prefixes_.lower_bound({node, 0}); at != prefixes_.end() && at->first.node == node;)
      at = over(at->first) ? prefixes_.erase(at) : std::next(at);
  }
  bool covers(const Dot& dot) const {
    if (dot.seq == 0) return true;
    std::shared_lock lock(mutex_);
    auto it = prefixes_.find(dot.origin);
    return it != prefixes_.end() && it->second >= dot.seq;
  }
  // The node whose id starts with the prefix. (Two known ids with one prefix of 8 bytes: never by chance,
  // and the position's MAC has bound it to a write of this cluster.)
  std::optional<NodeId> find(ByteView prefix) const {
    Replica least;
    if (prefix.size() > NodeId::kSize) return std::nullopt;
    std::copy(prefix.begin(), prefix.end(), least.node.bytes.begin());
    std::shared_lock lock(mutex_);
    auto it = prefixes_.lower_bound(least);
    if (it == prefixes_.end() || !std::equal(prefix.begin(), prefix.end(), it->first.node.bytes.begin()))
      return std::nullopt;
    return it->first.node;
  }

 private:
  mutable std::shared_mutex mutex_;
  std::map<Replica, uint64_t> prefixes_;
};

}  // namespace kith::cluster
