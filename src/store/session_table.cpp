#include "store/session_table.h"

#include <algorithm>

#include "crypto/hash.h"

namespace kith::store {

using replication::Op;
using replication::SnapshotCursor;
using replication::StateEntry;
using replication::StoreId;

SessionView SessionTable::get(const Key& key, WallTime now) const {
  const Shard& home = shard(key);
  std::lock_guard lock(home.mutex);
  auto found = home.entries.find(key);
  if (found == home.entries.end()) return {};
  return view_of(found->second, now);
}

SessionView SessionTable::view_of(const SessionEntry& entry, WallTime now) const {
  if (entry.ended) return {.state = SessionState::ended, .reason = entry.reason};
  if (!entry.known()) return {};
  if (is_marked(entry, now)) return {.state = SessionState::ended, .reason = EndReason::administrator};
  if (has_expired(*entry.record, limits_.idle_timeout, now))
    return {.state = SessionState::ended, .expired = true};
  return {.state = SessionState::live, .record = entry.record};
}

bool SessionTable::is_marked(const SessionEntry& entry, WallTime now) const {
  if (entry.ended || entry.created_by.hlc == 0) return false;
  return marks_.latest(entry.record->scopes, now) >= entry.created_by.hlc;
}

bool SessionTable::is_revoked(const Key& key, WallTime now) const {
  const Shard& home = shard(key);
  std::lock_guard lock(home.mutex);
  auto found = home.entries.find(key);
  return found != home.entries.end() && (found->second.ended || is_marked(found->second, now));
}

Op SessionTable::originate(SessionOp kind, const Key& key, uint64_t hlc, int64_t expires_ms,
                           Bytes payload) const {
  Op op;
  op.dot.origin.node = self_;
  op.store = StoreId::session;
  op.kind = static_cast<uint8_t>(kind);
  op.key = key;
  op.hlc = hlc;
  op.expires_ms = expires_ms;
  op.payload = std::move(payload);
  return op;
}

Result<Op> SessionTable::create(const Key& key, SessionRecord record, WallTime now) {
  if (record.body.size() > kMaxSessionBody) return Error(Code::limit, "the session is larger than 64 KiB");
  if (unix_ms(record.created) < 0 || unix_ms(record.last_seen) < 0 || record.expires <= now ||
      unix_ms(std::max(record.expires, std::max(record.created, record.last_seen))) > kMaxTimeMs)
    return Error(Code::invalid, "the session's times are out of range");
  std::sort(record.scopes.begin(), record.scopes.end());
  record.scopes.erase(std::unique(record.scopes.begin(), record.scopes.end()), record.scopes.end());
  if (record.scopes.size() > kMaxScopes) return Error(Code::invalid, "the session has too many scopes");
  if (full(1, kEntryBytes + record.body.size() + record.scopes.size() * Key::kSize))
    return Error(Code::limit, "the session store is full");
  Shard& home = shard(key);
  std::lock_guard lock(home.mutex);
  auto found = home.entries.find(key);
  if (found != home.entries.end() && (found->second.ended || found->second.created_by.hlc != 0))
    return Error(Code::conflict, "the session exists already");
  // After the marks that are known here, also when the clock of who set them is ahead of ours.
  const uint64_t hlc = stamp(now, marks_.latest(record.scopes, now));
  Op op = originate(SessionOp::create, key, hlc, unix_ms(record.expires), create_payload(record));
  merge_locked(home, key, *entry_of(op));
  return op;
}

Result<Op> SessionTable::update(const Key& key, Bytes body, WallTime now) {
  if (body.size() > kMaxSessionBody) return Error(Code::limit, "the session is larger than 64 KiB");
  Shard& home = shard(key);
  std::lock_guard lock(home.mutex);
  auto found = home.entries.find(key);
  if (found == home.entries.end() || view_of(found->second, now).state != SessionState::live)
    return Error(Code::not_found, "the session is not live");
  const SessionEntry& entry = found->second;
  const size_t old_size = entry.record->body.size();
  if (body.size() > old_size && full(0, body.size() - old_size))
    return Error(Code::limit, "the session store is full");
  // Whoever wrote what we replace: our write comes after it, also when its clock is ahead of ours.
  Op op = originate(SessionOp::update, key, stamp(now, entry.body_by.hlc), unix_ms(entry.record->expires),
                    update_payload(body));
  merge_locked(home, key, *entry_of(op));
  return op;
}

Op SessionTable::revoke(const Key& key, EndReason reason, WallTime expires_hint, WallTime now) {
  Shard& home = shard(key);
  std::lock_guard lock(home.mutex);
  int64_t until = std::clamp<int64_t>(unix_ms(expires_hint), 0, kMaxTimeMs);
  auto found = home.entries.find(key);
  if (found != home.entries.end()) until = std::max(until, found->second.keep_until_ms);
  Op op = originate(SessionOp::revoke, key, stamp(now), until, revoke_payload(reason));
  merge_locked(home, key, *entry_of(op));
  return op;
}

Op SessionTable::mark(const Key& scope, WallTime keep_until, WallTime now) {
  Op op;
  op.dot.origin.node = self_;
  op.store = StoreId::mark;
  op.kind = static_cast<uint8_t>(MarkOp::set);
  op.key = scope;
  // After all that is known here, and after what clocks that are fast make meanwhile. What is known from a
  // clock further ahead than a mark may be is not followed.
  const uint64_t most = replication::hlc_from(now + kMaxMarkAhead) - 1;
  op.hlc = std::max(stamp(now, std::min(newest_creation_.load(), most)),
                    replication::hlc_from(now + replication::kMaxAhead));
  op.expires_ms = std::clamp<int64_t>(unix_ms(keep_until), 0, kMaxTimeMs);
  marks_.merge(scope, *mark_of(op));
  return op;
}

void SessionTable::note_creation(uint64_t hlc) {
  uint64_t newest = newest_creation_.load();
  while (hlc > newest && !newest_creation_.compare_exchange_weak(newest, hlc)) {
  }
}

std::optional<Op> SessionTable::touch(const Key& key, WallTime now) {
  Shard& home = shard(key);
  std::lock_guard lock(home.mutex);
  auto found = home.entries.find(key);
  if (found == home.entries.end() || limits_.idle_timeout == Duration{0}) return std::nullopt;
  const SessionView view = view_of(found->second, now);
  if (view.state != SessionState::live || now - view.record->last_seen < touch_quantum(limits_.idle_timeout))
    return std::nullopt;
  Op op = originate(SessionOp::touch, key, stamp(now), unix_ms(view.record->expires), touch_payload(now));
  merge_locked(home, key, *entry_of(op));
  return op;
}

Merged SessionTable::apply(const Op& op, WallTime now) {
  if (op.store == StoreId::mark) return merge_mark(op.key, mark_of(op), now);
  if (op.store != StoreId::session) return refuse();
  std::optional<SessionEntry> change = entry_of(op);
  if (!change) return refuse();
  observe(op.hlc, now);
  return merge(op.key, std::move(*change), now);
}

Merged SessionTable::apply(const StateEntry& state, WallTime now) {
  if (state.store == StoreId::mark) return merge_mark(state.key, Mark::decode(state.state), now);
  if (state.store != StoreId::session) return refuse();
  std::optional<SessionEntry> change = SessionEntry::decode(state.state);
  if (!change) return refuse();
  observe(std::max(change->created_by.hlc, change->body_by.hlc), now);
  return merge(state.key, std::move(*change), now);
}

Merged SessionTable::merge_mark(const Key& scope, const std::optional<Mark>& mark, WallTime now) {
  if (!mark) return refuse();
  if (unix_ms(now - kTombstoneGrace) >= mark->keep_until_ms) return Merged::nothing;
  if (!marks_.merge(scope, *mark)) return Merged::nothing;
  if (full(0, 0)) ++over_limit_;
  return Merged::marked;
}

Merged SessionTable::merge(const Key& key, SessionEntry&& change, WallTime now) {
  if (expired(change, now)) return Merged::nothing;
  Shard& home = shard(key);
  std::lock_guard lock(home.mutex);
  const Merged result = merge_locked(home, key, std::move(change));
  if (result != Merged::nothing && full(0, 0)) ++over_limit_;
  return result;
}

Merged SessionTable::merge_locked(Shard& home, const Key& key, SessionEntry&& change) {
  auto [found, fresh] = home.entries.try_emplace(key);
  SessionEntry& entry = found->second;
  const bool was_ended = entry.ended;
  const size_t before = fresh ? 0 : entry.bytes();
  note_creation(change.created_by.hlc);
  const bool changed = entry.merge(std::move(change));
  if (fresh) {
    ++entries_;
    ++home.added;
  }
  bytes_ += entry.bytes() - before;  // unsigned: also right when it shrank
  if (entry.ended && !was_ended) return Merged::ended;
  return changed ? Merged::changed : Merged::nothing;
}

bool SessionTable::next(SnapshotCursor& cursor, size_t max_bytes, std::vector<StateEntry>& out) {
  // Marks first: what they end is never taken for live.
  if (cursor.store == StoreId{0}) cursor = SnapshotCursor{StoreId::mark, Key{}, false};
  size_t bytes = 0;
  if (cursor.store == StoreId::mark) {
    if (marks_.next(cursor, bytes, max_bytes, out)) return true;
    cursor = SnapshotCursor{StoreId::session, Key{}, false};
  }
  return cursor.store == StoreId::session && next_session(cursor, bytes, max_bytes, out);
}

bool SessionTable::next_session(SnapshotCursor& cursor, size_t& bytes, size_t max_bytes,
                                std::vector<StateEntry>& out) {
  for (size_t at = cursor.after.bytes[0]; at < shards_.size(); ++at) {
    Shard& home = shards_[at];
    std::lock_guard lock(home.mutex);
    const std::vector<Key>& keys = sorted_.of(at, home.added, [&home] {
      std::vector<Key> all;
      all.reserve(home.entries.size());
      for (const auto& [key, entry] : home.entries) all.push_back(key);
      return all;
    });
    auto next = cursor.begun ? std::upper_bound(keys.begin(), keys.end(), cursor.after) : keys.begin();
    for (; next != keys.end(); ++next) {
      auto entry = home.entries.find(*next);
      if (entry == home.entries.end()) continue;
      Bytes state;
      Writer writer(state);
      entry->second.encode(writer);
      bytes += Key::kSize + state.size();
      if (bytes > max_bytes && !out.empty()) return true;
      out.push_back(StateEntry{StoreId::session, *next, std::move(state)});
      cursor.after = *next;
      cursor.begun = true;
    }
  }
  return false;
}

std::optional<Bytes> SessionTable::state_of(StoreId store, const Key& key) {
  if (store == StoreId::mark) return marks_.state_of(key);
  if (store != StoreId::session) return std::nullopt;
  Shard& home = shard(key);
  std::lock_guard lock(home.mutex);
  auto found = home.entries.find(key);
  if (found == home.entries.end()) return std::nullopt;
  // Who asks may not know the mark yet.
  SessionEntry entry = found->second;
  if (is_marked(entry, last_stamped())) entry.end(EndReason::administrator);
  Bytes state;
  Writer writer(state);
  entry.encode(writer);
  return state;
}

WallTime SessionTable::last_stamped() const {
  std::lock_guard lock(clock_mutex_);
  return from_unix_ms(replication::hlc_ms(clock_.last()));
}

std::vector<SessionTable::Listing> SessionTable::list(size_t shard, WallTime now) const {
  const Shard& home = shards_.at(shard);
  std::vector<Listing> out;
  std::lock_guard lock(home.mutex);
  out.reserve(home.entries.size());
  for (const auto& [key, entry] : home.entries) out.push_back({key, view_of(entry, now)});
  return out;
}

size_t SessionTable::sweep(WallTime now, size_t shards) {
  size_t freed = 0;
  for (size_t i = 0; i < shards; ++i) {
    const size_t number = next_sweep_++ % shards_.size();
    if (number == 0) marks_.sweep(now);
    Shard& home = shards_[number];
    std::lock_guard lock(home.mutex);
    for (auto at = home.entries.begin(); at != home.entries.end();) {
      auto here = at++;
      if (is_marked(here->second, now)) {
        bytes_ -= here->second.bytes();
        here->second.end(EndReason::administrator);
        bytes_ += here->second.bytes();
      }
      if (!expired(here->second, now)) continue;
      bytes_ -= here->second.bytes();
      --entries_;
      ++freed;
      home.entries.erase(here);
    }
  }
  expired_ += freed;
  return freed;
}

uint64_t SessionTable::content_hash(WallTime now) const {
  uint64_t sum = marks_.content_hash(now);  // of the entries' hashes: independent of their order
  for (const Shard& home : shards_) {
    std::lock_guard lock(home.mutex);
    for (const auto& [key, entry] : home.entries) {
      if (entry.keep_until_ms <= unix_ms(now)) continue;
      Bytes state;
      Writer writer(state);
      SessionEntry held = entry;
      if (is_marked(held, now)) held.end(EndReason::administrator);
      held.encode(writer, false);
      const crypto::Digest digest = crypto::sha256({key.view(), state});
      sum += Reader(digest).u64();
    }
  }
  return sum;
}

SessionTable::Counters SessionTable::counters() const {
  return {over_limit_, refused_, far_ahead_, expired_};
}

bool SessionTable::full(size_t more_entries, size_t more_bytes) const {
  return entries_ + more_entries > limits_.max_entries || bytes() + more_bytes > limits_.max_bytes;
}

bool SessionTable::expired(const SessionEntry& entry, WallTime now) const {
  return unix_ms(now - kTombstoneGrace) >= entry.keep_until_ms;
}

uint64_t SessionTable::stamp(WallTime now, uint64_t above) {
  std::lock_guard lock(clock_mutex_);
  return std::max(clock_.tick(now), above + 1);
}

void SessionTable::observe(uint64_t hlc, WallTime now) {
  std::lock_guard lock(clock_mutex_);
  if (!clock_.observe(hlc, now)) ++far_ahead_;
}

Merged SessionTable::refuse() {
  ++refused_;
  return Merged::refused;
}

}  // namespace kith::store
