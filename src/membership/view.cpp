// Records, votes and decisions: from what is heard to who is a member.
#include <algorithm>

#include "base/codec.h"
#include "crypto/hash.h"
#include "membership/core.h"

namespace kith::membership {

// Takes a record that came from `from`. Null when it is refused, speaks of ourselves, or finds no room.
Peer* Core::learn(ByteView bytes, const NodeId& from) {
  auto head = peek_record(bytes);
  if (!head) {
    ++counters_.records_refused;
    return nullptr;
  }
  auto at = peers_.find(head->id);
  if (at != peers_.end() && head->version <= at->second.record.version()) return &at->second;
  if (head->id == self_.id && head->version <= self_.version()) return nullptr;

  auto record = NodeRecord::decode(bytes);
  if (!record) {
    ++counters_.records_refused;
    return nullptr;
  }
  if (record->id == self_.id) {
    hear_of_ourselves(*record);
    return nullptr;
  }
  NodeId id = record->id;
  if (at == peers_.end()) {
    if (record->state == State::left || !make_room()) return nullptr;
    Peer peer;
    peer.departed_since = now_;
    // Of two nodes that hear of each other at the same time, one dials first.
    peer.dial.reset(id == from || self_.id < id ? now_ : now_ + 2 * config_.redial_min);
    at = peers_.emplace(id, std::move(peer)).first;
  }
  raise(at->second, *std::move(record), bytes);
  flood(id, bytes, from);
  return &at->second;
}

void Core::raise(Peer& peer, NodeRecord record, ByteView bytes) {
  ++counters_.records_accepted;
  bool first = peer.bytes.empty();
  bool new_life = first || record.incarnation > peer.record.incarnation;
  if (new_life && peer.in_view) leave(peer, DownReason::replaced);
  peer.record = std::move(record);
  peer.bytes.assign(bytes.begin(), bytes.end());
  if (new_life) {
    peer.heard.reset();
    peer.armed = now_;
    peer.refused = false;
    if (!first) peer.dial.hurry(now_, config_.redial_min);
    if (!peer.live_link()) drop_link(peer);
  } else if (peer.in_view) {
    hash_view();
    if (peer.record.state != State::left) events_.push_back(MemberChanged{peer.record});
  }
  judge(peer);
  undecided_.insert(peer.record.id);
}

void Core::hear_of_ourselves(const NodeRecord& record) {
  if (record.incarnation > self_.incarnation) {
    if (record.incarnation > outdated_by_) events_.push_back(Outdated{record.incarnation});
    outdated_by_ = std::max(outdated_by_, record.incarnation);
    return;
  }
  // Our own key under our own incarnation, and not our word: ours has to be the last.
  self_.sequence = record.sequence;
  raise_ourselves();
}

void Core::raise_ourselves() {
  ++self_.sequence;
  self_bytes_ = self_.encode(key_);
  hash_view();
  flood(self_.id, self_bytes_, self_.id);
}

void Core::flood(const NodeId& subject, ByteView bytes, const NodeId& except) {
  Bytes payload = RecordsMessage{{Bytes(bytes.begin(), bytes.end())}}.encode();
  for (const auto& [id, peer] : peers_) {
    if (peer.live_link() && id != subject && id != except) send(id, MessageType::records, payload);
  }
}

// Nodes outside the view are remembered up to a bound; who is gone the longest is forgotten first.
bool Core::make_room() {
  if (peers_.size() < config_.max_members + config_.max_departed) return true;
  auto oldest = peers_.end();
  for (auto at = peers_.begin(); at != peers_.end(); ++at) {
    const Peer& peer = at->second;
    if (peer.in_view || peer.link || peer.dial.in_flight) continue;
    if (oldest == peers_.end() || peer.departed_since < oldest->second.departed_since) oldest = at;
  }
  if (oldest == peers_.end()) return false;
  undecided_.erase(oldest->first);
  peers_.erase(oldest);
  return true;
}

void Core::forget_departed() {
  std::erase_if(peers_, [&](const auto& entry) {
    const Peer& peer = entry.second;
    return !peer.in_view && !peer.link && !peer.dial.in_flight &&
           now_ - peer.departed_since > config_.departed_memory;
  });
}

bool Core::forget(NodeId id, MonoTime now) {
  begin(now);
  auto at = peers_.find(id);
  bool forgettable = at != peers_.end() && !at->second.in_view;
  if (forgettable) {
    drop_link(at->second);
    if (at->second.dial.in_flight) --dialling_;
    undecided_.erase(id);
    std::erase_if(new_votes_, [&](const Vote& vote) { return vote.subject == id; });
    peers_.erase(at);
  }
  settle();
  return forgettable;
}

Duration Core::silence_of(const Peer& peer) const {
  if (!peer.link) return config_.silence;
  return std::max(config_.silence, peer.link->rtt.smoothed + 4 * peer.link->rtt.variance);
}

Duration Core::hang_of(const Peer& peer) const { return std::max(config_.hang, silence_of(peer)); }

Verdict Core::verdict_on(const Peer& peer) const {
  bool silent = now_ - peer.quiet_since() >= hang_of(peer);
  if (peer.live_link()) {
    if (silent) return Verdict::silent;
    // Armed after it was heard: we were away ourselves and have not heard it since.
    return peer.heard && *peer.heard >= peer.armed ? Verdict::ok : Verdict::none;
  }
  if (peer.refused || is_taken(peer.record.membership)) return Verdict::refused;
  return silent ? Verdict::silent : Verdict::none;
}

// Looks at one peer anew: our vote, whether it counts as an observer, whether routing may use it.
void Core::judge(Peer& peer) {
  const NodeId& id = peer.record.id;
  Vote vote{id, peer.record.incarnation, verdict_on(peer)};
  if (vote.verdict != peer.mine.verdict || vote.incarnation != peer.mine.incarnation) {
    peer.mine = vote;
    undecided_.insert(id);
    std::erase_if(new_votes_, [&](const Vote& other) { return other.subject == id; });
    new_votes_.push_back(vote);
  }
  bool contact = peer.live_link() && now_ - peer.quiet_since() < silence_of(peer);
  if (contact != peer.contact) {
    peer.contact = contact;
    observers_changed_ = true;
  }
  if (peer.in_view && contact != peer.reachable) {
    peer.reachable = contact;
    events_.push_back(contact ? Event(Reachable{id}) : Event(Unreachable{id}));
  }
}

Core::Tally Core::tally(const Peer& subject) const {
  Tally out;
  auto count = [&](const Vote& vote) {
    if (vote.incarnation != subject.record.incarnation) return;
    if (vote.verdict == Verdict::ok) ++out.ok;
    if (vote.verdict == Verdict::silent) ++out.silent;
    if (vote.verdict == Verdict::refused) ++out.refused;
  };
  ++out.observers;
  count(subject.mine);
  for (const auto& [id, observer] : peers_) {
    if (!observer.contact || &observer == &subject) continue;
    ++out.observers;
    auto vote = observer.link->votes.find(subject.record.id);
    if (vote != observer.link->votes.end()) count(vote->second);
  }
  return out;
}

void Core::decide(Peer& peer) {
  if (peer.record.state == State::left) {
    if (peer.in_view) leave(peer, DownReason::left);
    return;
  }
  Tally votes = tally(peer);
  bool majority = 2 * (votes.silent + votes.refused) > votes.observers;
  bool crashed = votes.refused >= std::min<size_t>(2, votes.observers) && votes.ok == 0;
  if (peer.in_view) {
    if (majority || crashed) leave(peer, votes.refused > 0 ? DownReason::crashed : DownReason::hung);
  } else if (votes.ok > 0 && !majority && !crashed) {
    enter(peer);
  }
}

void Core::enter(Peer& peer) {
  if (live_members() >= config_.max_members) {
    if (!peer.link) return;
    ++counters_.turned_away;
    events_.push_back(TurnedAway{peer.record});
    drop_link(peer);
    return;
  }
  ++in_view_;
  ++counters_.members_up;
  peer.in_view = true;
  peer.reachable = true;
  peer.member_since = now_;
  hash_view();
  events_.push_back(MemberUp{peer.record});
  judge(peer);
}

void Core::leave(Peer& peer, DownReason why) {
  --in_view_;
  ++counters_.members_down;
  peer.in_view = false;
  peer.departed_since = now_;
  hash_view();
  events_.push_back(MemberDown{peer.record.id, peer.record.replica(), why});
  // A link that still lives for us is kept: it is the way back in when the others agree.
  if (why == DownReason::left || (why != DownReason::replaced && peer.mine.verdict != Verdict::ok))
    drop_link(peer);
}

void Core::hash_view() {
  Bytes text;
  Writer writer(text);
  auto add = [&](const NodeRecord& record) {
    writer.id(record.id);
    writer.u64(record.incarnation);
    writer.u64(record.sequence);
  };
  bool self_added = false;
  for (const auto& [id, peer] : peers_) {
    if (!peer.in_view) continue;
    if (!self_added && self_.id < id) {
      add(self_);
      self_added = true;
    }
    add(peer.record);
  }
  if (!self_added) add(self_);
  crypto::Digest digest = crypto::sha256(text);
  view_hash_ = Reader(digest).u64();
}

}  // namespace kith::membership
