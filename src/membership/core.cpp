#include "membership/core.h"

#include <algorithm>

#include "base/check.h"

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

Core::Core(Config config, crypto::SigningKey key, NodeRecord self, uint64_t seed, MonoTime now)
    : config_(config), key_(std::move(key)), self_(std::move(self)), random_(seed), now_(now) {
  KITH_CHECK(self_.key == key_.public_key());
  self_.id = crypto::node_id(self_.key);
  self_.sequence = 1;
  self_.state = State::joining;
  self_bytes_ = self_.encode(key_);
  next_beat_ = now + Duration(random_() % static_cast<uint64_t>(config_.heartbeat.count()));
  hash_view();
}

// Every call begins here. Time that passed unserved is time in which we did not listen: what looks like
// the silence of others may be our own.
void Core::begin(MonoTime now) {
  bool stalled = now - now_ > 2 * config_.heartbeat;
  now_ = std::max(now_, now);
  if (!stalled) return;
  ++counters_.stalls;
  health_ = static_cast<uint8_t>(std::min<int>(health_ + kStallHealth, kWorstHealth));
  for (auto& [id, peer] : peers_) {
    peer.armed = now_;
    judge(peer);
  }
}

// ... and ends here: decisions first, then what the others should know, then new dials. Leaving a
// member drops its link, which takes an observer away, so decisions go on until nothing moves.
void Core::settle() {
  if (has_left()) return;
  while (observers_changed_ || !undecided_.empty()) {
    std::set<NodeId> subjects = std::exchange(undecided_, {});
    bool all = std::exchange(observers_changed_, false);
    for (auto& [id, peer] : peers_) {
      if (all || subjects.contains(id)) decide(peer);
    }
  }
  if (!new_votes_.empty()) {
    Bytes payload = VotesMessage{std::exchange(new_votes_, {})}.encode();
    for (const auto& [id, peer] : peers_) {
      if (!peer.live_link()) continue;
      ++counters_.votes_sent;
      send(id, MessageType::votes, payload);
    }
  }
  start_due_dials();
}

void Core::link_up(NodeId id, ByteView bytes, MonoTime now) {
  begin(now);
  auto head = peek_record(bytes);
  Peer* peer = nullptr;
  if (head && head->id == id && id != self_.id && !has_left()) {
    if (auto known = peers_.find(id); known != peers_.end()) known->second.link.reset();  // it is replaced
    peer = learn(bytes, id);
  }
  if (peer == nullptr ||
      (peer->record.incarnation == head->version.incarnation && peer->record.state == State::left)) {
    events_.push_back(DropLink{id});
    return settle();
  }
  Link& link = peer->link.emplace();
  link.incarnation = head->version.incarnation;
  link.since = now_;
  if (!peer->live_link()) {
    // An earlier life than the one we know of: all it gets from us is the news.
    send_records(id, {peer->bytes});
    judge(*peer);
    return settle();
  }
  peer->heard = now_;
  peer->refused = false;
  send_table(id, false);
  ++counters_.pings_sent;
  send(id, MessageType::ping, PingMessage{stamp_of(now_), view_hash_, health_}.encode());
  for (auto& [other, each] : peers_) judge(each);  // another node may have had this address before
  undecided_.insert(id);
  settle();
}

void Core::link_down(NodeId id, LinkEnd how, MonoTime now) {
  begin(now);
  auto at = peers_.find(id);
  if (at == peers_.end() || !at->second.link) return;
  Peer& peer = at->second;
  if (now_ - peer.link->since >= kSettledLink) peer.dial.reset(now_);
  peer.link.reset();
  // A process that died refuses the redial at once; one that said goodbye wants to be left alone.
  if (how == LinkEnd::closed) {
    peer.dial.hurry(now_, config_.redial_min);
  } else {
    peer.dial.failed(now_, config_.redial_min, config_.departed_redial_max, random_);
  }
  judge(peer);
  settle();
}

// Takes the link away from our side. What the peer said of others goes with it.
void Core::drop_link(Peer& peer) {
  if (!peer.link) return;
  peer.link.reset();
  peer.dial.reset(now_ + config_.redial_min);
  events_.push_back(DropLink{peer.record.id});
  judge(peer);
}

void Core::heard(NodeId id, MonoTime now) {
  begin(now);
  auto at = peers_.find(id);
  if (at != peers_.end() && at->second.live_link()) {
    at->second.heard = now_;
    judge(at->second);
  }
  settle();
}

void Core::handle_timeout(MonoTime now) {
  begin(now);
  if (has_left()) return;
  if (now_ >= next_beat_) beat();
  for (auto& [id, peer] : peers_) judge(peer);
  settle();
}

void Core::beat() {
  next_beat_ += config_.heartbeat;
  if (next_beat_ <= now_) next_beat_ = now_ + config_.heartbeat;
  if (health_ > 0) --health_;
  forget_departed();
  Bytes payload = PingMessage{stamp_of(now_), view_hash_, health_}.encode();
  for (const auto& [id, peer] : peers_) {
    if (!peer.live_link()) continue;
    ++counters_.pings_sent;
    send(id, MessageType::ping, payload);
  }
}

MonoTime Core::poll_timeout() const {
  if (has_left()) return kNever;
  MonoTime next = std::min(next_beat_, next_dial());
  for (const auto& [id, peer] : peers_) {
    for (Duration patience : {silence_of(peer), hang_of(peer)}) {
      MonoTime at = peer.quiet_since() + patience;
      if (at > now_) next = std::min(next, at);
    }
  }
  return next;
}

Result<void> Core::handle_message(NodeId from, uint8_t type, ByteView payload, MonoTime now) {
  begin(now);
  auto at = peers_.find(from);
  if (has_left() || at == peers_.end() || !at->second.link) return {};  // crossed with the end of the link
  Peer& peer = at->second;
  auto refuse = [&](Error error) {
    ++counters_.messages_refused;
    settle();
    return error;
  };
  if (!peer.live_link()) {  // an earlier life has nothing to say
    settle();
    return {};
  }
  peer.heard = now_;
  judge(peer);
  switch (static_cast<MessageType>(type)) {
    case MessageType::ping: {
      auto ping = PingMessage::decode(payload);
      if (!ping) return refuse(std::move(ping).error());
      take_ping(peer, *ping);
      break;
    }
    case MessageType::ack: {
      auto ack = AckMessage::decode(payload);
      if (!ack) return refuse(std::move(ack).error());
      Duration sample{static_cast<int64_t>(stamp_of(now_) - ack->stamp)};
      if (sample >= 0s && sample <= kMaxRoundTrip) peer.link->rtt.add(sample);
      break;
    }
    case MessageType::votes: {
      auto votes = VotesMessage::decode(payload);
      if (!votes) return refuse(std::move(votes).error());
      take_votes(peer, *std::move(votes));
      break;
    }
    case MessageType::digest: {
      auto digest = DigestMessage::decode(payload);
      if (!digest) return refuse(std::move(digest).error());
      take_digest(peer, *digest);
      break;
    }
    case MessageType::records: {
      auto records = RecordsMessage::decode(payload);
      if (!records) return refuse(std::move(records).error());
      take_records(peer, *records);
      break;
    }
    default: ++counters_.messages_unknown; break;
  }
  settle();
  return {};
}

void Core::take_ping(Peer& peer, const PingMessage& ping) {
  send(peer.record.id, MessageType::ack, AckMessage{ping.stamp, view_hash_, health_}.encode());
  peer.link->health = ping.health;
  if (ping.view_hash == view_hash_) {
    peer.link->views_differ = 0;
  } else if (++peer.link->views_differ >= kPatience) {
    peer.link->views_differ = 0;
    send_table(peer.record.id, true);
  }
}

void Core::take_votes(Peer& peer, VotesMessage message) {
  for (const Vote& vote : message.votes) {
    auto& known = peer.link->votes;
    if (known.size() >= kMaxSubjects && !known.contains(vote.subject)) continue;
    known[vote.subject] = vote;
    auto subject = peers_.find(vote.subject);
    if (subject == peers_.end()) continue;
    undecided_.insert(vote.subject);
    // Somebody reaches it, so it is time to look again ourselves.
    if (vote.verdict == Verdict::ok && !subject->second.link)
      subject->second.dial.hurry(now_, config_.redial_min);
  }
}

// What is newer here goes back; what is newer there is asked for with our own digest.
void Core::take_digest(Peer& peer, const DigestMessage& digest) {
  std::map<NodeId, RecordVersion> theirs;
  for (const RecordHead& head : digest.heads) theirs[head.id] = head.version;
  std::vector<ByteView> newer;
  bool behind = false;
  auto compare = [&](const NodeId& id, RecordVersion ours, ByteView bytes, bool offer) {
    auto at = theirs.find(id);
    if (at == theirs.end()) {
      if (offer) newer.push_back(bytes);
      return;
    }
    if (at->second < ours) newer.push_back(bytes);
    if (at->second > ours) behind = true;
    theirs.erase(at);
  };
  compare(self_.id, self_.version(), self_bytes_, true);
  for (const auto& [id, other] : peers_) compare(id, other.record.version(), other.bytes, other.in_view);
  send_records(peer.record.id, newer);
  if (digest.answer && (behind || !theirs.empty())) send_digest(peer.record.id, false);
}

void Core::take_records(Peer& peer, const RecordsMessage& message) {
  NodeId from = peer.record.id;
  for (const Bytes& record : message.records) learn(record, from);
}

void Core::send(const NodeId& to, MessageType type, Bytes payload) {
  transmits_.push_back({to, static_cast<uint8_t>(type), std::move(payload)});
}

void Core::send_records(const NodeId& to, const std::vector<ByteView>& records) {
  RecordsMessage batch;
  size_t size = 0;
  auto flush = [&] {
    if (batch.records.empty()) return;
    send(to, MessageType::records, batch.encode());
    batch.records.clear();
    size = 0;
  };
  for (ByteView record : records) {
    if (size + record.size() + kMaxRecordBytes > kMaxMessageBytes) flush();
    batch.records.emplace_back(record.begin(), record.end());
    size += record.size();
  }
  flush();
}

// The view, and who left it on purpose: the others should not have to find that out as a crash.
void Core::send_digest(const NodeId& to, bool answer) {
  DigestMessage digest{answer, {{self_.id, self_.version()}}};
  for (const auto& [id, peer] : peers_) {
    if (peer.in_view || peer.record.state == State::left) digest.heads.push_back({id, peer.record.version()});
    if (digest.heads.size() == kMaxSubjects) break;
  }
  ++counters_.digests_sent;
  send(to, MessageType::digest, digest.encode());
}

void Core::send_table(const NodeId& to, bool answer) {
  send_digest(to, answer);
  VotesMessage table;
  for (const auto& [id, peer] : peers_) {
    if (peer.mine.verdict != Verdict::none && id != to) table.votes.push_back(peer.mine);
    if (table.votes.size() == kMaxSubjects) break;
  }
  ++counters_.votes_sent;
  send(to, MessageType::votes, table.encode());
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

std::optional<Transmit> Core::poll_transmit() {
  if (transmits_.empty()) return std::nullopt;
  Transmit out = std::move(transmits_.front());
  transmits_.pop_front();
  return out;
}

std::optional<Dial> Core::poll_dial() {
  if (dials_.empty()) return std::nullopt;
  Dial out = std::move(dials_.front());
  dials_.pop_front();
  return out;
}

std::optional<Event> Core::poll_event() {
  if (events_.empty()) return std::nullopt;
  Event out = std::move(events_.front());
  events_.pop_front();
  return out;
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
    row.record = peer.record;
    row.since = peer.member_since;
    if (const Link* link = peer.live_link()) {
      row.rtt = link->rtt.smoothed;
      row.health = link->health;
    }
    if (peer.reachable) {
      row.link = Member::Link::alive;
    } else {
      bool accused = peer.mine.verdict == Verdict::silent || peer.mine.verdict == Verdict::refused;
      row.link = accused ? Member::Link::unreachable : Member::Link::suspect;
    }
  }
  return out;
}

const NodeRecord* Core::member(const NodeId& node) const {
  if (node == self_.id) return &self_;
  auto at = peers_.find(node);
  return at != peers_.end() && at->second.in_view ? &at->second.record : nullptr;
}

}  // namespace kith::membership
