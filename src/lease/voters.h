// Who votes for the leader, and how that changes.
//
// Problem: a majority means something only when all agree of whom. Idea: the voters are one agreed value.
// Its first form is made by whoever founds the cluster's lineage; every later form by a leader, one voter
// more or less at a time, so that any majority of the old form meets any majority of the new one (Ongaro,
// "Consensus: Bridging Theory and Practice", section 4.1). A leader stamps the voters with its own epoch
// before it changes them, and nobody goes back from a later form to an earlier one.
#pragma once

#include <string>
#include <vector>

#include "base/codec.h"
#include "base/node.h"

namespace kith::lease {

inline constexpr size_t kMaxVoters = 7;
inline constexpr size_t kMaxVotersInChange = kMaxVoters + 1;

// Two clusters that were founded apart have two lineages. When they meet the older one holds.
struct Lineage {
  uint64_t founded_ms = 0;
  uint64_t nonce = 0;  // random: two that were founded in the same millisecond
  auto operator<=>(const Lineage&) const = default;
};

struct Voters {
  Lineage lineage;
  uint64_t epoch = 0;         // of the leader that made this form; 0: the founder's
  uint32_t version = 0;       // of this leader's forms
  std::vector<NodeId> nodes;  // ascending; 1 to kMaxVotersInChange

  bool operator==(const Voters&) const = default;
  bool contains(const NodeId& node) const;
  size_t majority() const { return nodes.size() / 2 + 1; }
  // Whether this form takes the place of the other.
  bool supersedes(const Voters& other) const;

  void write(Writer& out) const;
  static Voters read(Reader& in);  // in.ok() tells whether it was well-formed
};

// A member, as far as it matters here.
struct Candidate {
  NodeId id;
  std::string zone;
  bool ready = true;  // may be made a voter, and lead
  bool operator==(const Candidate&) const = default;
};

// Whom the leader would have vote: an odd number, at most kMaxVoters, spread over zones, the present ones
// rather than others. absent: present voters that are missing for long; they make room for others, but
// fewer than three voters are not left for want of others. quorum: with one that is asked for, everybody
// votes who may, since more voters make it easier to reach.
std::vector<NodeId> ideal_voters(const NodeId& leader, const Voters& present,
                                 const std::vector<Candidate>& live, const std::vector<NodeId>& absent,
                                 size_t quorum = 1);

// One voter more or less, towards the ideal; additions first. The same nodes when there is nothing to do.
std::vector<NodeId> next_voters(const Voters& present, const std::vector<NodeId>& ideal);

}  // namespace kith::lease
