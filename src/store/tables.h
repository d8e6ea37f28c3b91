// The stores of one cluster as replication and the journal see them: one.
#pragma once

#include <vector>

#include "replication/core.h"
#include "store/cache_table.h"
#include "store/session_table.h"

namespace kith::store {

class Tables final : public replication::Source {
 public:
  Tables(const SessionLimits& session_limits, const CacheLimits& cache_limits, NodeId self)
      : sessions_(session_limits, self), caches_(cache_limits, self) {}

  SessionTable& sessions() { return sessions_; }
  CacheTable& caches() { return caches_; }

  // The writes of others. What belongs to neither is refused by the first.
  template <class OpOrState>
  Merged apply(const OpOrState& change, WallTime now) {
    return change.store == replication::StoreId::cache ? caches_.apply(change, now)
                                                       : sessions_.apply(change, now);
  }

  // replication::Source: sessions first, for caches can wait.
  bool next(replication::SnapshotCursor& cursor, size_t max_bytes,
            std::vector<replication::StateEntry>& out) override {
    if (cursor.store != replication::StoreId::cache && sessions_.next(cursor, max_bytes, out)) return true;
    size_t used = 0;
    for (const replication::StateEntry& entry : out) used += Key::kSize + entry.state.size();
    return caches_.next(cursor, used < max_bytes ? max_bytes - used : 0, out);
  }
  std::optional<Bytes> state_of(replication::StoreId store, const Key& key) override {
    return store == replication::StoreId::cache ? caches_.state_of(store, key)
                                                : sessions_.state_of(store, key);
  }

 private:
  SessionTable sessions_;
  CacheTable caches_;
};

}  // namespace kith::store
