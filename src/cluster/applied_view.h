// What this node has applied of each log, for the worker loops: the control loop writes, all read.
#pragma once

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
  bool covers(const Dot& dot) const {
    if (dot.seq == 0) return true;
    std::shared_lock lock(mutex_);
    auto it = prefixes_.find(dot.origin);
    return it != prefixes_.end() && it->second >= dot.seq;
  }
  // The node whose id starts with the prefix. (Two known ids with one prefix of 8 bytes: never by chance,
  // and the position's MAC has bound it to a write of this cluster.)
  std::optional<NodeId> find(ByteView prefix) const {
    std::shared_lock lock(mutex_);
    for (const auto& [replica, applied] : prefixes_) {
      ByteView id = replica.node.view();
      if (prefix.size() <= id.size() && std::equal(prefix.begin(), prefix.end(), id.begin())) return replica.node;
    }
    return std::nullopt;
  }

 private:
  mutable std::shared_mutex mutex_;
  std::map<Replica, uint64_t> prefixes_;
};

}  // namespace kith::cluster
