// The spaces of a cache table: how many values each holds, and up to which stamp it was cleared.
//
// Problem: a clear ends a million values in one write, and whoever makes or hears of it must not stand still
// for that. Idea: the clear is only noted here, and what it ended is hidden until a walk that has time erases
// it. Most clears come after all that their space holds, and then the count is zero at once; after another
// one it is not known until the walk is over.
//
// Clears are bounded: beyond, the one with the lowest stamp goes. So nodes that have heard of the same ones
// remember the same ones, in whatever order they came. What was written before a clear that is forgotten and
// comes only then, stays.
//
// Thread-safe; changed by one thread.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "store/cache_entry.h"

namespace kith::store {

class CacheSpaces {
 public:
  struct Count {
    size_t entries = 0, expiring = 0;
  };

  // A value came into the table (1) or leaves it (-1).
  void account(const CacheEntry& entry, int sign);
  // nullopt: only a walk can tell.
  std::optional<Count> count(std::string_view space) const;
  // At least the greatest stamp of the values that are here; 0 when there is none.
  uint64_t newest(std::string_view space) const;

  // Up to which stamp it was cleared; 0: never.
  uint64_t cleared(std::string_view space) const;
  struct Noted {
    bool news = false;   // it is later than what was known
    bool hides = false;  // there are values that it may have ended
  };
  Noted clear(const CacheClear& clear);
  // What clears ended before this call is erased.
  void settled();

  size_t clears() const { return clears_.load(std::memory_order_acquire); }
  std::optional<CacheClear> find(const Key& key) const;
  std::map<Key, CacheClear> find_if(const std::function<bool(const Key&)>& wanted) const;
  std::optional<CacheClear> oldest() const;
  // Values of its space that are here still must not be hidden by it any more.
  void forget(const CacheClear& clear);
  void forget_up_to(uint64_t hlc);

 private:
  struct Space {
    size_t here = 0;         // values, the hidden ones included
    Count counted;           // of those above `uncounted`
    uint64_t newest = 0;     // see newest()
    uint64_t uncounted = 0;  // the stamp of a clear
    bool mixed = false;      // values that a clear ended are counted
  };

  mutable std::shared_mutex mutex_;
  std::map<std::string, Space, std::less<>> spaces_;      // that have values
  std::map<std::string, uint64_t, std::less<>> cleared_;  // the stamps
  std::map<Key, std::string> keys_;                       // by CacheClear::key()
  std::atomic<size_t> clears_{0};  // there are seldom any, and then nobody takes the lock
};

}  // namespace kith::store
