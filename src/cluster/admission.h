// Who may have links with this node, once its node key is proven.
//
// Problem: a stolen pre-shared key, or a member gone bad, must be locked out on all nodes, and no single
// member, who may be the one gone bad, must be able to lock out others.
// Idea: each node has a list of those that are admitted (pinned) and of those it bans. In its signed record
// it names whom it bans, and whom more than half of the admitted ban is banned on all. Only the listed have
// a voice, and all of them count, present or not: a holder of the pre-shared key can invent as many members
// as it likes. In an open cluster there is no list, so there a ban holds where it is configured.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "base/node.h"
#include "membership/record.h"
#include "mesh/refusal.h"

namespace kith::cluster {

struct AdmissionConfig {
  enum class Mode : uint8_t { open, pinned };
  Mode mode = Mode::open;
  std::vector<NodeId> nodes;   // pinned: these alone
  std::vector<NodeId> banned;  // at most membership::kMaxBans
  bool operator==(const AdmissionConfig&) const = default;
};

class Admission {
 public:
  Admission(AdmissionConfig config, NodeId self) : self_(self) { (void)reload(std::move(config)); }

  // What the configuration says from now on. True when it is news.
  bool reload(AdmissionConfig config);
  // A member and whom it bans, as its record says. True when that changes what holds of anybody.
  bool member(NodeId node, const std::vector<NodeId>& bans);
  // Its voice stays, if it has one.
  void member_gone(NodeId node);

  // none, banned or not_admitted.
  mesh::Refusal judge(NodeId node) const;
  // Whom we ban ourselves, for our record.
  const std::vector<NodeId>& own_bans() const { return config_.banned; }

 private:
  bool is_pinned() const { return config_.mode == AdmissionConfig::Mode::pinned; }
  bool recount();

  AdmissionConfig config_;
  NodeId self_;
  std::set<NodeId> listed_;                        // of config_, with ourselves
  std::map<NodeId, std::vector<NodeId>> bans_;     // by other member, where it bans anybody
  std::set<NodeId> banned_by_most_;
};

}  // namespace kith::cluster
