#include "cache/keyspace.h"

namespace kith::cache {

std::string space_of(std::string_view cache, int database) {
  std::string space(cache);
  space += '\0';
  space += std::to_string(database);
  return space;
}

store::CacheTable::View Keyspace::get(std::string_view key) const {
  return table_.get(store::key_of(space_, key), now_);
}

Result<void> Keyspace::check(std::string_view key, std::string_view data) {
  return store::CacheTable::check(key, as_bytes(data));
}

Result<void> Keyspace::set(std::string_view key, ByteView data, std::optional<WallTime> expires) {
  KITH_TRY(last_write_, writer_->set({space_, std::string(key)}, Bytes(data.begin(), data.end()), expires));
  return {};
}

Result<bool> Keyspace::remove(std::string_view key) {
  const store::Key id = store::key_of(space_, key);
  const bool was_there = static_cast<bool>(table_.get(id, now_));
  KITH_TRY(last_write_, writer_->remove(id));
  return was_there;
}

Result<void> Keyspace::clear(bool all_databases) {
  for (int database = 0; database < kDatabases; ++database) {
    const std::string space = space_of(cache_, database);
    if (!all_databases && space != space_) continue;
    KITH_TRY(last_write_, writer_->clear(space));
  }
  return {};
}

void Keyspace::visit(size_t shard, const std::function<void(const std::string& key)>& seen) const {
  table_.visit(shard, space_, now_, [&](const store::CacheValue& value) { seen(value.name.key); });
}

}  // namespace kith::cache
