#include "store/cache_spaces.h"

#include <algorithm>
#include <mutex>
#include <tuple>

namespace kith::store {

void CacheSpaces::account(const CacheEntry& entry, int sign) {
  std::lock_guard lock(mutex_);
  auto found = spaces_.try_emplace(entry.value->name.space).first;
  Space& space = found->second;
  space.here += sign;
  if (sign > 0) space.newest = std::max(space.newest, entry.by.hlc);
  if (entry.by.hlc > space.uncounted) {
    space.counted.entries += sign;
    if (entry.expires_ms != 0) space.counted.expiring += sign;
  }
  if (space.here == 0) spaces_.erase(found);
}

std::optional<CacheSpaces::Count> CacheSpaces::count(std::string_view space) const {
  std::shared_lock lock(mutex_);
  auto found = spaces_.find(space);
  if (found == spaces_.end()) return Count{};
  if (found->second.mixed) return std::nullopt;
  return found->second.counted;
}

uint64_t CacheSpaces::newest(std::string_view space) const {
  std::shared_lock lock(mutex_);
  auto found = spaces_.find(space);
  return found == spaces_.end() ? 0 : found->second.newest;
}

uint64_t CacheSpaces::cleared(std::string_view space) const {
  if (clears() == 0) return 0;
  std::shared_lock lock(mutex_);
  auto found = cleared_.find(space);
  return found == cleared_.end() ? 0 : found->second;
}

CacheSpaces::Noted CacheSpaces::clear(const CacheClear& clear) {
  std::lock_guard lock(mutex_);
  auto [known, fresh] = cleared_.try_emplace(clear.space, clear.hlc);
  if (!fresh && known->second >= clear.hlc) return {};
  known->second = clear.hlc;
  if (fresh) keys_.emplace(clear.key(), clear.space);
  clears_.store(cleared_.size(), std::memory_order_release);
  auto found = spaces_.find(clear.space);
  if (found == spaces_.end()) return {.news = true, .hides = false};
  Space& space = found->second;
  if (space.newest > clear.hlc) {
    space.mixed = true;
  } else {
    space.counted = {};
    space.uncounted = clear.hlc;
    space.mixed = false;
  }
  return {.news = true, .hides = true};
}

void CacheSpaces::settled() {
  std::lock_guard lock(mutex_);
  for (auto& [name, space] : spaces_) space.mixed = false;
}

std::optional<CacheClear> CacheSpaces::find(const Key& key) const {
  if (clears() == 0) return std::nullopt;
  std::shared_lock lock(mutex_);
  auto found = keys_.find(key);
  if (found == keys_.end()) return std::nullopt;
  return CacheClear{found->second, cleared_.at(found->second)};
}

std::map<Key, CacheClear> CacheSpaces::find_if(const std::function<bool(const Key&)>& wanted) const {
  std::map<Key, CacheClear> out;
  if (clears() == 0) return out;
  std::shared_lock lock(mutex_);
  for (const auto& [key, space] : keys_)
    if (wanted(key)) out.emplace(key, CacheClear{space, cleared_.at(space)});
  return out;
}

std::optional<CacheClear> CacheSpaces::oldest() const {
  std::shared_lock lock(mutex_);
  auto least = std::min_element(cleared_.begin(), cleared_.end(), [](const auto& a, const auto& b) {
    return std::tie(a.second, a.first) < std::tie(b.second, b.first);
  });
  if (least == cleared_.end()) return std::nullopt;
  return CacheClear{least->first, least->second};
}

void CacheSpaces::forget(const CacheClear& clear) {
  std::lock_guard lock(mutex_);
  keys_.erase(clear.key());
  cleared_.erase(clear.space);
  clears_.store(cleared_.size(), std::memory_order_release);
}

void CacheSpaces::forget_up_to(uint64_t hlc) {
  if (clears() == 0) return;
  std::lock_guard lock(mutex_);
  std::erase_if(cleared_, [hlc](const auto& each) { return each.second <= hlc; });
  std::erase_if(keys_, [this](const auto& each) { return !cleared_.contains(each.second); });
  clears_.store(cleared_.size(), std::memory_order_release);
}

}  // namespace kith::store
