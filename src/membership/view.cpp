// Who is in: records, marks, and the places of nodes around us.
#include <algorithm>
#include <cmath>

#include "membership/core.h"

namespace kith::membership {
namespace {

constexpr int kAtOnce = 3;                   // newcomers in a row that are not kept waiting
constexpr Duration kNewcomersPause = 500ms;  // at least; ends a row
constexpr double kHalfLife = 60;             // seconds, of a penalty
constexpr double kDampedFrom = 2.5, kDampedTo = 1;
constexpr Duration kCloneWindow = 30s;  // two foreign words within it are a second process
constexpr Duration kRefutePause = 100ms;
constexpr Duration kFirmContact = 500ms;
constexpr Duration kWatchPause = 10s;   // between rounds past those who are gone, in an unchanged view
constexpr Duration kForgetPause = 60s;  // between looks for those who have been gone long enough

bool is_busy(const Peer& peer) {
  return peer.edge != nullptr && (peer.edge->link || peer.edge->dial.in_flight);
}

}  // namespace

double Penalty::now(MonoTime time) const {
  if (value == 0) return 0;
  return value * std::exp2(-std::chrono::duration<double>(time - at).count() / kHalfLife);
}

void Penalty::add(MonoTime time) {
  value = now(time) + 1;
  at = time;
}

// Takes a record that came from `from`, by whom it is a member. Null when it speaks of ourselves, or finds
// no room.
Peer* Core::learn(const RecordRef& news, const NodeId& from) {
  const NodeRecord& record = news->record;
  if (record.id == self_.id) {
    hear_of_ourselves(record);
    return nullptr;
  }
  auto at = peers_.find(record.id);
  Peer* peer = at == peers_.end() ? nullptr : &at->second;
  if (peer == nullptr) {
    peer = add_peer(news, from);
    if (peer == nullptr) return nullptr;
  } else if (record.version() > peer->record().version()) {
    raise(*peer, news);
  } else if (peer->in_view || peer->waiting || record.version() < peer->record().version()) {
    return peer;
  }  // else it came by a link of ours that ended before it was taken in, and others have taken it in
  spread(news, from);
  if (!peer->in_view && !peer->is_down() && !peer->has_left()) enter(*peer);
  return peer;
}

Peer* Core::add_peer(const RecordRef& news, const NodeId& from) {
  if (news->record.state == State::left || !make_room()) return nullptr;
  ++counters_.records_accepted;
  Peer peer;
  peer.known = news;
  peer.departed_since = now_;
  Peer& added = peers_.emplace(news->record.id, std::move(peer)).first->second;
  // Of more, the rings choose (surround), and edges of thousands would only be looked through.
  if (!rings_ && members_.size() <= config_.everyone) edge_of(added).neighbour = true;
  if (added.edge != nullptr && added.id() == from) added.edge->dial.reset(now_);
  return &added;
}

void Core::raise(Peer& peer, const RecordRef& news) {
  ++counters_.records_accepted;
  bool new_life = news->record.incarnation > peer.record().incarnation;
  if (new_life && peer.in_view) leave(peer, DownReason::replaced);
  if (peer.in_view) {
    count_out(peer.id(), peer.known->fingerprint);
    count_in(news->record.id, news->fingerprint);
  }
  peer.known = news;
  drop_suspect(peer.id());  // what was said was about an earlier word
  claims_.erase(peer.id());
  if (Edge* edge = peer.edge) {
    dials_changed_ = true;
    if (new_life) {
      edge->heard.reset();
      edge->refused = false;
      if (!edge->live_link()) drop_link(*edge);
    }
    if (new_life || !edge->contact) {
      edge->armed = now_;
      next_look_ = std::min(next_look_, now_ + config_.silence);
      edge->dial.hurry(now_, config_.redial_min);
    }
    judge(*edge);
  }
  if (peer.has_left()) {
    if (peer.in_view) leave(peer, DownReason::left);
  } else if (peer.in_view) {
    events_.push_back(MemberChanged{peer.record()});
  }
  undecided_.insert(peer.id());
}

void Core::hear_of_ourselves(const NodeRecord& record) {
  if (record.version() <= self_.version()) return;
  if (record.incarnation > self_.incarnation) {
    if (record.incarnation > outdated_by_) events_.push_back(Outdated{record.incarnation});
    outdated_by_ = std::max(outdated_by_, record.incarnation);
    return;
  }
  // Our own key under our own incarnation, and not our word. Once it may be from before a restart within
  // one tick of the clock; again, it is another process that speaks as we do, and one has to stop.
  if (foreign_word_ != MonoTime::min() && now_ - foreign_word_ < kCloneWindow && outdated_by_ == 0) {
    outdated_by_ = record.incarnation;
    events_.push_back(Outdated{record.incarnation});
  }
  foreign_word_ = now_;
  self_.sequence = record.sequence;
  raise_ourselves();
}

void Core::sign_ourselves() {
  if (self_signed_) {
    count_out(self_.id, self_signed_->fingerprint);
  } else {
    members_.push_back(self_.id);
  }
  auto made = std::make_shared<SignedRecord>();
  made->record = self_;
  made->bytes = self_.encode(key_);
  made->fingerprint = fingerprint_of(self_.id, self_.version());
  self_signed_ = std::move(made);
  count_in(self_.id, self_signed_->fingerprint);
}

void Core::raise_ourselves() {
  ++self_.sequence;
  sign_ourselves();
  spread(self_signed_, self_.id);
}

// Others hold us for down. If most of those around us hear us, they can be told otherwise; if not, they
// are right, and we speak again when that has changed.
void Core::answer_claim() {
  if (claimed_->incarnation != self_.incarnation || *claimed_ < self_.version()) {
    claimed_.reset();
    return;
  }
  size_t around = 0, contacts = 0;
  for (const auto& [id, edge] : edges_) {
    if (!edge.neighbour || !edge.peer.in_view) continue;
    ++around;
    // In a large cluster a moment is not enough: of ten around a node that loses most, half may be heard for
    // one.
    if (edge.contact && (!rings_ || now_ >= edge.contact_since + kFirmContact)) ++contacts;
  }
  if (2 * contacts < around || now_ < refute_after_) return;
  self_.sequence = claimed_->sequence;
  claimed_.reset();
  refute_after_ = now_ + kRefutePause;
  ++counters_.claims_refuted;
  raise_ourselves();
}

// Nodes outside the view are remembered up to a bound; who is gone the longest is forgotten first. Those
// that wait to be taken in are as good as members: a whole cluster may start at once.
bool Core::make_room() {
  size_t inside = std::min(in_view_ + waiting_.size(), peers_.size());
  bool room = peers_.size() < config_.max_members + config_.max_departed;
  if (room && peers_.size() - inside < config_.max_departed) return true;
  auto oldest = peers_.end();
  for (auto at = peers_.begin(); at != peers_.end(); ++at) {
    const Peer& peer = at->second;
    if (peer.in_view || is_busy(peer)) continue;
    if (oldest == peers_.end() || peer.departed_since < oldest->second.departed_since) oldest = at;
  }
  if (oldest == peers_.end()) return false;
  edges_.erase(oldest->first);
  peers_.erase(oldest);
  return true;
}

// Memory of days needs no look at everybody in every heartbeat.
void Core::forget_departed() {
  if (now_ < forget_at_ || peers_.size() == in_view_) return;
  forget_at_ = now_ + kForgetPause;
  for (auto at = peers_.begin(); at != peers_.end();) {
    Peer& peer = at->second;
    bool old = !peer.in_view && !is_busy(peer) && now_ - peer.departed_since > config_.departed_memory;
    if (old) edges_.erase(at->first);
    at = old ? peers_.erase(at) : std::next(at);
  }
}

bool Core::forget(NodeId id, MonoTime now) {
  begin(now);
  auto at = peers_.find(id);
  bool forgettable = at != peers_.end() && !at->second.in_view;
  if (forgettable) {
    if (Edge* edge = at->second.edge) {
      drop_link(*edge);
      if (edge->dial.in_flight) --dialling_;
      edges_.erase(id);
      dials_changed_ = true;
    }
    undecided_.erase(id);
    std::erase_if(new_votes_, [&](const Vote& vote) { return vote.subject == id; });
    peers_.erase(at);
  }
  settle();
  return forgettable;
}

// A node that came by a link of ours, and nobody told us of: it is for us to take it in and to tell the
// others. One is taken in at once; of many, each step takes in more, so that there are few views.
void Core::greet(Peer& peer) {
  if (peer.waiting) return;
  if (last_newcomer_ == MonoTime::min() || now_ - last_newcomer_ > std::max(kNewcomersPause, 2 * gather_)) {
    at_once_ = 0;
    gather_ = config_.gather_min;
  }
  last_newcomer_ = now_;
  bool restarted = peer.departed_since == now_ && peer.member_since != MonoTime{};
  if (restarted || (waiting_.empty() && at_once_ < kAtOnce)) {
    if (!restarted) ++at_once_;
    enter(peer);
    if (peer.in_view) spread(peer.known, peer.id());
    return;
  }
  peer.waiting = true;
  waiting_.push_back(peer.id());
  if (admit_at_ == kNever) admit_at_ = now_ + gather_;
}

void Core::admit_waiting() {
  admit_at_ = kNever;
  gather_ = std::min(2 * gather_, config_.gather_max);
  std::vector<NodeId> admitted;
  for (const NodeId& id : std::exchange(waiting_, {})) {
    auto at = peers_.find(id);
    if (at == peers_.end()) continue;
    Peer& peer = at->second;
    peer.waiting = false;
    bool here = peer.edge != nullptr && peer.edge->live_link();
    if (!here || peer.is_down() || peer.has_left()) continue;
    if (!peer.in_view) {
      enter(peer);
      if (peer.in_view) spread(peer.known, id);
    }
    if (peer.in_view) admitted.push_back(id);
  }
  for (const NodeId& id : admitted) {
    Edge* edge = find_edge(id);
    if (edge == nullptr || !edge->unanswered) continue;
    DigestMessage digest = *std::exchange(edge->unanswered, std::nullopt);
    take_digest(*edge, digest);
  }
}

void Core::enter(Peer& peer) {
  if (live_members() >= config_.max_members) {
    if (peer.edge == nullptr || !peer.edge->link) return;
    ++counters_.turned_away;
    events_.push_back(TurnedAway{peer.record()});
    drop_link(*peer.edge);
    return;
  }
  ++in_view_;
  ++epoch_;
  ++counters_.members_up;
  members_.push_back(peer.id());
  count_in(peer.id(), peer.known->fingerprint);
  peer.in_view = true;
  peer.reachable = true;
  peer.member_since = now_;
  peer.damped = peer.penalty.now(now_) > kDampedFrom;
  events_.push_back(MemberUp{peer.record()});
  if (peer.damped) {
    damped_.insert(peer.id());
    tell_reachable(peer);
  }
}

void Core::leave(Peer& peer, DownReason why) {
  --in_view_;
  ++epoch_;
  ++counters_.members_down;
  std::erase(members_, peer.id());
  count_out(peer.id(), peer.known->fingerprint);
  peer.in_view = false;
  peer.departed_since = now_;
  damped_.erase(peer.id());
  drop_suspect(peer.id());
  claims_.erase(peer.id());
  if (why == DownReason::crashed || why == DownReason::hung) peer.penalty.add(now_);
  events_.push_back(MemberDown{peer.id(), peer.record().replica(), why});
  Edge* edge = peer.edge;
  if (edge == nullptr || !edge->link) return;
  // A link that still lives for us is kept: it is the way back in.
  bool lives = edge->contact || edge->mine.verdict == Verdict::ok;
  if (why == DownReason::left || (why != DownReason::replaced && !lives)) {
    drop_link(*edge);
  } else if (why != DownReason::replaced && edge->live_link()) {
    send_claim(peer.id(), peer.id(), peer.down);
  }
}

void Core::declare_down(Peer& peer, DownReason why) {
  peer.down = peer.record().version();
  leave(peer, why);
}

void Core::calm_down() {
  for (auto at = damped_.begin(); at != damped_.end();) {
    Peer& peer = peers_.at(*at);
    if (peer.penalty.now(now_) > kDampedTo) {
      ++at;
      continue;
    }
    peer.damped = false;
    at = damped_.erase(at);
    tell_reachable(peer);
  }
}

void Core::count_in(const NodeId& id, uint64_t fingerprint) {
  view_hash_ += fingerprint;
  sums_[bucket_of(id)] += fingerprint;
}

void Core::count_out(const NodeId& id, uint64_t fingerprint) {
  view_hash_ -= fingerprint;
  sums_[bucket_of(id)] -= fingerprint;
}

// Gives each node around us its role in the present view.
void Core::surround() {
  surrounded_ = epoch_;
  dials_changed_ = true;
  bool were_rings = std::exchange(rings_, members_.size() > config_.everyone);
  if (!rings_) {
    for (auto& [id, peer] : peers_) {
      if (!peer.has_left() || peer.edge != nullptr)
        place(edge_of(peer), !peer.has_left(), !peer.has_left(), true);
    }
  } else {
    Slots slots = slots_of(self_.id, members_);
    std::map<NodeId, std::pair<bool, bool>> around;  // whether it is a subject, and on the flood's rings
    for (size_t ring = 0; ring < kRings; ++ring) {
      for (const NodeId& id : {slots.subjects[ring], slots.observers[ring]}) {
        auto& [subject, flooded] = around[id];
        if (ring < kFloodRings) flooded = true;
        if (id == slots.subjects[ring]) subject = true;
      }
    }
    for (const auto& [id, role] : around) edge_of(peers_.at(id));
    for (auto& [id, edge] : edges_) {
      if (auto at = around.find(id); at != around.end()) {
        place(edge, at->second.first, true, at->second.second);
      } else {
        // Who watched a node that is gone goes on looking for it.
        place(edge, false, edge.neighbour && !edge.peer.in_view && !edge.peer.has_left(), false);
      }
    }
  }
  if (were_rings != rings_) {
    suspects_.clear();
    cut_since_ = cut_at_ = kNever;
    observers_changed_ = true;
    repeat_votes();
  }
}

void Core::place(Edge& edge, bool subject, bool neighbour, bool flooded) {
  bool changed = edge.subject != subject || edge.neighbour != neighbour;
  if (neighbour && !edge.neighbour && !edge.contact) {
    edge.armed = now_;
    next_look_ = std::min(next_look_, now_ + config_.silence);
  }
  edge.subject = subject;
  edge.neighbour = neighbour;
  edge.flooded = flooded;
  if (changed || edge.peer.in_view) judge(edge);
}

// The view changes, and with it who would observe a node that is gone. One after the other is looked at.
// When that is done it rests: a new view, or a node that is gone and that we hear of late, is for the next
// round.
void Core::watch_departed() {
  if (!rings_ || peers_.size() == in_view_) return;
  if (watched_.is_zero()) {
    if (watched_view_ == epoch_ && now_ < watch_at_) return;
    watched_view_ = epoch_;
    watch_at_ = now_ + kWatchPause;
  }
  auto at = peers_.upper_bound(watched_);
  for (int steps = 0; steps < 64; ++steps, ++at) {
    if (at == peers_.end()) {
      watched_ = NodeId{};
      return;
    }
    Peer& peer = at->second;
    watched_ = at->first;
    if (peer.in_view || peer.has_left() || peer.waiting) continue;
    Slots slots = slots_of(at->first, members_);
    bool ours = std::find(slots.observers.begin(), slots.observers.end(), self_.id) != slots.observers.end();
    if (ours) edge_of(peer).neighbour = true;
    if (!ours && peer.edge != nullptr) peer.edge->neighbour = false;
    dials_changed_ = true;
    return;
  }
}

}  // namespace kith::membership
