// Help with a path: whom we do not hear, others may.
//
// Idea: before a node of a large cluster accuses a silent subject, it asks three others whether they hear
// it. One that has no link tries to get one. A yes puts the accusation off: the path is bad, not the node.
// Source: SWIM (DSN 2002), section 3.1.
#include <algorithm>

#include "membership/core.h"

namespace kith::membership {
namespace {

constexpr size_t kRelays = 3;
constexpr size_t kMaxAskers = 8;    // that wait for one node
constexpr size_t kMaxReached = 16;  // nodes that we try to reach for others at a time
constexpr Duration kAskAgain = 700ms;
constexpr Duration kAskersPatience = 1s;

}  // namespace

void Core::ask_relays(Edge& edge) {
  if (now_ - edge.quiet_since() < silence_of(edge)) return;
  if (edge.asked != MonoTime::min() && now_ - edge.asked < kAskAgain) return;
  edge.asked = now_;
  std::vector<NodeId> able;
  for (const auto& [id, other] : edges_) {
    if (&other != &edge && other.contact && other.peer.in_view) able.push_back(id);
  }
  Payload question = ReachMessage{edge.record().replica()}.encode();
  for (size_t i = 0; i < std::min(kRelays, able.size()); ++i) {
    std::swap(able[i], able[i + random_() % (able.size() - i)]);
    ++counters_.relays_asked;
    send(able[i], MessageType::reach, question);
  }
}

void Core::take_reach(Edge& edge, const ReachMessage& message) {
  const NodeId& id = message.subject.node;
  auto at = peers_.find(id);
  bool ourselves = id == self_.id && message.subject.incarnation == self_.incarnation;
  if (!ourselves && (at == peers_.end() || !at->second.in_view ||
                     at->second.record().incarnation != message.subject.incarnation))
    return;
  bool hears = ourselves || (at->second.edge != nullptr && at->second.edge->contact);
  if (hears) return send(edge.id(), MessageType::reached, message.encode());
  auto busy = std::count_if(edges_.begin(), edges_.end(),
                            [](const auto& entry) { return !entry.second.askers.empty(); });
  if (static_cast<size_t>(busy) >= kMaxReached) return;
  Edge& subject = edge_of(at->second);
  if (subject.askers.size() >= kMaxAskers) return;
  subject.askers.push_back(edge.id());
  subject.askers_until = now_ + kAskersPatience;
  subject.dial.reset(now_);
  subject.dial.hurry(now_, config_.redial_min);
  dials_changed_ = true;
}

void Core::answer_askers(Edge& edge) {
  Payload answer = ReachMessage{edge.record().replica()}.encode();
  for (const NodeId& asker : std::exchange(edge.askers, {})) send(asker, MessageType::reached, answer);
}

void Core::take_reached(const ReachMessage& message) {
  Edge* edge = find_edge(message.subject.node);
  if (edge == nullptr || edge->record().incarnation != message.subject.incarnation) return;
  edge->relayed = now_;
  judge(*edge);
}

}  // namespace kith::membership
