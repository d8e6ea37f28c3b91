// What the core sends: built at the moment a link takes it, from cursors, so that a slow peer costs
// nothing but its cursor.
#include <algorithm>

#include "replication/core.h"

namespace kith::replication {
namespace {

Transmit message(NodeId to, Priority priority, MessageType type, Bytes payload) {
  return Transmit{to, priority, static_cast<uint8_t>(type), std::move(payload)};
}

}  // namespace

std::optional<Transmit> Core::poll_transmit(NodeId to, Priority priority) {
  Peer* peer = find(to);
  if (!peer || !events_.empty()) return std::nullopt;
  switch (priority) {
    case Priority::control: return control_for(*peer);
    case Priority::session: return own_ops_for(*peer);
    case Priority::repair: {
      auto range = range_for(*peer);
      return range ? std::move(range) : snapshot_for(*peer);
    }
  }
  return std::nullopt;
}

// Vectors take turns with the rest, for on a slow link an acknowledgement is always due.
std::optional<Transmit> Core::control_for(Peer& peer) {
  const bool rest_waits = !peer.small.empty() || !peer.pulls.empty();
  if (peer.tell_all || !peer.vector_was_last || !rest_waits) {
    if (auto vector = vector_for(peer)) {
      peer.vector_was_last = true;
      return vector;
    }
  }
  peer.vector_was_last = false;
  if (!peer.small.empty()) {
    Small small = std::move(peer.small.front());
    peer.small.pop_front();
    return message(peer.replica.node, Priority::control, small.type, std::move(small.payload));
  }
  if (!peer.pulls.empty()) return pull_answer_for(peer);
  return std::nullopt;
}

// First all that we have, in parts when it is much; later what changed, at intervals; in between the
// entry of the peer's own log alone, which is its acknowledgement.
std::optional<Transmit> Core::vector_for(Peer& peer) {
  if (!peer.tell_all && !peer.tell_now && !peer.ack_due) return std::nullopt;
  VectorMessage out;
  out.caught_up = caught_up_;
  out.partial = partial_;
  out.complete = true;
  size_t size = 0;
  auto add = [&](const Replica& origin) {
    const Coverage& log = have_of(origin);
    if (log.empty()) return;
    size += 48 + 20 * log.above().size();
    out.entries.emplace_back(origin, log);
  };
  if (peer.tell_all) {
    auto at = peer.tell_from ? applied_.upper_bound(*peer.tell_from) : applied_.begin();
    for (; at != applied_.end() && size < kVectorBytes; ++at) {
      add(at->first);
      peer.changed.erase(at->first);
      peer.tell_from = at->first;
    }
    out.complete = at == applied_.end();
    peer.tell_all = !out.complete;
    if (out.complete) peer.tell_now = false;
  } else {
    if (peer.ack_due) {
      add(peer.replica);
      peer.changed.erase(peer.replica);
    }
    if (peer.tell_now) {
      while (!peer.changed.empty() && size < kVectorBytes)
        add(peer.changed.extract(peer.changed.begin()).value());
      peer.tell_now = !peer.changed.empty();
    }
    peer.ack_due = false;
  }
  return message(peer.replica.node, Priority::control, MessageType::vector, encode(out));
}

std::optional<Transmit> Core::own_ops_for(Peer& peer) {
  if (!peer.introduced) return std::nullopt;
  const Coverage& has = peer.known[self_];
  OpsWriter out(self_);
  for (;;) {
    const Ring::Found found = ring_.at_or_after(self_, peer.next_own);
    if (!found.body) {
      peer.next_own = own_seq_ + 1;
      break;
    }
    // A peer cannot have had before us what we wrote since the link came up, whatever it says.
    if (found.seq > peer.own_at_up || !has.contains(found.seq)) {
      if (!out.add(found.seq, *found.body)) break;
      ++counters_.ops_sent;
    }
    peer.next_own = found.seq + 1;
  }
  if (out.empty()) return std::nullopt;
  return message(peer.replica.node, Priority::session, MessageType::ops, out.take());
}

std::optional<Transmit> Core::range_for(Peer& peer) {
  if (peer.ranges.empty()) return std::nullopt;
  RangeJob& job = peer.ranges.begin()->second;
  OpsWriter out(job.origin);
  bool full = false;
  while (!job.wanted.empty() && job.budget > 0 && !full) {
    Interval& piece = job.wanted.front();
    const Ring::Found found = ring_.at_or_after(job.origin, piece.first);
    if (!found.body || found.seq != piece.first) job.gone = true;
    if (!found.body || found.seq > piece.last) {
      job.wanted.erase(job.wanted.begin());
    } else if (out.add(found.seq, *found.body)) {
      piece.first = found.seq + 1;
      job.budget -= std::min(job.budget, found.body->size());
      if (piece.first > piece.last) job.wanted.erase(job.wanted.begin());
    } else {
      full = true;
    }
  }
  if (!out.empty()) return message(peer.replica.node, Priority::repair, MessageType::ops, out.take());
  const RangeEnd end{job.request, job.origin, job.gone, have_of(job.origin).highest()};
  peer.ranges.erase(peer.ranges.begin());
  ++counters_.ranges_answered;
  return message(peer.replica.node, Priority::repair, MessageType::range_end, encode(end));
}

std::optional<Transmit> Core::snapshot_for(Peer& peer) {
  if (!peer.snapshot || peer.snapshot->next_chunk >= peer.snapshot->acked_chunks + config_.snapshot_window)
    return std::nullopt;
  SnapshotJob& job = *peer.snapshot;
  SnapshotChunk chunk;
  chunk.request = job.request;
  chunk.chunk = job.next_chunk++;
  chunk.last = !source_.next(job.cursor, kBatchBytes, chunk.entries);
  chunk.ahead = ahead_of(peer);
  chunk.beyond = owed_for(std::nullopt);
  if (chunk.chunk == 0) chunk.ahead.insert(retired_.begin(), retired_.end());
  if (chunk.last) {
    peer.snapshot.reset();
    ++counters_.snapshots_served;
  }
  return message(peer.replica.node, Priority::repair, MessageType::snapshot, encode(chunk));
}

Transmit Core::pull_answer_for(Peer& peer) {
  const PullRequest ask = peer.pulls.front();
  peer.pulls.pop_front();
  PullAnswer answer;
  answer.request = ask.request;
  answer.state = source_.state_of(ask.store, ask.key);
  answer.covers = covers(ask.at_least);
  if (answer.state) {
    answer.ahead = ahead_of(peer);
    for (const auto& [origin, coverage] : owed_for(std::pair{ask.store, ask.key}))
      answer.ahead[origin].merge(coverage);
  }
  ++counters_.pulls_answered;
  return message(peer.replica.node, Priority::control, MessageType::pulled, encode(answer));
}

// What our state of this key, or of any, may hold beyond our own logs.
Vector Core::owed_for(std::optional<std::pair<StoreId, Key>> key) const {
  Vector owed;
  for (const Debt& debt : debts_) {
    if ((key && debt.key && debt.key != key) || is_paid(debt)) continue;
    for (const auto& [origin, coverage] : debt.limit) owed[origin].merge(coverage);
  }
  return owed;
}

// Only what the peer is not known to have: it need not be told the rest to know what a state may hold.
Vector Core::ahead_of(const Peer& peer) const {
  Vector ahead;
  for (const auto& [origin, coverage] : applied_) {
    auto known = peer.known.find(origin);
    if (known == peer.known.end() || !known->second.contains(coverage)) ahead.emplace(origin, coverage);
  }
  return ahead;
}

}  // namespace kith::replication
