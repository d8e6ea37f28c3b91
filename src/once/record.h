// What can be redeemed once, and the group of nodes that decides about it.
//
// Problem: a record must outlive the node that made it, and few nodes should have to agree about it.
// Idea: each record has a group of its own, the node that minted it and two deputies, in other zones where
// there are any. A member of a group is a replica, not a node: one that restarted has forgotten what it
// agreed to, so it is another replica and no member. Groups never change; the code names its group.
// Source: Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (1998), for the choice.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/node.h"
#include "base/time.h"

namespace kith::once {

using RecordId = Id<32, struct RecordTag>;  // a hash of the code (code.h), never the code itself
// A hash of what shows that a client is the same one: its PKCE verifier, the key of its DPoP proof, its
// name when it authenticated. Who knows nothing of its client hands in random bytes: no retry then.
using ProofHash = Id<32, struct ProofTag>;
using Fingerprint = Id<8, struct FingerprintTag>;  // of a replica, as a code names it

inline constexpr size_t kGroupSize = 3;
inline constexpr size_t kMaxPayload = 4 << 10;

struct Record {
  RecordId id;
  std::vector<Replica> group;  // the minting node first; kGroupSize, or that node alone
  WallTime expires;
  std::optional<ProofHash> required;  // the only proof that may redeem it; without: the first one that comes
  Bytes payload;                      // opaque, at most kMaxPayload

  bool operator==(const Record&) const = default;
  size_t majority() const { return group.size() / 2 + 1; }
  std::optional<size_t> place_of(const Replica& replica) const;
};

// A member of the cluster, as far as it matters here.
struct Member {
  Replica replica;
  std::string zone;
  bool ready = true;  // may be made a deputy
  bool operator==(const Member&) const = default;
};

Fingerprint fingerprint_of(const Replica& replica);

// Whom a new record is entrusted to: by its id, so that all members get their share. The minting node alone
// when there are not two others: a group of two would break more easily than one.
std::vector<Replica> choose_group(const RecordId& id, const Replica& minting,
                                  const std::vector<Member>& members);

}  // namespace kith::once
