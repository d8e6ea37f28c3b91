// The entry of one session as a lattice, and the bytes of its ops and states
// (docs/formats/replication.md).
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/codec.h"
#include "base/node.h"
#include "base/time.h"
#include "replication/hlc.h"
#include "replication/op.h"
#include "store/flat_map.h"

namespace kith::store {

using Key = replication::Key;

// What a reader gets; immutable, so that it is handed out without a copy.
struct SessionRecord {
  Bytes body;  // opaque, at most kMaxSessionBody
  WallTime created;
  WallTime expires;    // absolute, immutable after creation
  WallTime last_seen;  // exact to touch_quantum
  // Whose session it is, at most kMaxScopes, ascending: a mark (marks.h) on one of them ends it.
  std::vector<Key> scopes{};
};

inline constexpr size_t kMaxSessionBody = 64 << 10;
inline constexpr size_t kMaxScopes = 16;
static_assert(kMaxSessionBody + kMaxScopes * Key::kSize + 128 <= replication::kMaxPayload);

// Why a session was ended; what is said of it to people, and never what decides. Values of later versions are
// kept.
enum class EndReason : uint8_t {
  unknown = 0,
  logout = 1,         // its user's wish, here or at the provider
  replaced = 2,       // by the session of a later login
  administrator = 3,  // one by one, or by a mark: the greatest, so that any other is told in its stead
};

// How old a last use must be for the next one to be noted: in between, last_seen lags. In the unit of the
// record's times, whose differences may be too long for nanoseconds.
constexpr std::chrono::milliseconds touch_quantum(Duration idle_timeout) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(idle_timeout / 20);
}
// Whether the session has ended by age or, unless idle_timeout is 0, by idleness. By as much as last_seen
// may lag the idle end is later: nobody is logged out early for our saving of writes.
bool has_expired(const SessionRecord& record, Duration idle_timeout, WallTime now);

enum class SessionOp : uint8_t { create = 1, update = 2, touch = 3, revoke = 4 };

// A stamp with its node, so that no two writes are equal.
struct Stamp {
  uint64_t hlc = 0;
  NodeId node;
  auto operator<=>(const Stamp&) const = default;
};

// The year 2262: up to there the difference of any two times fits a Duration. Times beyond, or before
// 1970, are refused in ops and states alike: what one way takes and the other does not would make nodes
// differ.
inline constexpr int64_t kMaxTimeMs = INT64_MAX / 1'000'000;
inline bool is_stamp(uint64_t hlc) { return hlc != 0 && replication::hlc_ms(hlc) <= kMaxTimeMs; }

// How much longer than its time what has ended is kept, for clocks that differ.
inline constexpr auto kTombstoneGrace = std::chrono::seconds(60);

// What an entry takes beside its body: key, entry, slot and the record's own header, about.
inline constexpr size_t kEntryBytes = 192;

struct SessionEntry {
  std::shared_ptr<const SessionRecord> record{};  // null when ended
  Stamp created_by{};                             // hlc 0 = creation not known
  Stamp body_by{};                                // hlc 0 = body not known
  int64_t keep_until_ms = 0;                      // greatest expiry seen
  bool ended = false;
  EndReason reason = EndReason::unknown;  // when ended; of several the least

  bool known() const { return created_by.hlc != 0 && body_by.hlc != 0; }
  // The join with another entry of the same key. True when this one changed.
  bool merge(SessionEntry&& other);
  size_t bytes() const;

  void end(EndReason why);  // drops all but keep_until_ms
  // The whole entry, for snapshots and pulls; for content hashes without keep_until_ms and reason, which
  // decide nothing.
  void encode(Writer& out, bool whole = true) const;
  static std::optional<SessionEntry> decode(ByteView state);
};

// The op as the entry it is to be merged as; nullopt when malformed or of an unknown kind.
std::optional<SessionEntry> entry_of(const replication::Op& op);
Bytes create_payload(const SessionRecord& record);
Bytes update_payload(ByteView body);
Bytes touch_payload(WallTime last_seen);
Bytes revoke_payload(EndReason reason);

}  // namespace kith::store
