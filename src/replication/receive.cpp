// What the core does with messages. A peer may be broken or hostile: ops of others are believed when
// their writer signed them, claims about others as far as they can be true (Core::credible), and
// nothing it says makes us hold more than the limits named here.
#include <algorithm>

#include "replication/core.h"

namespace kith::replication {
namespace {

constexpr size_t kMaxWaitingPulls = 1024;
constexpr size_t kMaxWaitingRanges = 1024;

Error broken(const char* what) { return Error(Code::protocol, what, Side::peer); }

}  // namespace

Result<void> Core::on_ops(Peer& peer, ByteView payload, MonoTime now) {
  OpsReader reader(payload);
  const Replica origin = reader.origin();
  if (!reader.ok()) return broken("malformed ops");
  if (origin == self_) return broken("ops in our own name");
  const bool direct = origin == peer.replica;
  // A late answer about a log that was retired meanwhile, or something nobody asked for.
  if (is_retired(origin) || (!direct && !peer.known.contains(origin))) {
    ++counters_.ops_refused;
    return {};
  }
  Coverage& claimed = peer.known[origin];
  bool progress = false;
  while (auto next = reader.next()) {
    auto& [op, record] = *next;
    const uint64_t seq = op.dot.seq;
    if (direct) claimed.add(seq);
    if (have_of(origin).contains(seq)) {
      ++counters_.ops_duplicate;
      // That we have it may be another's word only (of a snapshot); the writer's own counts.
      if (direct) events_.push_back(Apply{std::move(op), told(record)});
    } else if (!direct && !claimed.contains(seq)) {
      ++counters_.ops_refused;
    } else if (!direct && !is_proven(record, op.dot, config_.cluster)) {
      // The rest is not looked at, for looking costs. The link stays: who passes it on need not be who
      // made it, since what comes from the writer itself is not verified.
      ++counters_.ops_forged;
      break;
    } else if (!log_of(origin, now).add(seq)) {
      ++counters_.ops_refused;  // too many gaps: it is asked for once they are filled
    } else {
      Bytes kept(record.begin(), record.end());
      const Dot dot = op.dot;
      events_.push_back(Apply{std::move(op), told(record)});
      ring_.put(dot, std::move(kept), now);
      ++counters_.ops_applied;
      progress = true;
    }
  }
  if (progress) {
    auto repair = repairs_.find(origin);
    if (repair != repairs_.end() && repair->second.ask && repair->second.ask->to == peer.replica.node)
      repair->second.ask->deadline = now + config_.request_timeout;
    events_.push_back(Covered{origin, have_of(origin).prefix()});
    note_progress(origin);
  }
  if (!reader.ok()) return broken("malformed ops");
  return {};
}

Bytes Core::told(ByteView record) const {
  return config_.tell_records ? Bytes(record.begin(), record.end()) : Bytes{};
}

Result<void> Core::on_vector(Peer& peer, ByteView payload, MonoTime now) {
  const auto message = decode_vector(payload);
  if (!message) return broken("a malformed vector");
  for (const auto& [origin, coverage] : message->entries) {
    if (origin == self_) {
      take_own_claim(peer, coverage);
      continue;
    }
    // Only the entry is left out, never the link: an honest peer may be passing on what another made up.
    if (!knows(origin) && !bring(peer.replica.node, origin)) continue;
    if (!peer.known[origin].merge(coverage)) continue;
    if (auto old = retired_.find(origin); old != retired_.end()) {
      if (old->second == coverage) {
        peer.changed.insert(origin);  // say that we agree, so that it may retire the log too
        continue;
      }
      if (!bring(peer.replica.node, origin)) continue;
      log_of(origin, now);  // not all are alike in it after all
    }
    note_lack(origin, now);
  }
  peer.caught_up = message->caught_up;
  peer.partial = message->partial;
  if (message->complete && !peer.introduced) introduce(peer, now);
  plan(now);
  return {};
}

// Its acknowledgement. One that goes beyond our log is cut there, and the link stays: the peer may have
// believed a third. What it acknowledges too early, it gets all the same (own_ops_for).
void Core::take_own_claim(Peer& peer, const Coverage& claim) {
  Coverage believed = claim;
  believed.clip(own_seq_);
  if (believed != claim) {
    ++counters_.false_claims;
    if (!std::exchange(peer.claimed_falsely, true)) events_.push_back(FalseClaim{peer.replica.node});
  }
  if (peer.known[self_].merge(believed)) events_.push_back(AckProgress{peer.replica.node, believed.prefix()});
}

bool Core::knows(const Replica& origin) const { return is_present(origin) || remembers(origin); }

// Anybody can invent names. What one peer brings is bounded, whether or not it comes back, so that it
// cannot make our vector grow without end, nor, through ours, that of the others.
bool Core::bring(NodeId peer, const Replica& origin) {
  std::set<Replica>& brought = brought_[peer];
  if (brought.contains(origin)) return true;
  if (brought.size() >= config_.max_brought) {
    ++counters_.logs_refused;
    return false;
  }
  brought.insert(origin);
  return true;
}

// A peer that is joining takes a snapshot; streaming it the whole ring as well would be wasted.
void Core::introduce(Peer& peer, MonoTime now) {
  peer.introduced = true;
  take_back(peer.replica, told_end(peer));
  const uint64_t has = peer.caught_up ? peer.known[self_].prefix() : peer.own_at_up;
  peer.next_own = std::min(has, peer.own_at_up) + 1;
  if (!caught_up_) peer.at_start = peer.known;
  note_lack(peer.replica, now);  // what others claim of its log is to be seen with other eyes
}

// The writer itself has come and says how far its log goes: what others said of it while it was away
// was not true above that, and would make us miss what it writes there.
void Core::take_back(const Replica& origin, uint64_t end) {
  auto log = applied_.find(origin);
  if (log == applied_.end() || log->second.highest() <= end) return;
  ++counters_.false_claims;
  log->second.clip(end);
  events_.push_back(Clipped{origin, end});
  events_.push_back(Forgotten{origin});
  events_.push_back(Covered{origin, log->second.prefix()});
}

Result<void> Core::on_range_request(Peer& peer, ByteView payload) {
  auto message = decode_range_request(payload);
  if (!message) return broken("a malformed range request");
  // Left out, it will be asked for again, or of somebody else.
  if (peer.ranges.size() >= kMaxWaitingRanges && !peer.ranges.contains(message->origin)) return {};
  peer.ranges[message->origin] =
      RangeJob{message->request, message->origin, std::move(message->wanted), config_.range_bytes};
  return {};
}

Result<void> Core::on_range_end(Peer& peer, ByteView payload, MonoTime now) {
  const auto message = decode_range_end(payload);
  if (!message) return broken("a malformed range end");
  auto found = repairs_.find(message->origin);
  if (found == repairs_.end()) return {};
  Repair& repair = found->second;
  if (!repair.ask || repair.ask->to != peer.replica.node || repair.ask->request != message->request)
    return {};
  if (repair.ask->claimed != 0) {
    peer.end_heard = std::max(peer.end_heard, repair.ask->claimed);
    peer.known[message->origin].merge(Coverage(message->end));
  } else {
    const bool nothing_came = have_of(message->origin).count() == repair.ask->had;
    if (message->gone || nothing_came) repair.gone.insert(peer.replica.node);
    if (message->gone) ++counters_.ranges_gone;
  }
  if (message->end == 0) {
    peer.known.erase(message->origin);
    peer.at_start.erase(message->origin);
  }
  repair.ask.reset();
  plan(now);
  return {};
}

Result<void> Core::on_snapshot_request(Peer& peer, ByteView payload) {
  const auto message = decode_snapshot_request(payload);
  if (!message) return broken("a malformed snapshot request");
  peer.snapshot = SnapshotJob{message->request};
  peer.ranges.clear();  // all of it will be in the states
  return {};
}

Result<void> Core::on_snapshot(Peer& peer, ByteView payload, MonoTime now) {
  auto message = decode_snapshot(payload);
  if (!message) return broken("a malformed snapshot");
  if (!intake_ || intake_->from != peer.replica || intake_->request != message->request) return {};
  if (message->chunk != intake_->next_chunk) return broken("a snapshot with a hole");
  if (message->chunk == 0) intake_->at_start = message->ahead;
  for (const Vector* bound : {&message->ahead, &message->beyond}) {
    for (const auto& [origin, coverage] : *bound) {
      if (knows(origin) || bring(peer.replica.node, origin))
        intake_->latest[origin].merge(coverage);
      else
        message->cut = true;
    }
  }
  if (message->cut) intake_->latest[peer.replica].merge(Coverage(kMaxSeq));  // unknown, so never paid
  ++intake_->next_chunk;
  intake_->deadline = now + config_.request_timeout;
  for (StateEntry& entry : message->entries) events_.push_back(ApplyState{std::move(entry), false});
  owing_ = true;
  peer.small.push_back(
      {MessageType::snapshot_ack, encode(SnapshotAck{message->request, intake_->next_chunk})});
  if (message->last) finish_snapshot(peer, now);
  return {};
}

Result<void> Core::on_snapshot_ack(Peer& peer, ByteView payload) {
  const auto message = decode_snapshot_ack(payload);
  if (!message) return broken("a malformed snapshot acknowledgement");
  if (peer.snapshot && peer.snapshot->request == message->request)
    peer.snapshot->acked_chunks = std::min(message->chunks, peer.snapshot->next_chunk);
  return {};
}

Result<void> Core::on_pull(Peer& peer, ByteView payload) {
  const auto message = decode_pull(payload);
  if (!message) return broken("a malformed pull");
  if (peer.pulls.size() >= kMaxWaitingPulls) return Error(Code::limit, "too many pulls", Side::peer);
  peer.pulls.push_back(*message);
  return {};
}

Result<void> Core::on_pulled(Peer& peer, ByteView payload, MonoTime now) {
  auto message = decode_pulled(payload);
  if (!message) return broken("a malformed pull answer");
  auto pending = pulls_.find(message->request);
  if (pending == pulls_.end() || pending->second.from != peer.replica.node) return {};
  if (message->state) {
    const PendingPull& pull = pending->second;
    events_.push_back(ApplyState{StateEntry{pull.store, pull.key, std::move(*message->state)}, true});
    owing_ = true;
    if (message->cut) message->ahead[peer.replica].merge(Coverage(kMaxSeq));
    owe(Debt{peer.replica, std::move(message->ahead), std::pair{pull.store, pull.key}, now}, now);
  }
  finish_pull(message->request, message->state.has_value(), message->covers);
  return {};
}

}  // namespace kith::replication
