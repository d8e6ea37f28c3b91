#include "cluster/admission.h"

#include <algorithm>
#include <utility>

namespace kith::cluster {

bool Admission::reload(AdmissionConfig config) {
  const bool news = config != config_;
  config_ = std::move(config);
  listed_ = std::set<NodeId>(config_.nodes.begin(), config_.nodes.end());
  listed_.insert(self_);
  recount();
  return news;
}

bool Admission::member(NodeId node, const std::vector<NodeId>& bans) {
  if (node == self_) return false;
  auto known = bans_.find(node);
  if (bans.empty()) {
    if (known == bans_.end()) return false;
    bans_.erase(known);
  } else if (known == bans_.end() || known->second != bans) {
    bans_[node] = bans;
  } else {
    return false;
  }
  return recount();
}

void Admission::member_gone(NodeId node) {
  if (!is_pinned() || !listed_.contains(node)) bans_.erase(node);
}

// A node has no voice about itself.
bool Admission::recount() {
  std::map<NodeId, size_t> against;
  for (const auto& [voter, bans] : bans_) {
    if (!is_pinned() || !listed_.contains(voter)) continue;
    for (const NodeId& subject : std::set<NodeId>(bans.begin(), bans.end()))
      if (subject != voter) ++against[subject];
  }
  for (const NodeId& subject : std::set<NodeId>(config_.banned.begin(), config_.banned.end()))
    if (is_pinned() && subject != self_) ++against[subject];
  std::set<NodeId> banned;
  for (const auto& [subject, voices] : against)
    if (2 * voices > listed_.size() - listed_.count(subject)) banned.insert(subject);
  return std::exchange(banned_by_most_, banned) != banned;
}

mesh::Refusal Admission::judge(NodeId node) const {
  const auto& own = config_.banned;
  if (banned_by_most_.contains(node) || std::find(own.begin(), own.end(), node) != own.end())
    return mesh::Refusal::banned;
  return is_pinned() && !listed_.contains(node) ? mesh::Refusal::not_admitted : mesh::Refusal::none;
}

}  // namespace kith::cluster
