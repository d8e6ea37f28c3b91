// One entry of a replicated cache as a lattice, and the bytes of its ops and states
// (docs/formats/replication.md).
//
// The later write wins, by its stamp. What is gone, removed or too old, is remembered as long as anything
// that it replaced could have lived, and ten minutes at least: else an older write that comes late would
// bring it back. A write that never ends by age could come at any time: its removal is remembered for a day,
// which is how long a node may have been cut off before removed entries can come back with it. So is the
// removal of what is not known where it is removed, for that may be such a write.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "store/session_state.h"

namespace kith::store {

// Which entry: the space (a cache and what in it keeps its users apart) and the key there. Any bytes.
struct CacheName {
  std::string space;  // at most kMaxCacheSpace
  std::string key;    // at most kMaxCacheKey
  bool operator==(const CacheName&) const = default;
};

inline constexpr size_t kMaxCacheSpace = 128;
inline constexpr size_t kMaxCacheKey = 1 << 10;
inline constexpr size_t kMaxCacheData = 60 << 10;
static_assert(kMaxCacheSpace + kMaxCacheKey + kMaxCacheData + 128 <= replication::kMaxPayload);

// What replication knows the entry by.
Key key_of(std::string_view space, std::string_view key);

// Immutable, so that it is handed out without a copy.
struct CacheValue {
  CacheName name;
  Bytes data;
};

inline constexpr auto kCacheKeepRemoved = std::chrono::hours(24);    // of entries that never end by age
inline constexpr auto kCacheKeepAtLeast = std::chrono::minutes(10);  // after a write

// What an entry takes beside its name and data, about.
inline constexpr size_t kCacheEntryBytes = 240;

struct CacheEntry {
  std::shared_ptr<const CacheValue> value{};  // null: removed, or too old
  Stamp by{};                                 // hlc 0: nothing is known
  int64_t expires_ms = 0;                     // 0: never by age
  int64_t keep_until_ms = 0;                  // the greatest seen
  mutable bool used = false;                  // since the eviction last came by; not part of the lattice
  uint32_t place = 0;                         // in the queue of its shard; likewise (cache_table.h)

  bool live(WallTime now) const { return value && (expires_ms == 0 || unix_ms(now) < expires_ms); }
  bool is_without_end() const { return value && expires_ms == 0; }
  // Whether nothing that is still on its way could be mistaken for newer than this.
  bool can_go(WallTime now) const;
  // The join with another entry of the same key. True when this one changed.
  bool merge(CacheEntry&& other);
  size_t bytes() const {
    return kCacheEntryBytes +
           (value ? value->name.space.size() + value->name.key.size() + value->data.size() : 0);
  }

  // The whole entry, for snapshots and pulls; for content hashes without keep_until_ms, which differs while
  // nothing else does.
  void encode(Writer& out, bool whole = true) const;
  static std::optional<CacheEntry> decode(const Key& key, ByteView state);
};

// All of a space that was written up to a stamp is gone, whatever its stamps' nodes: one write, however much
// that is. Of a space there is one, the latest. It is remembered for a day, as the removal of what never ends
// by age is.
struct CacheClear {
  std::string space;
  uint64_t hlc = 0;

  Key key() const;  // no entry has it
  void encode(Writer& out) const;
  static std::optional<CacheClear> decode(const Key& key, ByteView state);  // nullopt for entries, too
};

enum class CacheOp : uint8_t { set = 1, remove = 2, clear = 3 };

// The op as the entry it is to be merged as; nullopt when malformed, under a key that is not its name's, or
// of an unknown kind.
std::optional<CacheEntry> cache_entry_of(const replication::Op& op);
std::optional<CacheClear> cache_clear_of(const replication::Op& op);
Bytes cache_set_payload(const CacheEntry& entry);

}  // namespace kith::store
