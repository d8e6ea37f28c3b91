#include "membership/core.h"

#include <algorithm>

#include "base/check.h"
#include "base/take.h"

namespace kith::membership {
namespace {

constexpr uint8_t kStallHealth = 8;  // what a stall adds to the health score; a heartbeat takes 1 off
constexpr uint8_t kWorstHealth = 64;
constexpr int kPatience = 2;           // heartbeats that views may differ while a change is on its way
constexpr Duration kSettledLink = 2s;  // a link that lived this long ends a row of dial failures
constexpr Duration kMaxRoundTrip = 60s;

uint64_t stamp_of(MonoTime time) { return static_cast<uint64_t>(time.time_since_epoch().count()); }

}  // namespace

std::string_view to_string(DownReason reason) {
  switch (reason) {
    case DownReason::crashed: return "crashed";
    case DownReason::hung: return "hung";
    case DownReason::left: return "left";
    case DownReason::replaced: return "replaced";
  }
  return "unknown";
}

Core::Core(Config config, crypto::SigningKey key, NodeRecord self, uint64_t seed, MonoTime now,
           std::shared_ptr<Notary> notary)
    : config_(config),
      key_(std::move(key)),
      notary_(notary ? std::move(notary) : std::make_shared<Notary>()),
      self_(std::move(self)),
      random_(seed),
      now_(now) {
  KITH_CHECK(self_.key == key_.public_key());
  self_.id = crypto::node_id(self_.key);
  self_.sequence = 1;
  self_.state = State::joining;
  sign_ourselves();
  next_beat_ = now + Duration(random_() % static_cast<uint64_t>(config_.heartbeat.count()));
}

// Every call begins here. Time that passed unserved is time in which we did not listen: what looks like
// the silence of others may be our own.
void Core::begin(MonoTime now) {
  bool stalled = now - now_ > 2 * config_.heartbeat;
  now_ = std::max(now_, now);
  if (!stalled) return;
  ++counters_.stalls;
  health_ = static_cast<uint8_t>(std::min<int>(health_ + kStallHealth, kWorstHealth));
  for (auto& [id, edge] : edges_) edge.armed = now_;
  for (auto& [id, claim] : claims_) claim.due = std::max(claim.due, now_ + config_.claim_hold);
  if (cut_since_ != kNever) cut_since_ = now_;  // what lies unread may say otherwise
  look_at_all();
}

// ... and ends here: decisions first, then what the others should know, then new dials. Leaving a
// member drops its link, which takes an observer away, so decisions go on until nothing moves.
void Core::settle() {
  if (has_left()) return flush_news();
  if (now_ >= admit_at_) admit_waiting();
  settle_claims();
  for (;;) {
    if (surrounded_ != epoch_) surround();
    if (rings_) {
      undecided_.clear();
      observers_changed_ = false;
      if (suspects_changed_ || now_ >= cut_at_) consider_cut();
      if (surrounded_ == epoch_) break;
    } else {
      if (!observers_changed_ && undecided_.empty()) break;
      std::set<NodeId> subjects = std::exchange(undecided_, {});
      if (std::exchange(observers_changed_, false)) {
        for (auto& [id, peer] : peers_) decide(peer);
      } else {
        for (const NodeId& id : subjects) {
          if (auto at = peers_.find(id); at != peers_.end()) decide(at->second);
        }
      }
    }
  }
  if (claimed_) answer_claim();
  if (!new_votes_.empty()) send_votes();
  flush_news();
  start_due_dials();
}

void Core::link_up(NodeId id, ByteView bytes, MonoTime now) {
  begin(now);
  dials_changed_ = true;
  auto head = peek_record(bytes);
  Peer* peer = nullptr;
  if (head && head->id == id && id != self_.id && !has_left()) {
    if (Edge* known = find_edge(id)) known->link.reset();  // it is replaced
    if (auto at = peers_.find(id);
        at != peers_.end() && RecordVersion(head->version) <= at->second.record().version()) {
      peer = &at->second;
    } else if (auto signed_record = notary_->record(bytes)) {
      peer = at != peers_.end() ? &at->second : add_peer(*signed_record, id);
      if (peer != nullptr && peer->record().version() < head->version) raise(*peer, *signed_record);
    } else {
      ++counters_.records_refused;
    }
  }
  if (peer == nullptr || (peer->record().incarnation == head->version.incarnation && peer->has_left())) {
    events_.push_back(DropLink{id});
    return settle();
  }
  Edge& edge = edge_of(*peer);
  Link& link = edge.link.emplace();
  link.incarnation = head->version.incarnation;
  link.since = now_;
  edge.unneeded_since = now_;
  edge.unanswered.reset();
  if (!edge.live_link()) {
    // An earlier life than the one we know of: all it gets from us is the news.
    send_records(id, {peer->known});
    judge(edge);
    return settle();
  }
  edge.heard = now_;
  edge.refused = false;
  next_look_ = std::min(next_look_, now_ + config_.silence);
  if (peer->is_down()) send_claim(id, id, peer->down);  // it will want to answer that
  if (!peer->in_view && !peer->is_down()) greet(*peer);
  if (!rings_) send_table(id, false);
  ++counters_.pings_sent;
  send(id, MessageType::ping, PingMessage{stamp_of(now_), view_hash_, health_}.encode());
  look_at_all();  // another node may have had this address before
  undecided_.insert(id);
  answer_askers(edge);
  settle();
}

void Core::link_down(NodeId id, LinkEnd how, MonoTime now) {
  begin(now);
  Edge* edge = find_edge(id);
  if (edge == nullptr || !edge->link) return settle();
  dials_changed_ = true;
  if (now_ - edge->link->since >= kSettledLink) edge->dial.reset(now_);
  edge->link.reset();
  // A process that died refuses the redial at once; one that said goodbye wants to be left alone.
  if (how == LinkEnd::closed) {
    edge->dial.hurry(now_, config_.redial_min);
  } else {
    edge->dial.failed(now_, config_.redial_min, config_.departed_redial_max, random_);
  }
  judge(*edge);
  settle();
}

Edge& Core::edge_of(Peer& peer) {
  if (peer.edge == nullptr) {
    peer.edge = &edges_.try_emplace(peer.id(), peer).first->second;
    peer.edge->armed = now_;
    peer.edge->unneeded_since = now_;
    // Of two nodes that hear of each other at the same time, one dials first.
    peer.edge->dial.reset(self_.id < peer.id() ? now_ : now_ + 2 * config_.redial_min);
    next_look_ = std::min(next_look_, now_ + config_.silence);
    dials_changed_ = true;
  }
  return *peer.edge;
}

Edge* Core::find_edge(const NodeId& id) {
  auto at = edges_.find(id);
  return at == edges_.end() ? nullptr : &at->second;
}

// Takes the link away from our side. What the peer said of others goes with it.
void Core::drop_link(Edge& edge) {
  if (!edge.link) return;
  edge.link.reset();
  edge.dial.reset(now_ + config_.redial_min);
  dials_changed_ = true;
  events_.push_back(DropLink{edge.id()});
  judge(edge);
}

// Links that nobody wants any more end, and those that are silent; what is then without a purpose is
// forgotten.
void Core::tidy_edges() {
  for (auto at = edges_.begin(); at != edges_.end();) {
    Edge& edge = at->second;
    if (edge.link &&
        now_ - std::max(edge.quiet_since(), edge.link->since) >= std::max(config_.dead_link, hang_of(edge))) {
      ++counters_.links_given_up;
      drop_link(edge);
    }
    if (now_ >= edge.askers_until) edge.askers.clear();
    if (edge.neighbour || edge.peer.waiting || !edge.askers.empty()) edge.unneeded_since = now_;
    if (edge.link && now_ - edge.unneeded_since >= config_.link_grace) drop_link(edge);
    bool idle = !edge.link && !edge.dial.in_flight && !edge.neighbour && edge.askers.empty();
    if (idle && !edge.peer.waiting) {
      edge.peer.edge = nullptr;
      at = edges_.erase(at);
    } else {
      ++at;
    }
  }
}

void Core::heard(NodeId id, MonoTime now) {
  begin(now);
  Edge* edge = find_edge(id);
  if (edge != nullptr && edge->live_link()) note_heard(*edge);
  settle();
}

void Core::note_heard(Edge& edge) {
  edge.heard = now_;
  if (!edge.contact || (edge.subject && edge.mine.verdict != Verdict::ok)) judge(edge);
}

void Core::handle_timeout(MonoTime now) {
  begin(now);
  if (has_left()) return flush_news();
  if (now_ >= next_beat_) beat();
  if (now_ >= next_look_) look_at_all();
  settle();
}

void Core::look_at_all() {
  next_look_ = kNever;
  if (rings_) consider_mute();
  for (auto& [id, edge] : edges_) {
    judge(edge);
    for (Duration patience : {silence_of(edge), hang_of(edge)}) {
      MonoTime at = edge.quiet_since() + patience;
      if (at > now_) next_look_ = std::min(next_look_, at);
    }
  }
}

void Core::beat() {
  next_beat_ += config_.heartbeat;
  if (next_beat_ <= now_) next_beat_ = now_ + config_.heartbeat;
  if (health_ > 0) --health_;
  forget_departed();
  calm_down();
  watch_departed();
  tidy_edges();
  if (rings_) look_at_all();  // alerts are taken back and relays asked in time, not in events
  Payload payload = PingMessage{stamp_of(now_), view_hash_, health_}.encode();
  for (const auto& [id, edge] : edges_) {
    // In a large cluster the observer asks and its subject's answer is the sign of life for both.
    if (!edge.live_link() || (rings_ && edge.neighbour && !edge.subject)) continue;
    ++counters_.pings_sent;
    send(id, MessageType::ping, payload);
  }
}

MonoTime Core::poll_timeout() const {
  if (has_left()) return kNever;
  MonoTime next = std::min({next_beat_, next_dial_, next_look_, admit_at_, cut_at_});
  if (!new_records_.empty() || !new_alerts_.empty()) next = std::min(next, flush_at_);
  for (const auto& [id, claim] : claims_) next = std::min(next, claim.due);
  if (claimed_ && refute_after_ > now_) next = std::min(next, refute_after_);
  return next;
}

Result<void> Core::handle_message(NodeId from, uint8_t type, ByteView payload, MonoTime now) {
  begin(now);
  Edge* edge = find_edge(from);
  // Crossed with the end of the link; or an earlier life, which has nothing to say.
  if (has_left() || edge == nullptr || !edge->live_link()) {
    settle();
    return {};
  }
  note_heard(*edge);
  Result<void> taken = take(*edge, type, payload);
  if (!taken) ++counters_.messages_refused;
  settle();
  return taken;
}

Result<void> Core::take(Edge& edge, uint8_t type, ByteView payload) {
  switch (static_cast<MessageType>(type)) {
    case MessageType::ping: {
      KITH_TRY(PingMessage ping, PingMessage::decode(payload));
      take_ping(edge, ping);
      return {};
    }
    case MessageType::ack: {
      KITH_TRY(AckMessage ack, AckMessage::decode(payload));
      Duration sample{static_cast<int64_t>(stamp_of(now_) - ack.stamp)};
      if (sample >= 0s && sample <= kMaxRoundTrip) edge.link->rtt.add(sample);
      return {};
    }
    case MessageType::votes: {
      KITH_TRY(VotesMessage votes, VotesMessage::decode(payload));
      take_votes(edge, std::move(votes));
      return {};
    }
    case MessageType::digest: {
      KITH_TRY(DigestMessage digest, DigestMessage::decode(payload));
      take_digest(edge, digest);
      return {};
    }
    case MessageType::records: {
      KITH_TRY(RecordsMessage records, RecordsMessage::decode(payload));
      take_records(edge, records);
      return {};
    }
    case MessageType::alerts: {
      KITH_TRY(AlertsMessage alerts, AlertsMessage::decode(payload));
      for (const Alert& alert : alerts.alerts) take_alert(alert, edge.id());
      return {};
    }
    case MessageType::sums: {
      KITH_TRY(SumsMessage sums, SumsMessage::decode(payload));
      take_sums(edge, sums);
      return {};
    }
    case MessageType::reach:
    case MessageType::reached: {
      KITH_TRY(ReachMessage reach, ReachMessage::decode(payload));
      static_cast<MessageType>(type) == MessageType::reach ? take_reach(edge, reach) : take_reached(reach);
      return {};
    }
  }
  ++counters_.messages_unknown;
  return {};
}

void Core::take_ping(Edge& edge, const PingMessage& ping) {
  Link& link = *edge.link;
  bool first = link.views_differ == 0 && now_ - link.since < config_.heartbeat;
  send(edge.id(), MessageType::ack, AckMessage{ping.stamp, view_hash_, health_}.encode());
  link.health = ping.health;
  if (ping.view_hash == view_hash_ || edge.peer.waiting) {
    link.views_differ = 0;
    return;
  }
  if (++link.views_differ < kPatience && !(rings_ && first)) return;
  link.views_differ = 0;
  rings_ ? send_sums(edge.id()) : send_table(edge.id(), true);
}

void Core::send(const NodeId& to, MessageType type, Payload payload) {
  transmits_.push_back({to, static_cast<uint8_t>(type), std::move(payload)});
}

void Core::set_state(State state, MonoTime now) {
  begin(now);
  if (has_left() || state == self_.state) return;
  self_.state = state;
  raise_ourselves();
  settle();
}

void Core::set_addresses(const Multiaddr& membership, const Multiaddr& data, MonoTime now) {
  begin(now);
  if (has_left() || (membership == self_.membership && data == self_.data)) return;
  self_.membership = membership;
  self_.data = data;
  raise_ourselves();
  settle();
}

template <class Value>
void Core::restate(Value NodeRecord::*field, const Value& value, MonoTime now) {
  begin(now);
  if (has_left() || value == self_.*field) return;
  self_.*field = value;
  raise_ourselves();
  settle();
}

void Core::set_keys(const std::vector<KeyId>& keys, MonoTime now) { restate(&NodeRecord::keys, keys, now); }

void Core::set_bans(const std::vector<NodeId>& bans, MonoTime now) { restate(&NodeRecord::bans, bans, now); }

std::optional<Transmit> Core::poll_transmit() {
  return take_front(transmits_);
}

std::optional<Dial> Core::poll_dial() {
  return take_front(dials_);
}

std::optional<Event> Core::poll_event() {
  return take_front(events_);
}

std::vector<Member> Core::members() const {
  std::vector<Member> out;
  Member& own = out.emplace_back();
  own.record = self_;
  own.health = health_;
  own.self = true;
  for (const auto& [id, peer] : peers_) {
    if (!peer.in_view) continue;
    Member& row = out.emplace_back();
    row.record = peer.record();
    row.since = peer.member_since;
    row.damped = peer.damped;
    if (peer.damped) row.link = Member::Link::unreachable;
    const Edge* edge = peer.edge;
    if (edge == nullptr || !(edge->neighbour || edge->link)) continue;  // others have an eye on it
    if (const Link* link = edge->live_link()) {
      row.rtt = link->rtt.smoothed;
      row.health = link->health;
    }
    if (!edge->contact)
      row.link = is_bad(edge->mine.verdict) ? Member::Link::unreachable : Member::Link::suspect;
  }
  return out;
}

const NodeRecord* Core::member(const NodeId& node) const {
  if (node == self_.id) return &self_;
  auto at = peers_.find(node);
  return at != peers_.end() && at->second.in_view ? &at->second.record() : nullptr;
}

size_t Core::links() const {
  return static_cast<size_t>(std::count_if(edges_.begin(), edges_.end(),
                                           [](const auto& entry) { return entry.second.live_link(); }));
}

}  // namespace kith::membership
