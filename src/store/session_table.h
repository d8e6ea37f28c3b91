// The replicated session state of one node.
//
// Problem: writes about one session come from several nodes, in any order, some of them twice, some
// before the session itself is known; all nodes must end with the same content, and a revoked
// session must never live again.
// Idea: an entry is a product of small lattices, and every op is a merge into it:
//   created   the creation with the lowest (hlc, node): fixes created and the absolute expiry
//   body      the body with the highest (hlc, node)
//   last seen the maximum, quantised to idle timeout / 20
//   ended     true wins; body and all else are then dropped, the tombstone stays
//   kept      until the maximum of all expiries seen, + 60 s
// So an entry may be known in part (a touch before the creation); such a session is `unknown`.
// After its expiry an entry vanishes on every node without agreement, and late ops about it are
// ignored. An idle session keeps its memory until the absolute expiry, because a touch from the other
// side of a split may still come.
//
// What a mark covers (marks.h) is ended too, without a write of its own.
//
// Thread-safe: 256 shards by the first byte of the key, one mutex each; no call holds two.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/node.h"
#include "base/result.h"
#include "base/time.h"
#include "replication/core.h"
#include "replication/hlc.h"
#include "replication/op.h"
#include "store/marks.h"
#include "store/session_state.h"
#include "store/sorted_keys.h"

namespace kith::store {

struct SessionLimits {
  size_t max_entries = 2'000'000;
  size_t max_bytes = size_t{1} << 30;  // as bytes() counts
  Duration idle_timeout{0};            // 0 = sessions do not expire by idleness
};

enum class SessionState : uint8_t { unknown, live, ended };  // ended: revoked or expired

struct SessionView {
  SessionState state = SessionState::unknown;
  std::shared_ptr<const SessionRecord> record{};  // when live
  EndReason reason = EndReason::unknown;          // when ended: why ...
  bool expired = false;                           // ... if not for its age
};

// What a merge did.
enum class Merged : uint8_t {
  nothing,  // known already, or expired
  changed,
  ended,    // this made the session end here
  marked,   // this ended sessions of a scope
  refused,  // not understood: malformed, or of a kind that this version does not know
};

class SessionTable final : public replication::Source {
 public:
  SessionTable(const SessionLimits& limits, NodeId self) : limits_(limits), self_(self) {}

  SessionView get(const Key& key, WallTime now) const;
  // By a revocation or a mark, and not by its age.
  bool is_revoked(const Key& key, WallTime now) const;

  // The writes of this node: applied here, and returned as the op for replication::Core::append, to be
  // called before anything else is asked of the core; so call these on the core's thread. (A touch
  // may be appended a little later: at worst a copy made meanwhile knows of it first.)
  // Each fails with limit where it would exceed a limit of the table.
  //
  // conflict when the key is known; invalid for times out of range or too many scopes. The record's last_seen
  // counts as activity.
  Result<replication::Op> create(const Key& key, SessionRecord record, WallTime now);
  // not_found when the session is not live here.
  Result<replication::Op> update(const Key& key, Bytes body, WallTime now);
  // Also for unknown keys. Never fails for want of room. expires_hint bounds the tombstone's life when
  // the key is not known here, so it must not be before the session's own expiry.
  replication::Op revoke(const Key& key, EndReason reason, WallTime expires_hint, WallTime now);
  // Ends all sessions of the scope that were created before. Never fails. It is kept until keep_until, which
  // must not be before the last of them expires.
  replication::Op mark(const Key& scope, WallTime keep_until, WallTime now);
  // Nothing unless the session is live and was last seen a quantum ago or more.
  std::optional<replication::Op> touch(const Key& key, WallTime now);

  // The writes of others, in any order, any number of times. Limits do not apply (the origin enforced
  // its own); beyond them is counted in counters().over_limit.
  Merged apply(const replication::Op& op, WallTime now);
  Merged apply(const replication::StateEntry& entry, WallTime now);

  // replication::Source; next() on the core's thread
  bool next(replication::SnapshotCursor& cursor, size_t max_bytes,
            std::vector<replication::StateEntry>& out) override;
  std::optional<Bytes> state_of(replication::StoreId store, const Key& key) override;

  // Frees what has expired in the next `shards` shards, and makes tombstones of what marks have ended. Called
  // with the default a few times per second it visits all entries once a minute or so.
  size_t sweep(WallTime now, size_t shards = 1);

  size_t size() const { return entries_; }  // tombstones included, marks not
  size_t marks() const { return marks_.size(); }
  // What one of the kShards shards holds, in no order.
  struct Listing {
    Key key;
    SessionView view;
  };
  static constexpr size_t kShards = 256;
  std::vector<Listing> list(size_t shard, WallTime now) const;
  // Bodies, entries and marks, with an estimate of the bookkeeping.
  size_t bytes() const { return bytes_ + marks_.size() * kMarkBytes; }
  // Equal on two nodes that hold the same content; what is expired at `now` does not count.
  uint64_t content_hash(WallTime now) const;

  struct Counters {
    uint64_t over_limit = 0;  // replicated entries taken although full
    uint64_t refused = 0;     // Merged::refused
    uint64_t far_ahead = 0;   // ops stamped more than 60 s ahead of our wall clock
    uint64_t expired = 0;     // entries freed
  };
  Counters counters() const;

 private:
  struct Shard {
    mutable std::mutex mutex;
    FlatMap<Key, SessionEntry> entries;
    uint64_t added = 0;  // keys: SortedKeys
  };
  Shard& shard(const Key& key) { return shards_[key.bytes[0]]; }
  const Shard& shard(const Key& key) const { return shards_[key.bytes[0]]; }
  SessionView view_of(const SessionEntry& entry, WallTime now) const;
  bool is_marked(const SessionEntry& entry, WallTime now) const;
  WallTime last_stamped() const;
  Merged merge(const Key& key, SessionEntry&& change, WallTime now);
  Merged merge_mark(const Key& scope, const std::optional<Mark>& mark, WallTime now);
  Merged merge_locked(Shard& shard, const Key& key, SessionEntry&& change);
  bool full(size_t more_entries, size_t more_bytes) const;
  bool expired(const SessionEntry& entry, WallTime now) const;
  uint64_t stamp(WallTime now, uint64_t above = 0);
  void observe(uint64_t hlc, WallTime now);
  Merged refuse();
  void note_creation(uint64_t hlc);
  bool next_session(replication::SnapshotCursor& cursor, size_t& bytes, size_t max_bytes,
                    std::vector<replication::StateEntry>& out);
  replication::Op originate(SessionOp kind, const Key& key, uint64_t hlc, int64_t expires_ms,
                            Bytes payload) const;

  const SessionLimits limits_;
  const NodeId self_;
  std::array<Shard, kShards> shards_;
  Marks marks_;
  SortedKeys sorted_;  // for next()
  std::atomic<size_t> entries_{0};
  std::atomic<size_t> bytes_{0};
  std::atomic<uint64_t> newest_creation_{0};  // the greatest stamp of any that was merged
  std::atomic<uint64_t> over_limit_{0}, refused_{0}, far_ahead_{0}, expired_{0};
  std::atomic<size_t> next_sweep_{0};
  mutable std::mutex clock_mutex_;
  replication::Hlc clock_;
};

}  // namespace kith::store
