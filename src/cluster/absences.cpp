#include "cluster/absences.h"

#include <algorithm>

namespace kith::cluster {
namespace {

using membership::DialOutcome;

std::string_view word_of(DialOutcome outcome) {
  switch (outcome) {
    case DialOutcome::refused: return "refused";
    case DialOutcome::timeout: return "timeout";
    case DialOutcome::rejected: return "rejected";
    default: return "unreachable";
  }
}

// The entry for the key; a full table gives up the one that is the longest without news.
template <class Map, class Stamp>
typename Map::mapped_type& entry(Map& map, const typename Map::key_type& key, size_t limit, Stamp stamp) {
  if (map.size() >= limit && !map.contains(key)) {
    map.erase(std::min_element(map.begin(), map.end(), [&](const auto& a, const auto& b) {
      return stamp(a.second) < stamp(b.second);
    }));
  }
  return map[key];
}

}  // namespace

void Absences::member_up(const membership::NodeRecord& record) {
  present_[record.id] = {record.name, record.membership, "", {}};
  nodes_.erase(record.id);
  addresses_.erase(record.membership);
}

void Absences::gone(const NodeId& id, Node node) {
  entry(nodes_, id, kMaxNodes, [](const Node& one) { return one.since; }) = std::move(node);
}

void Absences::member_down(const NodeId& id, membership::DownReason why, WallTime now) {
  auto known = present_.extract(id);
  if (known.empty()) return;
  known.mapped().why = to_string(why);
  known.mapped().since = now;
  gone(id, std::move(known.mapped()));
}

void Absences::turned_away(const membership::NodeRecord& record, WallTime now) {
  gone(record.id, {record.name, record.membership, "full", now});
}

void Absences::forget(const NodeId& node) {
  auto it = nodes_.find(node);
  if (it == nodes_.end()) return;
  addresses_.erase(it->second.address);
  nodes_.erase(it);
}

void Absences::dialled(const Multiaddr& address, DialOutcome outcome, WallTime now) {
  if (outcome == DialOutcome::connected || outcome == DialOutcome::duplicate ||
      outcome == DialOutcome::self) {
    addresses_.erase(address);
    return;
  }
  Address& one = entry(addresses_, address, kMaxAddresses, [](const Address& each) { return each.last; });
  if (one.tries++ == 0) one.since = now;
  one.last = now;
  one.why = word_of(outcome);
  if (outcome == DialOutcome::rejected) return;  // the reason came before, see refused()
  one.reason.clear();
  one.detail.clear();
}

void Absences::refused(const Refused& refusal, WallTime now) {
  if (refusal.dialled) {
    Address& one =
        entry(addresses_, *refusal.dialled, kMaxAddresses, [](const Address& each) { return each.last; });
    if (one.tries == 0) one.since = now;
    one.last = now;
    one.reason = mesh::to_string(refusal.reason);
    one.detail =
        std::string(mesh::explain(refusal.reason)) + (refusal.detail.empty() ? "" : ": " + refusal.detail);
    return;
  }
  Inbound& one = entry(inbound_, {refusal.remote, refusal.reason}, kMaxRefusals,
                       [](const Inbound& each) { return each.last; });
  if (one.count++ == 0) one.since = now;
  one.last = now;
  one.by_peer = refusal.by_peer;
  one.detail = refusal.detail;
}

}  // namespace kith::cluster
