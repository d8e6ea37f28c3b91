// Who is to go: from what is heard to votes, and from votes to decisions.
#include <algorithm>
#include <bit>

#include "membership/core.h"

namespace kith::membership {
namespace {

constexpr size_t kMaxWords = 64;          // about one suspect; ten observers have something to say
constexpr Duration kAlertsSettle = 50ms;  // without a new alert: what one event causes is told by then
constexpr uint8_t kMuteHealth = 8;

}  // namespace

Duration Core::silence_of(const Edge& edge) const {
  if (!edge.link) return config_.silence;
  return std::max(config_.silence, edge.link->rtt.smoothed + 4 * edge.link->rtt.variance);
}

Duration Core::hang_of(const Edge& edge) const { return std::max(config_.hang, silence_of(edge)); }

bool Core::is_silent(const Edge& edge) const { return now_ - edge.quiet_since() >= hang_of(edge); }

Verdict Core::verdict_on(const Edge& edge) const {
  if (!edge.live_link() && (edge.refused || is_taken(edge.record().membership))) return Verdict::refused;
  // A path that comes and goes should not: in a large cluster alerts are to add up.
  bool accused = rings_ && edge.mine.verdict == Verdict::silent && edge.mine.about == edge.record().version();
  if (is_silent(edge)) {
    // A relay hears it: the path is bad, not the node. But that is no reason to take back what was said.
    bool relayed = edge.relayed != MonoTime::min() && now_ - edge.relayed < config_.hang;
    return relayed && !accused ? Verdict::none : Verdict::silent;
  }
  if (accused && (!edge.contact || now_ - edge.contact_since < config_.sticky)) return Verdict::silent;
  // Armed after it was heard: we were away ourselves and have not heard it since.
  return edge.live_link() && edge.heard && *edge.heard >= edge.armed ? Verdict::ok : Verdict::none;
}

// Looks at one node anew: our vote, whether it counts as an observer, whether routing may use it.
void Core::judge(Edge& edge) {
  bool contact = edge.live_link() && now_ - edge.quiet_since() < silence_of(edge);
  if (contact != edge.contact) {
    edge.contact = contact;
    if (contact) edge.contact_since = now_;
    observers_changed_ = true;
  }
  tell_reachable(edge.peer);
  // What was said of one who is gone stands: others may not have counted it yet.
  if (rings_ && !edge.peer.in_view) return;
  Verdict verdict = edge.subject ? verdict_on(edge) : Verdict::none;
  if (verdict == Verdict::silent && mute_ && edge.mine.verdict != Verdict::silent) verdict = Verdict::none;
  cast(edge, verdict);
  if (rings_ && edge.subject && !contact && !mute_) ask_relays(edge);
}

void Core::tell_reachable(Peer& peer) {
  if (!peer.in_view) return;
  const Edge* edge = peer.edge;
  bool ours = edge != nullptr && (edge->neighbour || edge->link);
  bool reachable = !peer.damped && (!ours || edge->contact);
  if (reachable == peer.reachable) return;
  peer.reachable = reachable;
  events_.push_back(reachable ? Event(Reachable{peer.id()}) : Event(Unreachable{peer.id()}));
}

void Core::cast(Edge& edge, Verdict verdict) {
  Vote before = edge.mine;
  Vote vote{edge.id(), edge.record().version(), verdict};
  bool same_subject =
      is_bad(verdict) ? before.about == vote.about : before.about.incarnation == vote.about.incarnation;
  if (verdict == before.verdict && same_subject) return;
  edge.mine = vote;
  undecided_.insert(vote.subject);
  if (!rings_) {
    std::erase_if(new_votes_, [&](const Vote& other) { return other.subject == vote.subject; });
    new_votes_.push_back(vote);
  } else if (is_bad(verdict)) {
    edge.vouched = false;
    publish(vote);
  } else if (is_bad(before.verdict) && before.about == vote.about) {
    publish({vote.subject, vote.about, Verdict::none});
  }
}

void Core::send_votes() {
  VotesMessage message;
  std::vector<Payload> payloads;
  for (const Vote& vote : std::exchange(new_votes_, {})) {
    message.votes.push_back(vote);
    if (message.votes.size() < kMaxSubjects) continue;
    payloads.emplace_back(message.encode());
    message.votes.clear();
  }
  if (!message.votes.empty()) payloads.emplace_back(message.encode());
  if (rings_) return;
  for (const auto& [id, edge] : edges_) {
    if (!edge.live_link()) continue;
    for (const Payload& payload : payloads) {
      ++counters_.votes_sent;
      send(id, MessageType::votes, payload);
    }
  }
}

// The cluster became a large one, or a small one again: votes go another way now.
void Core::repeat_votes() {
  new_votes_.clear();
  for (auto& [id, edge] : edges_) {
    if (edge.mine.verdict == Verdict::none) continue;
    if (!rings_) new_votes_.push_back(edge.mine);
    if (rings_ && is_bad(edge.mine.verdict)) publish(edge.mine);
  }
}

// ---------------------------------------------------------------- up to Config::everyone nodes

void Core::take_votes(Edge& edge, VotesMessage message) {
  auto& known = edge.link->votes;
  for (const Vote& vote : message.votes) {
    if (known.size() >= kMaxSubjects && !known.contains(vote.subject)) continue;
    known[vote.subject] = vote;
    undecided_.insert(vote.subject);
    // Somebody reaches it, so it is time to look again ourselves.
    Edge* subject = find_edge(vote.subject);
    if (vote.verdict != Verdict::ok || subject == nullptr || subject->link) continue;
    subject->dial.hurry(now_, config_.redial_min);
    dials_changed_ = true;
  }
}

Core::Tally Core::tally(const Peer& subject) const {
  Tally out;
  RecordVersion version = subject.record().version();
  auto count = [&](const Vote& vote) {
    if (vote.verdict == Verdict::ok && vote.about.incarnation == version.incarnation) ++out.ok;
    if (vote.about != version) return;
    if (vote.verdict == Verdict::silent) ++out.silent;
    if (vote.verdict == Verdict::refused) ++out.refused;
  };
  ++out.observers;
  if (subject.edge != nullptr) count(subject.edge->mine);
  for (const auto& [id, observer] : edges_) {
    if (!observer.contact || !observer.peer.in_view || &observer.peer == &subject) continue;
    ++out.observers;
    auto vote = observer.link->votes.find(subject.id());
    if (vote != observer.link->votes.end()) count(vote->second);
  }
  return out;
}

void Core::decide(Peer& peer) {
  if (!peer.in_view) return;
  Tally votes = tally(peer);
  bool majority = 2 * (votes.silent + votes.refused) > votes.observers;
  bool crashed = votes.refused >= std::min<size_t>(2, votes.observers) && votes.ok == 0;
  if (majority || crashed) declare_down(peer, votes.refused > 0 ? DownReason::crashed : DownReason::hung);
}

// ---------------------------------------------------------------- above

// Much that looks bad at once is more likely our own trouble. But not for ever: half of the cluster may
// really be gone.
void Core::consider_mute() {
  size_t subjects = 0, silent = 0;
  for (const auto& [id, edge] : edges_) {
    if (!edge.subject) continue;
    ++subjects;
    if (is_silent(edge) && !edge.refused) ++silent;
  }
  if (10 * silent <= 3 * subjects) {
    mute_ = false;
    mute_since_ = kNever;
    return;
  }
  if (mute_since_ == kNever) {
    mute_since_ = now_;
    ++counters_.mutes;
  }
  mute_ = now_ - mute_since_ < config_.mute_limit;
  if (mute_) health_ = std::max(health_, kMuteHealth);
}

void Core::publish(const Vote& vote) {
  Alert alert;
  alert.observer = self_.replica();
  alert.number = ++alert_number_;
  alert.vote = vote;
  alert.signature = key_.sign(alert.signed_text());
  ++counters_.alerts_signed;
  accept_word(alert);
  spread(alert, self_.id);
}

void Core::take_alert(const Alert& alert, const NodeId& from) {
  if (alert.observer.node == self_.id || alert.observer.node == alert.vote.subject) return;
  auto observer = peers_.find(alert.observer.node);
  if (observer == peers_.end() || !observer->second.in_view) return;
  if (observer->second.record().incarnation != alert.observer.incarnation) return;
  if (auto suspect = suspects_.find(alert.vote.subject); suspect != suspects_.end()) {
    auto word = suspect->second.words.find(alert.observer.node);
    if (word != suspect->second.words.end() && word->second.incarnation == alert.observer.incarnation &&
        word->second.number >= alert.number)
      return;
  }
  if (alert.vote.subject != self_.id) {
    auto subject = peers_.find(alert.vote.subject);
    if (subject == peers_.end() || !subject->second.in_view) return;
    if (alert.vote.about < subject->second.record().version()) return;  // it has spoken since
  }
  if (!notary_->verify(observer->second.record().key, alert.signed_text(), alert.signature)) {
    ++counters_.alerts_refused;
    return;
  }
  if (!accept_word(alert)) return;
  spread(alert, from);
  // Whoever hears it objects: two that are refused may have a bad path, or be bad themselves.
  Edge* edge = find_edge(alert.vote.subject);
  if (rings_ && alert.vote.verdict == Verdict::refused && edge != nullptr && edge->subject && edge->contact &&
      edge->mine.verdict == Verdict::ok && !edge->vouched) {
    edge->vouched = true;
    publish({edge->id(), edge->record().version(), Verdict::ok});
  }
}

bool Core::accept_word(const Alert& alert) {
  Suspect& suspect = suspects_[alert.vote.subject];
  if (suspect.words.size() >= kMaxWords && !suspect.words.contains(alert.observer.node)) return false;
  Suspect::Word& word = suspect.words[alert.observer.node];
  word.number = alert.number;
  word.incarnation = alert.observer.incarnation;
  word.vote = alert.vote;
  if (rings_) {
    suspects_changed_ = true;
    last_alert_ = now_;
  }
  return true;
}

void Core::drop_suspect(const NodeId& id) {
  if (suspects_.erase(id) > 0) suspects_changed_ = true;
  if (Edge* edge = find_edge(id)) edge->vouched = false;
}

// What the alerts about a member come to. An observer that is accused itself can say nothing any more, so
// it is taken to agree, where others speak: of those who fail together none covers the other, and the last
// word of one that hung counts for as little as its silence.
Core::Evidence Core::weigh(const NodeId& id, Suspect& suspect, const std::set<NodeId>& accused) {
  Evidence out;
  if (suspect.epoch != epoch_) {
    suspect.epoch = epoch_;
    suspect.observers = slots_of(id, members_).observers;
  }
  RecordVersion version = peers_.at(id).record().version();
  uint16_t slots = 0;
  for (auto& [observer, word] : suspect.words) {
    if (word.vote.verdict == Verdict::ok) ++out.objections;
    if (!is_bad(word.vote.verdict) || word.vote.about != version || accused.contains(observer)) continue;
    uint16_t standing = 0;
    for (size_t ring = 0; ring < kRings; ++ring) {
      if (suspect.observers[ring] == observer) standing |= static_cast<uint16_t>(1 << ring);
    }
    if (standing != 0) word.slots = standing;
    slots |= word.slots;
    if (word.slots == 0) continue;
    ++out.speakers;
    if (word.vote.verdict == Verdict::refused) ++out.refused;
  }
  out.spoken = static_cast<size_t>(std::popcount(slots));
  out.all = out.spoken;
  for (size_t ring = 0; ring < kRings && out.spoken > 0; ++ring) {
    if ((slots & (1 << ring)) == 0 && accused.contains(suspect.observers[ring])) ++out.all;
  }
  return out;
}

void Core::consider_cut() {
  suspects_changed_ = false;
  cut_at_ = kNever;
  std::vector<NodeId> open;
  for (auto& [id, suspect] : suspects_) {
    auto peer = peers_.find(id);
    // Who is gone cannot take back what it said.
    std::erase_if(suspect.words, [this](const auto& word) {
      auto observer = peers_.find(word.first);
      return word.first != self_.id && (observer == peers_.end() || !observer->second.in_view);
    });
    bool bad = std::any_of(suspect.words.begin(), suspect.words.end(),
                           [](const auto& word) { return is_bad(word.second.vote.verdict); });
    if (bad && peer != peers_.end() && peer->second.in_view) open.push_back(id);
  }
  std::set<NodeId> accused;
  for (const NodeId& id : open) {
    Evidence evidence = weigh(id, suspects_.at(id), {});
    if (evidence.spoken >= kLow && evidence.speakers >= kSpeakers) accused.insert(id);
  }
  std::map<NodeId, DownReason> sure, likely;  // likely: a cut that has waited takes them, too
  bool unsure = false, stirring = false, crash = false;
  for (const NodeId& id : open) {
    Evidence evidence = weigh(id, suspects_.at(id), accused);
    DownReason why = evidence.refused > 0 ? DownReason::crashed : DownReason::hung;
    if (evidence.all >= kHigh && evidence.speakers >= kSpeakers) {
      sure[id] = why;
      crash = crash || why == DownReason::crashed;
    } else if (evidence.refused >= kSpeakers && evidence.objections == 0) {
      likely[id] = why;
      crash = true;
    } else if (evidence.all >= kLow && evidence.speakers >= kSpeakers) {
      unsure = true;
    } else {
      stirring = true;
    }
  }
  if (sure.empty() && likely.empty() && !unsure) {
    cut_since_ = kNever;
    return;
  }
  if (cut_since_ == kNever) cut_since_ = now_;
  // Crashes are told of at once; of nodes that lose much, one is silent now and another in a second.
  const Duration wait = crash ? config_.cut_wait : config_.hang_cut_wait;
  const bool open_ends = unsure || !likely.empty() || (stirring && !crash);
  const bool waited = now_ >= cut_since_ + wait;
  const bool settled = !open_ends && now_ >= last_alert_ + kAlertsSettle;
  if (!waited && !settled) {
    cut_at_ = cut_since_ + wait;
    if (!sure.empty() && !open_ends) cut_at_ = std::min(cut_at_, last_alert_ + kAlertsSettle);
    return;
  }
  cut_since_ = kNever;
  if (waited) sure.merge(likely);
  for (const auto& [id, why] : sure) declare_down(peers_.at(id), why);
  if (unsure) {
    cut_since_ = now_;
    cut_at_ = now_ + wait;
  }
}

}  // namespace kith::membership
