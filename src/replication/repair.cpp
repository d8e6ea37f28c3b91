// How a core gets what it lacks: ranges from whoever has them, a snapshot when they left the rings,
// and, for state that no log will bring, a number in our own log.
#include <algorithm>

#include "replication/core.h"

namespace kith::replication {
namespace {

constexpr size_t kMaxRetiredRemembered = 512;

}  // namespace

void Core::note_lack(const Replica& origin, MonoTime now) {
  const Coverage& mine = have_of(origin);
  for (const auto& [node, peer] : peers_) {
    auto known = peer.known.find(origin);
    if (known == peer.known.end()) continue;
    if (!mine.contains(credible(origin, known->second)) || open_claim(origin, known->second) != 0) {
      repairs_.try_emplace(origin, Repair{mine.prefix(), now, {}, {}, false});
      return;
    }
  }
}

void Core::plan(MonoTime now) {
  if (intake_) return;
  if (!caught_up_ && !took_snapshot_) {
    if (Peer* donor = join_donor(now)) return begin_snapshot(*donor, now);
  }
  for (auto at = repairs_.begin(); at != repairs_.end();) {
    auto here = at++;
    if (Peer* donor = plan_log(here->first, here->second, now)) return begin_snapshot(*donor, now);
  }
}

// A node that comes with nothing takes all at once; one that has its journal asks for what it missed by
// number. What a peer holds of retired logs it gives in a snapshot alone.
bool Core::needs_snapshot_of(const Peer& peer) const {
  if (!(peer.caught_up || founding_)) return false;
  return peer.partial || (!recovered_ && !contains(applied_, peer.known));
}

// The peer to copy from while joining: one that is ready itself, and of those the one with the most.
Core::Peer* Core::join_donor(MonoTime now) {
  std::vector<Peer*> having;
  for (auto& [node, peer] : peers_) {
    if (peer.introduced && needs_snapshot_of(peer)) having.push_back(&peer);
  }
  return having.empty() ? nullptr : best_donor(having, now);
}

Core::Peer* Core::best_donor(const std::vector<Peer*>& among, MonoTime now) {
  auto rank = [&](Peer* peer) {
    return std::tuple(now >= peer->no_donor_until, peer->caught_up, worth(*peer));
  };
  return *std::max_element(among.begin(), among.end(), [&](Peer* a, Peer* b) { return rank(a) < rank(b); });
}

// How much a peer has, as far as somebody else says that it exists: by inventing more it gains nothing.
uint64_t Core::worth(const Peer& peer) const {
  uint64_t sum = 0;
  for (const auto& [origin, claim] : peer.known) {
    uint64_t end = have_of(origin).highest();
    for (const auto& [node, other] : peers_) {
      auto known = &other == &peer ? other.known.end() : other.known.find(origin);
      if (known != other.known.end()) end = std::max(end, known->second.highest());
    }
    Coverage confirmed = claim;
    confirmed.clip(end);
    sum += confirmed.count();
  }
  return sum;
}

// Asks for what is missing of one log, or forgets the repair when nothing is. Returns a donor when only
// a snapshot helps.
Core::Peer* Core::plan_log(const Replica& origin, Repair& repair, MonoTime now) {
  const Coverage& mine = have_of(origin);
  std::vector<Peer*> having;
  uint64_t claimed = 0;
  for (auto& [node, peer] : peers_) {
    auto known = peer.known.find(origin);
    if (!peer.introduced || known == peer.known.end()) continue;
    if (!mine.contains(credible(origin, known->second))) having.push_back(&peer);
    claimed = std::max(claimed, open_claim(origin, known->second));
  }
  if (having.empty() && claimed == 0) {
    repairs_.erase(origin);
    return nullptr;
  }
  if (repair.stalled_at != mine.prefix()) {
    repair.stalled_at = mine.prefix();
    repair.since = now;
    repair.gone.clear();
  }
  repair.hopeless = false;
  if (claimed != 0 && !(repair.ask && repair.ask->to == origin.node)) {
    ask_end(origin, claimed, repair, now);  // rather than wait for whom we asked while it was away
    return nullptr;
  }
  if (repair.ask) return nullptr;
  // The origin itself is sending it, in order; ask only when that got stuck. A joining node was not
  // promised the old part.
  if (caught_up_ && is_present(origin) && now - repair.since < config_.direct_grace) return nullptr;

  std::vector<Peer*> fresh;
  for (Peer* peer : having)
    if (!repair.gone.contains(peer->replica.node)) fresh.push_back(peer);
  if (fresh.empty()) {
    Peer* donor = best_donor(having, now);
    if (now >= donor->no_donor_until) return donor;
    repair.hopeless = true;  // who claims it neither has it in the ring nor gives a snapshot
    return nullptr;
  }
  auto is_silent = [now](const Peer* peer) { return now < peer->silent_until; };
  if (!std::all_of(fresh.begin(), fresh.end(), is_silent)) std::erase_if(fresh, is_silent);
  ask_range(*fresh[next_request_ % fresh.size()], origin, repair, now);
  return nullptr;
}

void Core::ask_range(Peer& peer, const Replica& origin, Repair& repair, MonoTime now) {
  const Coverage& mine = have_of(origin);
  RangeRequest request{next_request_++, origin,
                       credible(origin, peer.known[origin]).minus(mine, kMaxRangeIntervals)};
  repair.ask = Ask{peer.replica.node, request.request, mine.count(), 0, now + config_.request_timeout};
  peer.small.push_back({MessageType::range_request, encode(request)});
  ++counters_.ranges_asked;
}

// The answer's end is what counts: the writer says it after it wrote what others may have had from it.
void Core::ask_end(const Replica& origin, uint64_t claimed, Repair& repair, MonoTime now) {
  const RangeRequest request{next_request_++, origin, {{claimed, claimed}}};
  repair.ask = Ask{origin.node, request.request, 0, claimed, now + config_.request_timeout};
  peers_.at(origin.node).small.push_back({MessageType::range_request, encode(request)});
  ++counters_.ranges_asked;
}

void Core::begin_snapshot(Peer& donor, MonoTime now) {
  intake_ = Intake{donor.replica, next_request_++, 0, now + config_.request_timeout, {}, {}};
  donor.small.push_back({MessageType::snapshot_request, encode(SnapshotRequest{intake_->request})});
  for (auto& [origin, repair] : repairs_)
    if (repair.ask && repair.ask->to == donor.replica.node) repair.ask.reset();
}

// Whatever was in the donor's logs when it began is in our state now.
void Core::finish_snapshot(Peer& donor, MonoTime now) {
  Intake intake = std::move(*intake_);
  intake_.reset();
  took_snapshot_ = true;
  ++counters_.snapshots_taken;
  for (const auto& [origin, claim] : intake.at_start) {
    const Coverage coverage = credible(origin, claim);
    if (origin == self_ || have_of(origin).contains(coverage)) continue;
    if ((!knows(origin) || is_retired(origin)) && !bring(donor.replica.node, origin)) continue;
    Coverage& log = log_of(origin, now);
    if (!log.merge(coverage)) continue;
    events_.push_back(Adopted{origin, coverage});
    events_.push_back(Covered{origin, log.prefix()});
    note_progress(origin);
  }
  for (auto& [origin, repair] : repairs_) repair.gone.clear();
  owe(Debt{donor.replica, std::move(intake.latest), std::nullopt, now}, now);
  plan(now);
}

void Core::abort_snapshot(MonoTime now) {
  Intake intake = std::move(*intake_);
  intake_.reset();
  ++counters_.snapshots_aborted;
  if (intake.next_chunk == 0) return;
  owe(Debt{intake.from, std::move(intake.latest), std::nullopt, now}, now);
}

// What one peer alone says that a node that is gone has written, and does not give when it is asked.
bool Core::is_empty_talk(const Replica& origin) const {
  auto repair = repairs_.find(origin);
  if (repair == repairs_.end() || !repair->second.hopeless || is_present(origin)) return false;
  const Coverage& mine = have_of(origin);
  return std::count_if(peers_.begin(), peers_.end(), [&](const auto& each) {
           auto known = each.second.known.find(origin);
           return known != each.second.known.end() && !mine.contains(known->second);
         }) == 1;
}

void Core::check_caught_up() {
  if (caught_up_ || intake_) return;
  bool ready = founding_;
  for (const auto& [node, peer] : peers_) {
    if (!peer.introduced || (peer.partial && !took_snapshot_ && needs_snapshot_of(peer))) return;
    for (const auto& [origin, coverage] : peer.at_start) {
      if (open_claim(origin, coverage) != 0) return;
      if (!have_of(origin).contains(credible(origin, coverage)) && !is_empty_talk(origin)) return;
    }
    ready |= peer.caught_up;
  }
  if (!ready) return;
  caught_up_ = true;
  events_.push_back(CaughtUp{});
  for (auto& [node, peer] : peers_) {
    peer.at_start.clear();
    peer.tell_now = true;
  }
}

void Core::expire_requests(MonoTime now) {
  for (auto& [origin, repair] : repairs_) {
    if (repair.ask && now >= repair.ask->deadline) {
      repair.gone.insert(repair.ask->to);
      if (Peer* peer = find(repair.ask->to)) peer->silent_until = now + config_.donor_pause;
      repair.ask.reset();
    }
  }
  if (intake_ && now >= intake_->deadline) {
    if (Peer* donor = find(intake_->from.node)) donor->no_donor_until = now + config_.donor_pause;
    abort_snapshot(now);
  }
  std::vector<uint64_t> late;
  for (const auto& [request, pull] : pulls_)
    if (now >= pull.deadline) late.push_back(request);
  for (uint64_t request : late) finish_pull(request, false, false);
}

// What is paid is looked for first: writing a debt makes every peer take a snapshot, and owe for that.
void Core::owe(Debt debt, MonoTime now) {
  debts_.push_back(std::move(debt));
  if (debts_.size() <= config_.max_debts) return;
  std::erase_if(debts_, [this](const Debt& each) { return is_paid(each); });
  if (debts_.size() <= config_.max_debts) return;
  if (!debts_.front().key) return write_debts();
  write_debt(*debts_.front().key, now);
  debts_.pop_front();
}

// A debt is paid when all that the state may hold came by the logs.
bool Core::is_paid(const Debt& debt) const {
  return std::all_of(debt.limit.begin(), debt.limit.end(),
                     [&](const auto& entry) { return have_of(entry.first).contains(entry.second); });
}

// While its donor is present, or something is still on its way, payment is expected; afterwards nobody
// else may have it. A member that goes on claiming what it does not give must not put that off for ever.
void Core::settle_debts(MonoTime now) {
  std::erase_if(debts_, [this](const Debt& debt) { return is_paid(debt); });
  note_settled();
  if (!caught_up_ || intake_ || peers_.empty()) return;
  const bool quiet =
      std::all_of(repairs_.begin(), repairs_.end(), [](const auto& each) { return each.second.hopeless; });
  const Duration patience = quiet ? config_.direct_grace : config_.debt_patience;
  auto is_due = [&](const Debt& debt) { return !is_present(debt.from) && now - debt.since >= patience; };
  for (const Debt& debt : debts_)
    if (!debt.key && is_due(debt)) return write_debts();
  std::erase_if(debts_, [&](const Debt& debt) {
    if (!is_due(debt)) return false;
    write_debt(*debt.key, now);
    return true;
  });
  note_settled();
}

void Core::note_settled() {
  if (!owing_ || intake_ || !debts_.empty()) return;
  owing_ = false;
  events_.push_back(Settled{});
}

// The state of one key becomes an op of ours.
void Core::write_debt(const std::pair<StoreId, Key>& of, MonoTime now) {
  ++counters_.debts_written;
  const auto& [store, key] = of;
  std::optional<Bytes> state = source_.state_of(store, key);
  if (!state) return;
  Op op;
  op.store = store;
  op.kind = kStateKind;
  op.key = key;
  op.payload = std::move(*state);
  append(std::move(op), now);
}

// All that we owe: we take a number that has no op, so that every peer finds it missing, finds it in no
// ring, and takes a snapshot from us.
void Core::write_debts() {
  ++counters_.debts_written;
  applied_[self_].add(++own_seq_);
  events_.push_back(Adopted{self_, applied_[self_]});
  note_progress(self_);
  debts_.clear();
  note_settled();
}

// Restarts leave logs behind that nobody writes any more. What all have alike need not be spoken of;
// whoever differs in it will say so, and then it is revived. One peer that never agrees, for whatever
// reason, must not keep them for ever; but what is on its way from it is waited for. A node that joins
// has yet to find out what it lacks of them.
void Core::retire_logs(MonoTime now) {
  if (!caught_up_) return;
  for (size_t at = 0; at < departed_.size() && departed_.size() > config_.max_departed;) {
    const Departed departed = departed_[at];
    const bool alike = std::all_of(peers_.begin(), peers_.end(), [&](const auto& each) {
      auto known = each.second.known.find(departed.origin);
      return known != each.second.known.end() && known->second == applied_[departed.origin];
    });
    const bool agreed = alike && !peers_.empty();
    const auto repair = repairs_.find(departed.origin);
    const bool on_its_way = repair != repairs_.end() && !repair->second.hopeless;
    const bool too_many = departed_.size() > 2 * config_.max_departed && !on_its_way;
    if (now - departed.since >= config_.retire_after && (agreed || too_many)) {
      departed_.erase(departed_.begin() + static_cast<std::ptrdiff_t>(at));
      retire(departed.origin);
    } else {
      ++at;
    }
  }
}

void Core::retire(const Replica& origin) {
  retired_[origin] = std::move(applied_[origin]);
  retired_order_.push_back(origin);
  applied_.erase(origin);
  partial_ = true;
  repairs_.erase(origin);
  for (auto& [node, brought] : brought_) brought.erase(origin);
  ++counters_.logs_retired;
  if (retired_order_.size() <= kMaxRetiredRemembered) return;
  const Replica oldest = retired_order_.front();
  retired_order_.pop_front();
  retired_.erase(oldest);
  events_.push_back(Forgotten{oldest});
  for (auto& [node, peer] : peers_) {
    peer.known.erase(oldest);
    peer.at_start.erase(oldest);
  }
}

}  // namespace kith::replication
