// Sessions of one process: a map and the order of last use. Bounded by count; when full, the session
// that was not used for the longest time is dropped, which its user sees as a new login.
#include <algorithm>
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
    if (!entry) return {};
    if (!live(*entry, now)) return {SessionState::ended, nullptr};
    return {SessionState::live, entry->record};
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
    if (index_.contains(key)) co_return Error(Code::conflict, "the session exists already");
    insert(key).record = std::make_shared<const SessionRecord>(std::move(record));
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
  runtime::Task<Result<SessionWrite>> revoke(runtime::Loop&, SessionKey key, WallTime, AckLevel,
                                             MonoTime) override {
    {
      std::lock_guard lock(mutex_);
      Entry* entry = find(key);
      if (!entry) entry = &insert(key);
      entry->record = nullptr;
    }
    watches().ended(key);
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
    return index_.size();
  }

 private:
  struct Entry {
    SessionKey key;
    std::shared_ptr<const SessionRecord> record;  // null when revoked
  };

  // The entry, now the most recently used.
  Entry* find(const SessionKey& key) {
    auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    by_use_.splice(by_use_.begin(), by_use_, found->second);
    return &by_use_.front();
  }
  Entry& insert(const SessionKey& key) {
    if (index_.size() >= capacity_) {
      index_.erase(by_use_.back().key);
      by_use_.pop_back();
    }
    by_use_.push_front(Entry{key, nullptr});
    index_.emplace(key, by_use_.begin());
    return by_use_.front();
  }
  bool live(const Entry& entry, WallTime now) const {
    return entry.record && !store::has_expired(*entry.record, idle_timeout_, now);
  }

  const size_t capacity_;
  const Duration idle_timeout_;
  mutable std::mutex mutex_;
  std::list<Entry> by_use_;  // the most recently used first
  std::unordered_map<SessionKey, std::list<Entry>::iterator, IdHash> index_;
};

}  // namespace

std::unique_ptr<SessionStore> make_local_session_store(size_t capacity, Duration idle_timeout) {
  return std::make_unique<LocalSessionStore>(capacity, idle_timeout);
}

}  // namespace kith::cluster
