// When to dial whom. Discovery only adds: a seed is dialled for ever, a node that is down for as long as it
// is remembered, so that islands merge whichever side finds the other. What has waited longest goes first,
// so that many dead addresses do not keep us from a live one.
#include <algorithm>

#include "membership/core.h"

namespace kith::membership {

void Backoff::failed(MonoTime now, Duration min, Duration max, std::mt19937_64& random) {
  Duration trouble = now - trouble_since;
  Duration interval = std::max(std::min<Duration>(trouble / 32, 1s), trouble / 1024);
  interval = std::clamp(interval, min, max);
  // 75 to 125 %, so that nodes that failed together do not try together.
  interval = interval / 100 * static_cast<int64_t>(75 + random() % 51);
  next = std::max(now, started + interval);
}

void RoundTrip::add(Duration sample) {
  if (smoothed == 0ns) {
    smoothed = sample;
    variance = sample / 2;
    return;
  }
  Duration error = smoothed > sample ? smoothed - sample : sample - smoothed;
  variance = (3 * variance + error) / 4;
  smoothed = (7 * smoothed + sample) / 8;
}

bool Core::add_seed(Multiaddr address, SeedKind kind) {
  if (address == self_.membership) return false;
  auto at =
      std::find_if(seeds_.begin(), seeds_.end(), [&](const Seed& seed) { return seed.address == address; });
  if (at != seeds_.end()) {
    at->named = now_;
    if (kind == SeedKind::fixed) at->kind = kind;
    return true;
  }
  Seed* place = seeds_.size() < config_.max_seeds ? &seeds_.emplace_back() : make_room_for_seed();
  if (place == nullptr) return false;
  *place = Seed{};
  place->address = std::move(address);
  place->kind = kind;
  place->named = now_;
  place->dial.reset(now_);
  dials_changed_ = true;
  start_due_dials();
  return true;
}

// The found seed that may go first; null when all are needed. One that is named now is as good as a new one.
Core::Seed* Core::make_room_for_seed() {
  Seed* oldest = nullptr;
  for (Seed& seed : seeds_) {
    bool needed = seed.kind == SeedKind::fixed || seed.dial.in_flight || seed.named == now_ || seed.occupant;
    if (!needed && (oldest == nullptr || seed.named < oldest->named)) oldest = &seed;
  }
  return oldest;
}

bool Core::wants_dial(const Edge& edge) const {
  return !edge.link && !edge.dial.in_flight && !edge.peer.has_left() &&
         (edge.neighbour || !edge.askers.empty()) && may_dial(edge.record().membership);
}

// In a large cluster a seed that is a member needs no link of ours.
bool Core::wants_dial(const Seed& seed) const {
  if (seed.dial.in_flight || !may_dial(seed.address)) return false;
  if (!seed.occupant) return true;
  auto at = peers_.find(*seed.occupant);
  if (at == peers_.end()) return true;
  bool linked = at->second.edge != nullptr && at->second.edge->link;
  return !linked && !(rings_ && at->second.in_view);
}

// A node that we are linked with lives there: whoever else claims the address is gone from it.
bool Core::is_taken(const Multiaddr& address) const {
  if (address == self_.membership) return true;
  return std::any_of(edges_.begin(), edges_.end(), [&](const auto& entry) {
    return entry.second.live_link() && entry.second.record().membership == address;
  });
}

// One dial per address at a time, so that its result has one meaning.
bool Core::may_dial(const Multiaddr& address) const {
  if (is_taken(address)) return false;
  auto busy = [&](const Backoff& dial) { return dial.in_flight == address; };
  return std::none_of(edges_.begin(), edges_.end(),
                      [&](const auto& entry) { return busy(entry.second.dial); }) &&
         std::none_of(seeds_.begin(), seeds_.end(), [&](const Seed& seed) { return busy(seed.dial); });
}

void Core::start_due_dials() {
  if (has_left() || (!dials_changed_ && now_ < next_dial_)) return;
  dials_changed_ = false;
  next_dial_ = kNever;  // when all places are taken, a result comes first
  for (auto& [id, edge] : edges_) {
    if (dialling_ >= config_.max_dials) return;
    if (edge.dial.next <= now_ && wants_dial(edge)) start_dial(edge.dial, edge.record().membership, id);
  }
  std::vector<Seed*> due;
  for (Seed& seed : seeds_) {
    if (seed.dial.next <= now_) due.push_back(&seed);
  }
  std::stable_sort(due.begin(), due.end(),
                   [](const Seed* a, const Seed* b) { return a->dial.next < b->dial.next; });
  for (Seed* seed : due) {
    if (dialling_ >= config_.max_dials) return;
    if (!wants_dial(*seed)) continue;
    if (seed->occupant) seed->dial.trouble_since = now_;  // it was well until now
    start_dial(seed->dial, seed->address, std::nullopt);
  }
  if (dialling_ >= config_.max_dials) return;
  for (const auto& [id, edge] : edges_) {
    if (edge.dial.next < next_dial_ && wants_dial(edge)) next_dial_ = edge.dial.next;
  }
  for (const Seed& seed : seeds_) {
    if (seed.dial.next < next_dial_ && wants_dial(seed)) next_dial_ = seed.dial.next;
  }
}

void Core::start_dial(Backoff& dial, const Multiaddr& address, std::optional<NodeId> expected) {
  dial.in_flight = address;
  dial.started = now_;
  ++dialling_;
  ++counters_.dials;
  dials_.push_back({address, expected});
}

void Core::dial_result(const Multiaddr& address, DialOutcome outcome, MonoTime now,
                       std::optional<NodeId> who) {
  begin(now);
  dials_changed_ = true;
  for (auto& [id, edge] : edges_) {
    if (edge.dial.in_flight == address) dial_ended(edge, outcome, who);
  }
  for (Seed& seed : seeds_) {
    if (seed.dial.in_flight != address) continue;
    seed.dial.in_flight.reset();
    --dialling_;
    seed.occupant.reset();
    if (outcome == DialOutcome::connected || outcome == DialOutcome::duplicate) {
      seed.occupant = who;
    }
    bool stale = seed.kind == SeedKind::found && now_ - seed.named > config_.stale_seed;
    Duration longest = stale ? config_.departed_redial_max : config_.seed_redial_max;
    seed.dial.failed(now_, config_.redial_min, longest, random_);
    // A name may have other answers, which are tried as those of any seed.
    if (outcome == DialOutcome::self && !address.is_name()) seed.dial.next = now_ + config_.self_redial;
  }
  settle();
}

void Core::dial_ended(Edge& edge, DialOutcome outcome, const std::optional<NodeId>& who) {
  bool about_its_address = edge.dial.in_flight == edge.record().membership;
  edge.dial.in_flight.reset();
  --dialling_;
  bool somebody_else = outcome == DialOutcome::self ||
                       ((outcome == DialOutcome::connected || outcome == DialOutcome::duplicate) &&
                        who.has_value() && *who != edge.id());
  bool nobody = outcome == DialOutcome::refused;
  if (about_its_address && !edge.link) edge.refused = nobody || somebody_else;
  edge.dial.failed(now_, config_.redial_min, config_.departed_redial_max, random_);
  judge(edge);
}

}  // namespace kith::membership
