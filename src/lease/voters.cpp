#include "lease/voters.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>

namespace kith::lease {

bool Voters::contains(const NodeId& node) const {
  return std::binary_search(nodes.begin(), nodes.end(), node);
}

bool Voters::supersedes(const Voters& other) const {
  if (lineage != other.lineage) return lineage < other.lineage;
  return std::tie(epoch, version) > std::tie(other.epoch, other.version);
}

void Voters::write(Writer& out) const {
  out.u64(lineage.founded_ms);
  out.u64(lineage.nonce);
  out.u64(epoch);
  out.u32(version);
  out.u8(static_cast<uint8_t>(nodes.size()));
  for (const NodeId& node : nodes) out.id(node);
}

Voters Voters::read(Reader& in) {
  Voters out;
  out.lineage.founded_ms = in.u64();
  out.lineage.nonce = in.u64();
  out.epoch = in.u64();
  out.version = in.u32();
  size_t count = in.u8();
  if (count == 0 || count > kMaxVotersInChange) in.fail();
  for (size_t i = 0; i < count && in.ok(); ++i) {
    out.nodes.push_back(in.id<NodeId>());
    if (i > 0 && !(out.nodes[i - 1] < out.nodes[i])) in.fail();
  }
  return out;
}

std::vector<NodeId> ideal_voters(const NodeId& leader, const Voters& present,
                                 const std::vector<Candidate>& view, const std::vector<NodeId>& absent,
                                 size_t quorum) {
  auto is_absent = [&](const NodeId& node) {
    return std::find(absent.begin(), absent.end(), node) != absent.end();
  };
  std::vector<Candidate> live;
  std::copy_if(view.begin(), view.end(), std::back_inserter(live),
               [](const Candidate& one) { return one.ready; });
  std::vector<Candidate> pool = live;
  size_t kept_missing = 0;
  for (const NodeId& node : present.nodes) {
    bool is_live =
        std::any_of(live.begin(), live.end(), [&](const Candidate& one) { return one.id == node; });
    if (is_live) continue;
    // Missing for a short time: it keeps its place. For long: only while there is nobody else.
    bool needed = live.size() + kept_missing < std::min<size_t>(3, present.nodes.size());
    if (is_absent(node) && !needed) continue;
    pool.push_back({node, ""});
    ++kept_missing;
  }
  size_t target = std::min(kMaxVoters, pool.size());
  if (target % 2 == 0 && quorum <= 1) --target;

  std::vector<NodeId> out;
  std::map<std::string, size_t> in_zone;
  auto rank = [&](const Candidate& one) {
    return std::tuple(one.id != leader, in_zone[one.zone], !present.contains(one.id), one.id);
  };
  while (out.size() < target) {
    auto best = std::min_element(pool.begin(), pool.end(),
                                 [&](const Candidate& a, const Candidate& b) { return rank(a) < rank(b); });
    ++in_zone[best->zone];
    out.push_back(best->id);
    pool.erase(best);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<NodeId> next_voters(const Voters& present, const std::vector<NodeId>& ideal) {
  std::vector<NodeId> out = present.nodes;
  for (const NodeId& node : ideal) {
    if (present.contains(node) || out.size() >= kMaxVotersInChange) continue;
    out.push_back(node);
    std::sort(out.begin(), out.end());
    return out;
  }
  for (const NodeId& node : present.nodes) {
    if (std::binary_search(ideal.begin(), ideal.end(), node)) continue;
    std::erase(out, node);
    return out;
  }
  return out;
}

}  // namespace kith::lease
