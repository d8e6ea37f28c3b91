// Sessions of one process: a map and the order of last use. Bounded by count; when full, the session
// that was not used for the longest time is dropped, which its user sees as a new login.
#include <algorithm>
#include <array>
#include <list>
#include <mutex>
#include <unordered_map>

#include "cluster/session_store.h"

namespace kith::cluster {
namespace {

class LocalSessionStore final : public SessionStore {
 public:
  LocalSessionStore(size_t capacity, Duration idle_timeout)
      : capacity_(std::max<size_t>(capacity, 1)), idle_timeout_(idle_timeout) {}

  SessionLookup get(const SessionKey& key, WallTime now) override {
    std::lock_guard lock(mutex_);
    Entry* entry = find(key);
    return entry == nullptr ? SessionLookup{} : view_of(*entry, now);
  }

  bool covers(const Dot& position) override { return position.seq == 0; }

  runtime::Task<CatchUp> catch_up(runtime::Loop&, SessionKey, Dot position, Duration, bool,
                                  MonoTime) override {
    co_return CatchUp{covers(position) ? CatchUp::Kind::here : CatchUp::Kind::lost, NodeId{}};
  }

  runtime::Task<Result<SessionWrite>> create(runtime::Loop&, SessionKey key, SessionRecord record, AckLevel,
                                             MonoTime) override {
    if (record.body.size() > store::kMaxSessionBody)
      co_return Error(Code::limit, "the session is larger than 64 KiB");
    std::lock_guard lock(mutex_);
    if (part_of(key).contains(key)) co_return Error(Code::conflict, "the session exists already");
    Entry& entry = insert(key);
    entry.created = ++clock_;
    entry.record = std::make_shared<const SessionRecord>(std::move(record));
    co_return SessionWrite{};
  }

  runtime::Task<Result<SessionWrite>> update(runtime::Loop& here, SessionKey key, Bytes body, AckLevel,
                                             MonoTime) override {
    if (body.size() > store::kMaxSessionBody)
      co_return Error(Code::limit, "the session is larger than 64 KiB");
    std::lock_guard lock(mutex_);
    Entry* entry = find(key);
    if (!entry || !live(*entry, here.wall_now())) co_return Error(Code::not_found, "the session is not live");
    auto record = std::make_shared<SessionRecord>(*entry->record);
    record->body = std::move(body);
    entry->record = std::move(record);
    co_return SessionWrite{};
  }

  // The end is remembered as long as an entry that is in use: a key is random and never created twice,
  // so forgetting it does not bring the session back.
  runtime::Task<Result<SessionWrite>> revoke(runtime::Loop&, SessionKey key, EndReason reason, WallTime,
                                             AckLevel, MonoTime) override {
    {
      std::lock_guard lock(mutex_);
      Entry* entry = find(key);
      if (!entry) {
        entry = &insert(key);
        entry->reason = reason;
      }
      entry->reason = entry->record ? reason : std::min(entry->reason, reason);
      entry->record = nullptr;
    }
    watches().ended(key);
    co_return SessionWrite{};
  }

  runtime::Task<Result<SessionWrite>> mark(runtime::Loop& here, store::Key scope, WallTime keep_until,
                                           AckLevel, MonoTime) override {
    const WallTime now = here.wall_now();
    {
      std::lock_guard lock(mutex_);
      marks_.sweep(now);
      marks_.merge(scope, {++clock_, unix_ms(keep_until)});
    }
    watches().ended_if([&](const SessionKey& watched) { return is_revoked(watched, now); });
    co_return SessionWrite{};
  }

  void touch(const SessionKey& key, WallTime now) override {
    if (idle_timeout_ == Duration{0}) return;
    std::lock_guard lock(mutex_);
    Entry* entry = find(key);
    if (!entry || !live(*entry, now) || now - entry->record->last_seen < store::touch_quantum(idle_timeout_))
      return;
    auto record = std::make_shared<SessionRecord>(*entry->record);
    record->last_seen = now;
    entry->record = std::move(record);
  }

  size_t size() const override {
    std::lock_guard lock(mutex_);
    return by_use_.size();
  }

  std::vector<SessionListing> list(size_t part, WallTime now) override {
    std::vector<SessionListing> out;
    std::lock_guard lock(mutex_);
    for (const auto& [key, entry] : index_.at(part)) out.push_back({key, view_of(*entry, now)});
    return out;
  }

 private:
  struct Entry {
    SessionKey key;
    std::shared_ptr<const SessionRecord> record{};  // null when revoked
    uint64_t created = 0;                           // by clock_
    EndReason reason = EndReason::unknown;
  };

  // The entry, now the most recently used.
  Entry* find(const SessionKey& key) {
    auto& part = part_of(key);
    auto found = part.find(key);
    if (found == part.end()) return nullptr;
    by_use_.splice(by_use_.begin(), by_use_, found->second);
    return &by_use_.front();
  }
  Entry& insert(const SessionKey& key) {
    if (by_use_.size() >= capacity_) {
      part_of(by_use_.back().key).erase(by_use_.back().key);
      by_use_.pop_back();
    }
    by_use_.push_front(Entry{key});
    part_of(key).emplace(key, by_use_.begin());
    return by_use_.front();
  }
  SessionLookup view_of(const Entry& entry, WallTime now) const {
    if (!entry.record) return {.state = SessionState::ended, .reason = entry.reason};
    if (is_marked(entry, now)) return {.state = SessionState::ended, .reason = EndReason::administrator};
    if (store::has_expired(*entry.record, idle_timeout_, now))
      return {.state = SessionState::ended, .expired = true};
    return {.state = SessionState::live, .record = entry.record};
  }
  bool is_marked(const Entry& entry, WallTime now) const {
    return marks_.latest(entry.record->scopes, now) >= entry.created;
  }
  // To look is no use of it.
  bool is_revoked(const SessionKey& key, WallTime now) {
    std::lock_guard lock(mutex_);
    auto found = part_of(key).find(key);
    if (found == part_of(key).end()) return false;
    return !found->second->record || is_marked(*found->second, now);
  }
  bool live(const Entry& entry, WallTime now) const {
    return view_of(entry, now).state == SessionState::live;
  }

  const size_t capacity_;
  const Duration idle_timeout_;
  mutable std::mutex mutex_;
  uint64_t clock_ = 0;  // counts creations and marks
  store::Marks marks_;
  std::list<Entry> by_use_;  // the most recently used first
  using Part = std::unordered_map<SessionKey, std::list<Entry>::iterator, IdHash>;
  Part& part_of(const SessionKey& key) { return index_[key.bytes[0]]; }
  std::array<Part, kParts> index_;
};

}  // namespace

std::unique_ptr<SessionStore> make_local_session_store(size_t capacity, Duration idle_timeout) {
  return std::make_unique<LocalSessionStore>(capacity, idle_timeout);
}

}  // namespace kith::cluster
