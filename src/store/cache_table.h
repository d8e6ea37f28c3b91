// All entries of the caches of one cluster, as this node has them.
//
// Problem: what a cache holds is bounded by memory, not by what its users write, and nodes must still come to
// the same answers. Idea: entries merge as cache_entry.h says; beyond the limit each node drops what was not
// read for longest (a second chance for what was, in the order of writing), and says nothing of it: what one
// node dropped another may still have, as one may expect of a cache. Bytes count names, data and bookkeeping.
//
// Tombstones take a quarter of the limit at most, so that removals push out no more than that; beyond it the
// oldest go, shard by shard in turns. Then a write that was made before the removal and comes only after
// that, from a node that was cut off, brings back on this node what was removed. Values never push out
// tombstones.
//
// Thread-safe: readers lock one of the shards for the time of a look-up. Writes of this node are made on the
// core's thread, as SessionTable says.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/result.h"
#include "replication/core.h"
#include "store/cache_entry.h"
#include "store/cache_spaces.h"
#include "store/session_table.h"
#include "store/sorted_keys.h"

namespace kith::store {

struct CacheLimits {
  size_t max_bytes = 256 << 20;
};

class CacheTable final : public replication::Source {
 public:
  CacheTable(const CacheLimits& limits, NodeId self) : limits_(limits), self_(self) {}

  struct View {
    std::shared_ptr<const CacheValue> value{};  // null: there is none
    std::optional<WallTime> expires{};
    explicit operator bool() const { return value != nullptr; }
  };
  View get(const Key& key, WallTime now) const;

  // The writes of this node, applied here and to be appended at once (SessionTable).
  // All fail with limit when what is here bears so late a stamp that there is none after it: a broken clock
  // wrote it, and other nodes would refuse what we made of it.
  //
  // Replaces. Fails with limit also for too large a name or data, with invalid for a time out of range.
  // Expiry in the past: as remove().
  static Result<void> check(std::string_view key, ByteView data);
  Result<replication::Op> set(CacheName name, Bytes data, std::optional<WallTime> expires, WallTime now);
  // Also when there is nothing of the name here: it may be on its way.
  Result<replication::Op> remove(const Key& key, WallTime now);

  // Of all that is known here of the space nothing is left, nor of what was written before and is on its way.
  // Nothing of it is seen from now on; its memory comes back when sweep() has visited all shards.
  Result<replication::Op> clear(std::string_view space, WallTime now);

  // The writes of others, in any order, any number of times.
  Merged apply(const replication::Op& op, WallTime now);
  Merged apply(const replication::StateEntry& entry, WallTime now);

  // replication::Source, of StoreId::cache alone; next() on the core's thread
  bool next(replication::SnapshotCursor& cursor, size_t max_bytes,
            std::vector<replication::StateEntry>& out) override;
  std::optional<Bytes> state_of(replication::StoreId store, const Key& key) override;

  // Walks a space in parts: each call looks at one of kShards shards. What is there during the whole walk is
  // seen once.
  static constexpr size_t kShards = 1024;
  static constexpr size_t kMaxClears = 4096;  // beyond, the oldest is forgotten (cache_spaces.h)
  void visit(size_t shard, std::string_view space, WallTime now,
             const std::function<void(const CacheValue&)>& seen) const;
  // Live entries of the space, and how many of them end by age; those too old that were not swept yet count
  // as well. Takes as long as walking the table does where a clear came after newer values, until that is
  // swept.
  using Count = CacheSpaces::Count;
  Count count(std::string_view space) const;

  // Frees what is too old or was cleared in the next shards. Called with the default a few times per second
  // it visits all within half a minute.
  size_t sweep(WallTime now, size_t shards = 16);

  size_t entries() const { return entries_; }  // the removed ones included
  size_t bytes() const { return bytes_; }
  size_t max_bytes() const { return limits_.max_bytes; }
  // Equal on two nodes that hold the same content.
  uint64_t content_hash(WallTime now) const;

  struct Counters {
    uint64_t refused = 0;    // Merged::refused
    uint64_t far_ahead = 0;  // ops stamped more than 60 s ahead of our wall clock
    uint64_t expired = 0;    // values freed for their age
    uint64_t evicted = 0;    // values dropped for want of room
    uint64_t forgotten = 0;  // tombstones dropped because there were too many
  };
  Counters counters() const { return {refused_, far_ahead_, expired_, evicted_, forgotten_}; }

 private:
  // A key in a queue; the entry has left that place when its own says another.
  struct Place {
    Key key;
    uint32_t number = 0;
  };
  struct Shard {
    mutable std::mutex mutex;
    FlatMap<Key, CacheEntry> entries;
    // What goes first, for want of room: values, and tombstones, as they came; places that were left among
    // them.
    std::deque<Place> values, removed;
    uint32_t places = 0;  // given so far
    uint64_t added = 0;   // keys, clears among them: SortedKeys
  };
  static constexpr size_t kRemovedShare = 4;  // of the limit, its inverse
  static size_t shard_of(const Key& key) { return (key.bytes[0] << 8 | key.bytes[1]) % kShards; }
  Shard& shard(const Key& key) { return shards_[shard_of(key)]; }
  const Shard& shard(const Key& key) const { return shards_[shard_of(key)]; }
  replication::Op originate(CacheOp kind, const Key& key, uint64_t hlc) const;
  Merged merge(const Key& key, CacheEntry&& change, WallTime now);
  Merged merge(const CacheClear& clear);
  // A value that a clear ended and no walk has erased yet: it is as if it were not here.
  bool hidden(const CacheEntry& entry) const {
    return unswept_.load(std::memory_order_acquire) > 0 && entry.value &&
           entry.by.hlc <= spaces_.cleared(entry.value->name.space);
  }
  FlatMap<Key, CacheEntry>::iterator find(Shard& home, const Key& key);
  void forget_oldest_clear();
  Merged merge_locked(Shard& home, const Key& key, CacheEntry&& change);
  void account(const CacheEntry& entry, int sign);
  void make_room();
  void enqueue(Shard& home, const Key& key, CacheEntry& entry);
  static FlatMap<Key, CacheEntry>::iterator find(Shard& home, const Place& place);
  void drop_in_turns(const std::function<bool()>& enough, bool (CacheTable::*drop_from)(Shard&));
  bool evict_from(Shard& home);
  bool forget_from(Shard& home);
  size_t sweep_locked(Shard& home, WallTime now);
  Result<uint64_t> stamp(WallTime now, uint64_t above);
  void observe(uint64_t hlc, WallTime now);
  Merged refuse();

  const CacheLimits limits_;
  const NodeId self_;
  std::array<Shard, kShards> shards_;
  std::atomic<size_t> entries_{0};
  std::atomic<size_t> bytes_{0};
  std::atomic<size_t> removed_{0};  // tombstones
  std::atomic<uint64_t> refused_{0}, far_ahead_{0}, expired_{0}, evicted_{0}, forgotten_{0};
  std::atomic<size_t> next_sweep_{0}, next_eviction_{0};
  CacheSpaces spaces_;
  std::atomic<size_t> unswept_{0};  // shards that may have hidden values: the next ones of the sweep
  SortedKeys sorted_;               // for next()
  mutable std::mutex clock_mutex_;
  replication::Hlc clock_;
};

}  // namespace kith::store
