#include "cache/local_cache.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace kith::cache {
namespace {

constexpr size_t kMaxShards = 16;       // far more than loops that meet at the same moment
constexpr size_t kMinShard = 1 << 20;   // several of the largest values fit each
constexpr size_t kEntryOverhead = 192;  // two allocations, list and table nodes, rounded up

// One part of the keys under one lock.
class Shard {
 public:
  explicit Shard(size_t max_bytes) : max_bytes_(max_bytes) {}

  std::optional<Bytes> get(const std::string& key, MonoTime now) {
    const std::lock_guard lock(mutex_);
    const auto found = index_.find(key);
    if (found == index_.end()) return std::nullopt;
    if (now >= found->second->expires) {
      erase(found->second);
      return std::nullopt;
    }
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->value;
  }

  bool set(std::string key, Bytes value, MonoTime expires) {
    const size_t cost = key.size() + value.size() + kEntryOverhead;
    if (cost > max_bytes_) return false;
    const std::lock_guard lock(mutex_);
    if (const auto found = index_.find(key); found != index_.end()) erase(found->second);
    while (bytes_ + cost > max_bytes_) erase(std::prev(entries_.end()));
    entries_.push_front({std::move(key), std::move(value), expires});
    index_.emplace(entries_.front().key, entries_.begin());
    bytes_ += cost;
    return true;
  }

  void remove(const std::string& key) {
    const std::lock_guard lock(mutex_);
    if (const auto found = index_.find(key); found != index_.end()) erase(found->second);
  }

 private:
  struct Entry {
    std::string key;
    Bytes value;
    MonoTime expires;
  };
  using Entries = std::list<Entry>;

  void erase(Entries::iterator entry) {
    bytes_ -= entry->key.size() + entry->value.size() + kEntryOverhead;
    index_.erase(entry->key);
    entries_.erase(entry);
  }

  const size_t max_bytes_;
  std::mutex mutex_;
  Entries entries_;                                                // the one used last at the front
  std::unordered_map<std::string_view, Entries::iterator> index_;  // the keys' bytes are the entries'
  size_t bytes_ = 0;
};

class Local final : public Cache {
 public:
  explicit Local(size_t max_bytes) {
    const size_t count = std::clamp(max_bytes / kMinShard, size_t{1}, kMaxShards);
    for (size_t i = 0; i < count; ++i) shards_.push_back(std::make_unique<Shard>(max_bytes / count));
  }

  runtime::Task<Result<std::optional<Bytes>>> get(runtime::Loop& here, std::string key, Dot,
                                                  MonoTime) override {
    co_return shard(key).get(key, here.now());
  }

  runtime::Task<Result<CacheWrite>> set(runtime::Loop& here, std::string key, Bytes value,
                                        std::optional<Duration> ttl, MonoTime) override {
    if (ttl && *ttl <= Duration::zero())
      co_return Error(Code::invalid, "a time to live that is not positive");
    if (key.size() > kMaxKey || value.size() > kMaxValue)
      co_return Error(Code::limit, "a key of more than 1 KiB, or a value of more than 60 KiB");
    const MonoTime now = here.now();
    const MonoTime expires = ttl && *ttl < kNever - now ? now + *ttl : kNever;
    Shard& home = shard(key);
    const bool fits = home.set(std::move(key), std::move(value), expires);
    if (!fits) co_return Error(Code::limit, "larger than the whole cache", Side::config);
    co_return CacheWrite{};
  }

  runtime::Task<Result<CacheWrite>> remove(runtime::Loop&, std::string key, MonoTime) override {
    if (key.size() > kMaxKey) co_return Error(Code::limit, "a key of more than 1 KiB");
    shard(key).remove(key);
    co_return CacheWrite{};
  }

 private:
  Shard& shard(const std::string& key) { return *shards_[std::hash<std::string>()(key) % shards_.size()]; }

  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace

std::unique_ptr<Cache> make_local_cache(size_t max_bytes) { return std::make_unique<Local>(max_bytes); }

}  // namespace kith::cache
