#include "replication/core.h"

#include <algorithm>

#include "base/check.h"
#include "base/take.h"
#include "crypto/hash.h"

namespace kith::replication {

Core::Core(Config config, Replica self, crypto::SigningKey key, Source& source, MonoTime now)
    : config_(std::move(config)),
      self_(self),
      key_(std::move(key)),
      source_(source),
      next_tick_(now + config_.exchange_interval),
      ring_(config_.ring) {}

Dot Core::append(Op op, MonoTime now) {
  had_input_ = true;
  KITH_CHECK(op.payload.size() <= kMaxPayload && op.expires_ms >= 0);
  op.dot = Dot{self_, ++own_seq_};
  Bytes record = make_record(op, key_, config_.cluster);
  events_.push_back(Appended{op.dot, told(record)});
  ring_.put(op.dot, std::move(record), now);
  applied_[self_].add(own_seq_);
  note_progress(self_);
  ++counters_.ops_appended;
  return op.dot;
}

// What is missing is asked for by number; where that has left the rings, a snapshot comes as ever. Nobody is
// present yet, so all these logs are departed ones.
void Core::recover(Recovered recovered, MonoTime now) {
  KITH_CHECK(peers_.empty() && own_seq_ == 0);
  had_input_ = true;
  for (auto& [dot, record] : recovered.records) ring_.put(dot, std::move(record), now);
  for (auto& [origin, coverage] : recovered.applied) {
    if (coverage.empty() || origin == self_) continue;
    log_of(origin, now).merge(coverage);
    events_.push_back(Covered{origin, coverage.prefix()});
    recovered_ = true;
  }
  partial_ = recovered.partial;
  // With no donor and a limit that nothing reaches, a debt is written when there is somebody to write it for.
  const Vector unknown{{Replica{}, Coverage(kMaxSeq)}};
  owing_ = recovered.owes_all || !recovered.owes.empty();
  if (recovered.owes_all) {
    owe(Debt{Replica{}, unknown, std::nullopt, now}, now);
  } else {
    for (const auto& of : recovered.owes) owe(Debt{Replica{}, unknown, of, now}, now);
  }
}

void Recovered::keep(const Dot& dot, Bytes record) {
  bytes_ += record.size();
  records.emplace_back(dot, std::move(record));
  for (; bytes_ > RingLimits{}.max_bytes; records.pop_front()) bytes_ -= records.front().second.size();
}

// Where it replaces another link, we are not without this peer for a moment: so only planning, and no look
// at whether we have caught up.
void Core::peer_up(Replica replica, MonoTime now) {
  had_input_ = true;
  drop(replica.node, now);
  if (is_retired(replica)) log_of(replica, now);
  forget_departed(replica);
  Peer& peer = peers_[replica.node];
  peer.replica = replica;
  peer.own_at_up = own_seq_;
  plan(now);
}

void Core::peer_down(NodeId node, MonoTime now) {
  had_input_ = true;
  drop(node, now);
  plan(now);
  check_caught_up();
}

void Core::drop(NodeId node, MonoTime now) {
  auto found = peers_.find(node);
  if (found == peers_.end()) return;
  const Replica replica = found->second.replica;
  peers_.erase(found);
  if (applied_.contains(replica)) departed_.push_back({replica, now});
  if (auto brought = brought_.find(node); brought != brought_.end()) {
    std::erase_if(brought->second, [&](const Replica& origin) { return !applied_.contains(origin); });
    if (brought->second.empty()) brought_.erase(brought);
  }

  if (intake_ && intake_->from == replica) abort_snapshot(now);
  for (auto& [origin, repair] : repairs_) {
    if (repair.ask && repair.ask->to == node) repair.ask.reset();
    repair.gone.erase(node);
  }
  std::vector<uint64_t> ended;
  for (const auto& [request, pull] : pulls_)
    if (pull.from == node) ended.push_back(request);
  for (uint64_t request : ended) finish_pull(request, false, false);
  for (Debt& debt : debts_)
    if (debt.from == replica) debt.since = now;
  note_lack(replica, now);  // what others claim of its log cannot be put to it any more
  // Its tail is now the survivors' affair: let them know at once who has how much of it.
  for (auto& [id, peer] : peers_)
    if (!peer.changed.empty()) peer.tell_now = true;
}

void Core::allow_founding(MonoTime now) {
  had_input_ = true;
  founding_ = true;
  plan(now);
  check_caught_up();
}

Result<void> Core::handle_message(NodeId from, uint8_t type, ByteView payload, MonoTime now) {
  Peer* peer = find(from);
  if (!peer) return {};
  had_input_ = true;
  Result<void> result;
  if (payload.size() > kMaxMessage) {
    result = Error(Code::limit, "a replication message is too large", Side::peer);
  } else {
    switch (static_cast<MessageType>(type)) {
      case MessageType::ops: result = on_ops(*peer, payload, now); break;
      case MessageType::vector: result = on_vector(*peer, payload, now); break;
      case MessageType::range_request: result = on_range_request(*peer, payload); break;
      case MessageType::range_end: result = on_range_end(*peer, payload, now); break;
      case MessageType::snapshot_request: result = on_snapshot_request(*peer, payload); break;
      case MessageType::snapshot: result = on_snapshot(*peer, payload, now); break;
      case MessageType::snapshot_ack: result = on_snapshot_ack(*peer, payload); break;
      case MessageType::pull: result = on_pull(*peer, payload); break;
      case MessageType::pulled: result = on_pulled(*peer, payload, now); break;
      default: break;  // of a later version: not for us
    }
  }
  if (!result) ++counters_.messages_refused;
  check_caught_up();
  return result;
}

void Core::handle_timeout(MonoTime now) {
  if (now < next_tick_) return;
  had_input_ = true;
  next_tick_ = now + config_.exchange_interval;
  ring_.expire(now);
  for (auto& [node, peer] : peers_)
    if (!peer.changed.empty()) peer.tell_now = true;
  expire_requests(now);
  plan(now);
  settle_debts(now);
  retire_logs(now);
  check_caught_up();
}

std::optional<Event> Core::poll_event() {
  return take_front(events_);
}

uint64_t Core::pull(NodeId from, StoreId store, const Key& key, const Dot& at_least, MonoTime now) {
  had_input_ = true;
  const uint64_t request = next_request_++;
  pulls_[request] = PendingPull{from, store, key, now + config_.pull_timeout};
  ++counters_.pulls_asked;
  if (Peer* peer = find(from)) {
    peer->small.push_back({MessageType::pull, encode(PullRequest{request, store, key, at_least})});
  } else {
    finish_pull(request, false, false);
  }
  return request;
}

void Core::finish_pull(uint64_t request, bool found, bool covers) {
  auto pending = pulls_.find(request);
  if (pending == pulls_.end()) return;
  events_.push_back(Pulled{request, pending->second.from, found, covers});
  pulls_.erase(pending);
}

bool Core::covers(const Dot& dot) const { return dot.seq == 0 || have_of(dot.origin).contains(dot.seq); }

uint64_t Core::vector_digest() const {
  Bytes bytes;
  Writer out(bytes);
  for (const auto& [origin, coverage] : applied_) {
    out.id(origin.node);
    out.u64(origin.incarnation);
    coverage.encode(out);
  }
  const crypto::Digest digest = crypto::sha256(bytes);
  return Reader(digest).u64();
}

size_t Core::acked_by(uint64_t own_seq) const {
  return static_cast<size_t>(std::count_if(peers_.begin(), peers_.end(), [&](const auto& each) {
    return replication::covers(each.second.known, Dot{self_, own_seq});
  }));
}

std::vector<NodeId> Core::present() const {
  std::vector<NodeId> nodes;
  for (const auto& [node, peer] : peers_) nodes.push_back(node);
  return nodes;
}

std::vector<NodeId> Core::holders(const Dot& dot) const {
  std::vector<NodeId> nodes;
  for (const auto& [node, peer] : peers_) {
    if (peer.replica == dot.origin)
      nodes.insert(nodes.begin(), node);  // what it wrote, it has
    else if (replication::covers(peer.known, dot))
      nodes.push_back(node);
  }
  return nodes;
}

Core::Peer* Core::find(NodeId node) {
  auto found = peers_.find(node);
  return found == peers_.end() ? nullptr : &found->second;
}

bool Core::is_present(const Replica& replica) const {
  auto found = peers_.find(replica.node);
  return found != peers_.end() && found->second.replica == replica;
}

bool Core::is_retired(const Replica& replica) const { return retired_.contains(replica); }

const Coverage& Core::have_of(const Replica& origin) const {
  static const Coverage kNothing;
  if (auto found = applied_.find(origin); found != applied_.end()) return found->second;
  if (auto found = retired_.find(origin); found != retired_.end()) return found->second;
  return kNothing;
}

Coverage& Core::log_of(const Replica& origin, MonoTime now) {
  auto [entry, fresh] = applied_.try_emplace(origin);
  if (!fresh) return entry->second;
  if (!is_present(origin)) departed_.push_back({origin, now});
  if (auto old = retired_.find(origin); old != retired_.end()) {
    entry->second = std::move(old->second);
    retired_.erase(old);
    std::erase(retired_order_, origin);
    note_progress(origin);
  }
  return entry->second;
}

void Core::note_progress(const Replica& origin) {
  for (auto& [node, peer] : peers_) {
    peer.changed.insert(origin);
    if (peer.replica == origin) peer.ack_due = true;
  }
}

// The peer whose log this is, once it has said how far the log goes.
const Core::Peer* Core::writer_of(const Replica& origin) const {
  auto found = peers_.find(origin.node);
  const bool speaks = found != peers_.end() && found->second.replica == origin && found->second.introduced;
  return speaks ? &found->second : nullptr;
}

// How far a peer's log goes, as it has told us by its vectors and its writes.
uint64_t Core::told_end(const Peer& writer) {
  auto own = writer.known.find(writer.replica);
  return own == writer.known.end() ? 0 : own->second.highest();
}

// What can be true of a claim: nobody has more of a present peer's log than the peer wrote.
Coverage Core::credible(const Replica& origin, const Coverage& claim) const {
  Coverage result = claim;
  if (const Peer* writer = writer_of(origin)) result.clip(told_end(*writer));
  return result;
}

// Where a claim ends that is not credible so far but may be true, its writer's link being the slower
// one; 0 when there is nothing to find out. A node that joins asks the writer before it gives it up.
uint64_t Core::open_claim(const Replica& origin, const Coverage& claim) const {
  const Peer* writer = caught_up_ ? nullptr : writer_of(origin);
  if (!writer || claim.highest() <= std::max(writer->end_heard, told_end(*writer))) return 0;
  return claim.highest();
}

void Core::forget_departed(const Replica& origin) {
  std::erase_if(departed_, [&](const Departed& departed) { return departed.origin == origin; });
}

}  // namespace kith::replication
