// Where sessions live, as the gateway sees it: one interface, two stores (local, cluster), one
// conformance suite. Keys are SHA-256 of the session id; the id itself never comes here.
//
// Calls come from any worker loop; the tasks run on, and complete on, the loop that is passed in.
#pragma once

#include <memory>
#include <optional>

#include "base/node.h"
#include "base/result.h"
#include "base/time.h"
#include "cluster/ack_level.h"
#include "cluster/session_watch.h"
#include "runtime/ports.h"
#include "store/session_table.h"

namespace kith::cluster {

using SessionKey = store::Key;
using SessionRecord = store::SessionRecord;  // body: opaque to the stores, at most store::kMaxSessionBody
using SessionState = store::SessionState;    // ended: revoked or expired here
using SessionLookup = store::SessionView;
using SessionListing = store::SessionTable::Listing;
using store::EndReason;

// A write that was accepted. at_level is false when the acknowledgement level was not reached before
// the deadline: the write stands and goes on spreading, but the caller should know.
struct SessionWrite {
  Dot position;  // zero for the local store
  bool at_level = true;
};

// The outcome of waiting for a position.
struct CatchUp {
  enum class Kind : uint8_t {
    here,       // this node's answer is now at least as new as the position
    elsewhere,  // not here in time; `node` is a live member that has it
    lost,       // no reachable member has it
  };
  Kind kind = Kind::lost;
  NodeId node;
};

class SessionStore {
 public:
  virtual ~SessionStore() = default;

  // What this node knows. Never waits.
  virtual SessionLookup get(const SessionKey& key, WallTime now) = 0;
  // Whether everything up to the position was applied here. True for the zero position.
  virtual bool covers(const Dot& position) = 0;
  // Waits up to `wait` for a write in flight; then, with pull, fetches the key's state from its
  // origin or another member that has it, until the deadline.
  virtual runtime::Task<CatchUp> catch_up(runtime::Loop& here, SessionKey key, Dot position, Duration wait,
                                          bool pull, MonoTime deadline) = 0;

  // Fails with limit (record or store full), conflict (the key exists), unavailable (draining).
  virtual runtime::Task<Result<SessionWrite>> create(runtime::Loop& here, SessionKey key,
                                                     SessionRecord record, AckLevel level,
                                                     MonoTime deadline) = 0;
  // Replaces the body. not_found when the session is not live here.
  virtual runtime::Task<Result<SessionWrite>> update(runtime::Loop& here, SessionKey key, Bytes body,
                                                     AckLevel level, MonoTime deadline) = 0;
  // Terminal: the key never becomes live again, in whatever order writes arrive. Also for keys that
  // are not known here (yet), until `expires_hint`.
  virtual runtime::Task<Result<SessionWrite>> revoke(runtime::Loop& here, SessionKey key, EndReason reason,
                                                     WallTime expires_hint, AckLevel level,
                                                     MonoTime deadline) = 0;
  // Ends all sessions that were created before with this scope among theirs, also those that are not known
  // here (yet): store/marks.h. keep_until: when the last of them expires, or later.
  virtual runtime::Task<Result<SessionWrite>> mark(runtime::Loop& here, store::Key scope, WallTime keep_until,
                                                   AckLevel level, MonoTime deadline) = 0;
  // Notes activity; cheap, returns at once, replicated only when it moved by a quantum.
  virtual void touch(const SessionKey& key, WallTime now) = 0;

  virtual size_t size() const = 0;
  // All that is held, ended ones too, in kParts parts: part by part it does not keep others waiting.
  static constexpr size_t kParts = store::SessionTable::kShards;
  virtual std::vector<SessionListing> list(size_t part, WallTime now) = 0;

  // Tells when a session is revoked, here or on another node. Not of expiry: the record says when.
  SessionWatches& watches() { return watches_; }

 private:
  SessionWatches watches_;
};

// Bounded by count; the least recently used session is dropped when full.
std::unique_ptr<SessionStore> make_local_session_store(size_t capacity, Duration idle_timeout);

}  // namespace kith::cluster
