// What the commands of the Redis protocol work on: one database of one cluster's cache, at one moment.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cluster/replicated_cache.h"
#include "store/cache_table.h"

namespace kith::cache {

inline constexpr int kDatabases = 16;

// A database's entries are kept apart from those of the other databases and of the modes.
std::string space_of(std::string_view cache, int database);

class Keyspace {
 public:
  // Reads only, on any thread.
  Keyspace(const store::CacheTable& table, std::string_view cache, int database, WallTime now)
      : table_(table), cache_(cache), space_(space_of(cache, database)), now_(now) {}
  // Writes too, on the control loop. What is written is sent with the cache's next flush().
  Keyspace(cluster::ReplicatedCache& writer, std::string_view cache, int database, WallTime now)
      : Keyspace(writer.table(), cache, database, now) {
    writer_ = &writer;
  }

  WallTime now() const { return now_; }
  store::CacheTable::View get(std::string_view key) const;
  bool exists(std::string_view key) const { return static_cast<bool>(get(key)); }

  // What set() would refuse it for, whatever its expiry.
  static Result<void> check(std::string_view key, std::string_view data);
  // Fail as ReplicatedCache::set. An expiry in the past removes.
  Result<void> set(std::string_view key, ByteView data, std::optional<WallTime> expires);
  // False when there was nothing. It is removed all the same: a write may be on its way.
  Result<bool> remove(std::string_view key);
  // All keys of this database, or of all.
  Result<void> clear(bool all_databases);

  // Keys of one of the table's shards.
  void visit(size_t shard, const std::function<void(const std::string& key)>& seen) const;
  size_t size() const { return table_.count(space_).entries; }

  // Of this node, the last that this keyspace wrote; zero when it wrote nothing.
  Dot last_write() const { return last_write_; }

 private:
  const store::CacheTable& table_;
  cluster::ReplicatedCache* writer_ = nullptr;
  std::string cache_;
  std::string space_;
  WallTime now_;
  Dot last_write_;
};

}  // namespace kith::cache
