// Marks: all sessions of a scope that were created before one are over, known or not.
//
// Problem: "log this user out everywhere" must also end the session that a node far away knows and we do
// not yet, and cost no write for each of a million sessions when it means everybody.
// Idea: a session names its scopes (its users; everybody is one to all), and a mark is a stamp on a scope. A
// creation whose stamp is not after the mark's is over. Stamps are of hybrid logical clocks: what whoever set
// the mark knew of comes before it, and a login made where the mark is known comes after it, whatever the
// clocks say. A mark is stamped a little ahead, so that it also ends what it does not know of from clocks
// that are fast; a login in that time where the mark is not known has to be repeated. A mark is never taken
// back; it goes when all that it could end has expired. One from a far future waits until it is near:
// else a member with a wrong clock, or a bad one, could lock everybody out.
//
// Thread-safe.
#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <shared_mutex>
#include <span>
#include <vector>

#include "base/time.h"
#include "replication/core.h"
#include "store/session_state.h"

namespace kith::store {

// The scope that every session is in.
const Key& everybody();

struct Mark {
  uint64_t hlc = 0;
  int64_t keep_until_ms = 0;

  void merge(const Mark& other);  // each field by itself, the greater
  Bytes encode() const;
  static std::optional<Mark> decode(ByteView state);
};

// A mark does not hold while its stamp is further ahead than this.
inline constexpr auto kMaxMarkAhead = std::chrono::hours(24);
// What a mark takes, about.
inline constexpr size_t kMarkBytes = 96;

enum class MarkOp : uint8_t { set = 1 };

// The op as the mark it is to be merged as; nullopt when malformed or of an unknown kind.
std::optional<Mark> mark_of(const replication::Op& op);

class Marks {
 public:
  // True when it ends something that the marks before did not.
  bool merge(const Key& scope, const Mark& mark);
  // The latest stamp that holds now on any of these scopes or on everybody; 0: none.
  uint64_t latest(std::span<const Key> scopes, WallTime now) const;

  // As replication::Source has it, of this store; adds what it appended to `bytes`.
  bool next(replication::SnapshotCursor& cursor, size_t& bytes, size_t max_bytes,
            std::vector<replication::StateEntry>& out) const;
  std::optional<Bytes> state_of(const Key& scope) const;

  // Frees those that can end nothing any more.
  size_t sweep(WallTime now);
  size_t size() const { return count_.load(std::memory_order_relaxed); }
  // Of what is not expired, as SessionTable::content_hash.
  uint64_t content_hash(WallTime now) const;

 private:
  mutable std::shared_mutex mutex_;
  std::map<Key, Mark> marks_;
  std::atomic<size_t> count_{0};  // there are seldom any, and then nobody takes the lock
};

}  // namespace kith::store
