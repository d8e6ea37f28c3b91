#include "store/cache_table.h"

#include <algorithm>
#include <utility>

#include "crypto/hash.h"

namespace kith::store {

using replication::Op;
using replication::SnapshotCursor;
using replication::StateEntry;
using replication::StoreId;

namespace {

template <class T>
Bytes encoded(const T& part) {
  Bytes state;
  Writer writer(state);
  part.encode(writer);
  return state;
}

}  // namespace

CacheTable::View CacheTable::get(const Key& key, WallTime now) const {
  const Shard& home = shard(key);
  std::lock_guard lock(home.mutex);
  auto found = home.entries.find(key);
  if (found == home.entries.end() || !found->second.live(now) || hidden(found->second)) return {};
  const CacheEntry& entry = found->second;
  entry.used = true;
  View view{.value = entry.value};
  if (entry.expires_ms != 0) view.expires = from_unix_ms(entry.expires_ms);
  return view;
}

// ---------------------------------------------------------------- writes

Op CacheTable::originate(CacheOp kind, const Key& key, uint64_t hlc) const {
  Op op;
  op.dot.origin.node = self_;
  op.store = StoreId::cache;
  op.kind = static_cast<uint8_t>(kind);
  op.key = key;
  op.hlc = hlc;
  return op;
}

Result<void> CacheTable::check(std::string_view key, ByteView data) {
  if (key.size() > kMaxCacheKey) return Error(Code::limit, "the key is longer than 1 KiB");
  if (data.size() > kMaxCacheData) return Error(Code::limit, "the value is larger than 60 KiB");
  return {};
}

Result<Op> CacheTable::set(CacheName name, Bytes data, std::optional<WallTime> expires, WallTime now) {
  KITH_TRY_VOID(check(name.key, data));
  if (name.space.size() > kMaxCacheSpace) return Error(Code::limit, "the space's name is too long");
  if (expires && (unix_ms(*expires) < 0 || unix_ms(*expires) > kMaxTimeMs))
    return Error(Code::invalid, "the expiry is out of range");
  const Key key = key_of(name.space, name.key);
  if (expires && *expires <= now) return remove(key, now);
  CacheEntry entry;
  entry.expires_ms = expires ? unix_ms(*expires) : 0;
  entry.value = std::make_shared<const CacheValue>(CacheValue{std::move(name), std::move(data)});
  Op op;
  {
    Shard& home = shard(key);
    std::lock_guard lock(home.mutex);
    auto found = find(home, key);
    const bool known = found != home.entries.end();
    const uint64_t before =
        std::max(known ? found->second.by.hlc : 0, spaces_.cleared(entry.value->name.space));
    KITH_TRY(entry.by.hlc, stamp(now, before));
    entry.by.node = self_;
    entry.keep_until_ms = std::max(entry.expires_ms, known ? found->second.keep_until_ms : 0);
    // Itself, when it is removed by one who does not know it; or what it replaces.
    if (!expires || (known && found->second.is_without_end()))
      entry.keep_until_ms = std::max(entry.keep_until_ms, unix_ms(now + kCacheKeepRemoved));
    op = originate(CacheOp::set, key, entry.by.hlc);
    op.expires_ms = entry.keep_until_ms;
    op.payload = cache_set_payload(entry);
    merge_locked(home, key, std::move(entry));
  }
  make_room();
  return op;
}

Result<Op> CacheTable::remove(const Key& key, WallTime now) {
  Op op;
  {
    Shard& home = shard(key);
    std::lock_guard lock(home.mutex);
    auto found = find(home, key);
    const bool known = found != home.entries.end();
    CacheEntry entry;
    KITH_TRY(entry.by.hlc, stamp(now, known ? found->second.by.hlc : 0));
    entry.by.node = self_;
    entry.keep_until_ms = known ? found->second.keep_until_ms : unix_ms(now);
    // It was kept for a day from its writing; of what never ends by age the day begins with the removal. What
    // is not known here may be such a write.
    if (!known || found->second.is_without_end())
      entry.keep_until_ms = std::max(entry.keep_until_ms, unix_ms(now + kCacheKeepRemoved));
    op = originate(CacheOp::remove, key, entry.by.hlc);
    op.expires_ms = entry.keep_until_ms;
    merge_locked(home, key, std::move(entry));
  }
  make_room();
  return op;
}

Result<Op> CacheTable::clear(std::string_view space, WallTime now) {
  KITH_TRY(const uint64_t hlc, stamp(now, std::max(spaces_.cleared(space), spaces_.newest(space))));
  const CacheClear clear{std::string(space), hlc};
  merge(clear);
  Op op = originate(CacheOp::clear, clear.key(), clear.hlc);
  Writer(op.payload).string(space);
  return op;
}

Merged CacheTable::apply(const Op& op, WallTime now) {
  if (op.store != StoreId::cache) return refuse();
  if (auto clear = cache_clear_of(op)) {
    observe(op.hlc, now);
    return merge(*clear);
  }
  std::optional<CacheEntry> change = cache_entry_of(op);
  if (!change) return refuse();
  observe(op.hlc, now);
  return merge(op.key, std::move(*change), now);
}

Merged CacheTable::apply(const StateEntry& state, WallTime now) {
  if (state.store != StoreId::cache) return refuse();
  if (auto clear = CacheClear::decode(state.key, state.state)) {
    observe(clear->hlc, now);
    return merge(*clear);
  }
  std::optional<CacheEntry> change = CacheEntry::decode(state.key, state.state);
  if (!change) return refuse();
  observe(change->by.hlc, now);
  return merge(state.key, std::move(*change), now);
}

Merged CacheTable::merge(const Key& key, CacheEntry&& change, WallTime now) {
  Merged result;
  {
    Shard& home = shard(key);
    std::lock_guard lock(home.mutex);
    if (change.can_go(now) && !home.entries.contains(key)) return Merged::nothing;
    if (change.value && change.by.hlc <= spaces_.cleared(change.value->name.space)) return Merged::nothing;
    result = merge_locked(home, key, std::move(change));
  }
  make_room();
  return result;
}

Merged CacheTable::merge_locked(Shard& home, const Key& key, CacheEntry&& change) {
  find(home, key);  // not one that is hidden
  auto [found, fresh] = home.entries.try_emplace(key);
  CacheEntry& entry = found->second;
  const bool was_value = entry.value != nullptr;
  if (fresh) {
    ++home.added;
  } else {
    account(entry, -1);
  }
  const bool changed = entry.merge(std::move(change));
  account(entry, 1);
  if (fresh || was_value != (entry.value != nullptr)) enqueue(home, key, entry);
  return changed ? Merged::changed : Merged::nothing;
}

FlatMap<Key, CacheEntry>::iterator CacheTable::find(Shard& home, const Key& key) {
  auto found = home.entries.find(key);
  if (found == home.entries.end() || !hidden(found->second)) return found;
  account(found->second, -1);
  home.entries.erase(found);
  return home.entries.end();
}

// What comes from now on is refused by merge(). What is here is hidden, and erased by the sweep; nothing
// needs to be remembered of it.
Merged CacheTable::merge(const CacheClear& clear) {
  const CacheSpaces::Noted noted = spaces_.clear(clear);
  if (!noted.news) return Merged::nothing;
  {
    Shard& home = shard(clear.key());
    std::lock_guard lock(home.mutex);
    ++home.added;
  }
  if (noted.hides) unswept_.store(kShards, std::memory_order_release);
  if (spaces_.clears() > kMaxClears) forget_oldest_clear();
  return Merged::changed;
}

void CacheTable::forget_oldest_clear() {
  const CacheClear oldest = *spaces_.oldest();
  for (Shard& home : shards_) {
    if (unswept_ == 0 || spaces_.newest(oldest.space) == 0) break;  // it hides nothing
    std::lock_guard lock(home.mutex);
    for (auto at = home.entries.begin(); at != home.entries.end();) {
      auto here = at++;
      const CacheEntry& entry = here->second;
      if (!entry.value || entry.by.hlc > oldest.hlc || entry.value->name.space != oldest.space) continue;
      account(entry, -1);
      home.entries.erase(here);
    }
  }
  spaces_.forget(oldest);
}

void CacheTable::account(const CacheEntry& entry, int sign) {
  bytes_ += sign > 0 ? entry.bytes() : -entry.bytes();  // unsigned: also right when it shrinks
  entries_ += sign > 0 ? 1 : -1;
  if (entry.value) {
    spaces_.account(entry, sign);
  } else {
    removed_ += sign > 0 ? 1 : -1;
  }
}

// ---------------------------------------------------------------- room

void CacheTable::make_room() {
  drop_in_turns([this] { return removed_ * kCacheEntryBytes <= limits_.max_bytes / kRemovedShare; },
                &CacheTable::forget_from);
  drop_in_turns([this] { return bytes_ <= limits_.max_bytes; }, &CacheTable::evict_from);
}

// So that all shards give alike; a shard that has nothing is passed by.
void CacheTable::drop_in_turns(const std::function<bool()>& enough, bool (CacheTable::*drop_from)(Shard&)) {
  size_t idle = 0;
  while (!enough() && idle < kShards) {
    Shard& home = shards_[next_eviction_++ % kShards];
    std::lock_guard lock(home.mutex);
    idle = (this->*drop_from)(home) ? 0 : idle + 1;
  }
}

FlatMap<Key, CacheEntry>::iterator CacheTable::find(Shard& home, const Place& place) {
  auto found = home.entries.find(place.key);
  return found == home.entries.end() || found->second.place == place.number ? found : home.entries.end();
}

void CacheTable::enqueue(Shard& home, const Key& key, CacheEntry& entry) {
  std::deque<Place>& queue = entry.value ? home.values : home.removed;
  entry.place = ++home.places;
  queue.push_back({key, entry.place});
  if (queue.size() > 2 * home.entries.size() + 64)
    std::erase_if(queue, [&](const Place& place) { return find(home, place) == home.entries.end(); });
}

bool CacheTable::evict_from(Shard& home) {
  for (size_t left = home.values.size(); left > 0; --left) {
    const Place place = home.values.front();
    home.values.pop_front();
    auto found = find(home, place);
    if (found == home.entries.end()) continue;
    const bool ended = hidden(found->second);
    if (std::exchange(found->second.used, false) && !ended &&
        left > 1) {  // all were used: one goes all the same
      home.values.push_back(place);
      continue;
    }
    account(found->second, -1);
    home.entries.erase(found);
    if (!ended) ++evicted_;
    return true;
  }
  return false;
}

bool CacheTable::forget_from(Shard& home) {
  while (!home.removed.empty()) {
    auto found = find(home, home.removed.front());
    home.removed.pop_front();
    if (found == home.entries.end()) continue;
    account(found->second, -1);
    home.entries.erase(found);
    ++forgotten_;
    return true;
  }
  return false;
}

size_t CacheTable::sweep(WallTime now, size_t shards) {
  size_t freed = 0;
  for (size_t i = 0; i < shards; ++i) {
    const size_t number = next_sweep_++ % kShards;
    {
      std::lock_guard lock(shards_[number].mutex);
      freed += sweep_locked(shards_[number], now);
    }
    if (unswept_ > 0 && --unswept_ == 0) spaces_.settled();
    // What is older than a clear that is forgotten does not come any more, as of removals.
    const WallTime then = now - kCacheKeepRemoved - kTombstoneGrace;
    if (number == 0 && unswept_ == 0 && unix_ms(then) > 0) spaces_.forget_up_to(replication::hlc_from(then));
  }
  expired_ += freed;
  make_room();  // what was freed left tombstones
  return freed;
}

size_t CacheTable::sweep_locked(Shard& home, WallTime now) {
  size_t freed = 0;
  for (auto at = home.entries.begin(); at != home.entries.end();) {
    auto here = at++;
    CacheEntry& entry = here->second;
    if (hidden(entry)) {
      account(entry, -1);
      home.entries.erase(here);
      continue;
    }
    if (entry.value && !entry.live(now)) {
      account(entry, -1);
      entry.value = nullptr;
      account(entry, 1);
      enqueue(home, here->first, entry);
      ++freed;
    }
    if (!entry.can_go(now)) continue;
    account(entry, -1);
    home.entries.erase(here);
  }
  return freed;
}

// ---------------------------------------------------------------- reading all

void CacheTable::visit(size_t shard, std::string_view space, WallTime now,
                       const std::function<void(const CacheValue&)>& seen) const {
  const Shard& home = shards_.at(shard);
  const uint64_t cleared = spaces_.cleared(space);
  std::lock_guard lock(home.mutex);
  for (const auto& [key, entry] : home.entries)
    if (entry.live(now) && entry.by.hlc > cleared && entry.value->name.space == space) seen(*entry.value);
}

CacheTable::Count CacheTable::count(std::string_view space) const {
  if (auto known = spaces_.count(space)) return *known;
  const uint64_t cleared = spaces_.cleared(space);
  Count count;
  for (const Shard& home : shards_) {
    std::lock_guard lock(home.mutex);
    for (const auto& [key, entry] : home.entries) {
      if (!entry.value || entry.by.hlc <= cleared || entry.value->name.space != space) continue;
      ++count.entries;
      if (entry.expires_ms != 0) ++count.expiring;
    }
  }
  return count;
}

bool CacheTable::next(SnapshotCursor& cursor, size_t max_bytes, std::vector<StateEntry>& out) {
  if (cursor.store != StoreId::cache) cursor = SnapshotCursor{StoreId::cache, Key{}, false};
  size_t bytes = 0;
  // In the order of (shard, key).
  const size_t first = cursor.begun ? shard_of(cursor.after) : 0;
  for (size_t at = first; at < kShards; ++at) {
    Shard& home = shards_[at];
    std::lock_guard lock(home.mutex);
    const auto clears = spaces_.find_if([at](const Key& key) { return shard_of(key) == at; });
    const std::vector<Key>& keys = sorted_.of(at, home.added, [&] {
      std::vector<Key> all;
      all.reserve(home.entries.size() + clears.size());
      for (const auto& [key, entry] : home.entries) all.push_back(key);
      for (const auto& [key, clear] : clears) all.push_back(key);
      return all;
    });
    auto next =
        cursor.begun && at == first ? std::upper_bound(keys.begin(), keys.end(), cursor.after) : keys.begin();
    for (; next != keys.end(); ++next) {
      auto clear = clears.find(*next);
      auto entry = home.entries.find(*next);
      const bool gone = entry == home.entries.end() || hidden(entry->second);
      if (clear == clears.end() && gone) continue;
      Bytes state = clear != clears.end() ? encoded(clear->second) : encoded(entry->second);
      bytes += Key::kSize + state.size();
      if (bytes > max_bytes && !out.empty()) return true;
      out.push_back(StateEntry{StoreId::cache, *next, std::move(state)});
      cursor.after = *next;
      cursor.begun = true;
    }
  }
  return false;
}

std::optional<Bytes> CacheTable::state_of(StoreId store, const Key& key) {
  if (store != StoreId::cache) return std::nullopt;
  {
    Shard& home = shard(key);
    std::lock_guard lock(home.mutex);
    auto found = home.entries.find(key);
    if (found != home.entries.end() && !hidden(found->second)) return encoded(found->second);
  }
  const auto clear = spaces_.find(key);
  if (!clear) return std::nullopt;
  return encoded(*clear);
}

uint64_t CacheTable::content_hash(WallTime now) const {
  uint64_t sum = 0;  // of the entries' hashes: independent of their order
  for (const Shard& home : shards_) {
    std::lock_guard lock(home.mutex);
    for (const auto& [key, entry] : home.entries) {
      if (!entry.live(now) || hidden(entry)) continue;
      Bytes state;
      Writer writer(state);
      entry.encode(writer, false);
      const crypto::Digest digest = crypto::sha256({key.view(), state});
      sum += Reader(digest).u64();
    }
  }
  return sum;
}

Result<uint64_t> CacheTable::stamp(WallTime now, uint64_t above) {
  uint64_t hlc = above + 1;
  if (is_stamp(hlc)) {
    std::lock_guard lock(clock_mutex_);
    hlc = std::max(hlc, clock_.tick(now));
  }
  if (!is_stamp(hlc))
    return Error(Code::limit,
                 "a clock that was far ahead has written here, and no write can come after that");
  return hlc;
}

void CacheTable::observe(uint64_t hlc, WallTime now) {
  std::lock_guard lock(clock_mutex_);
  if (!clock_.observe(hlc, now)) ++far_ahead_;
}

Merged CacheTable::refuse() {
  ++refused_;
  return Merged::refused;
}

}  // namespace kith::store
