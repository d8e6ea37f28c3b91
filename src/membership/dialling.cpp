// When to dial whom. Discovery only adds: a seed is dialled for ever unless it is ourselves, a node that
// is down for as long as it is remembered, so that islands merge whichever side finds the other.
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

bool Core::wants_dial(const Peer& peer) const {
  return !peer.link && !peer.dial.in_flight && peer.record.state != State::left &&
         may_dial(peer.record.membership);
}

bool Core::wants_dial(const Seed& seed) const {
  if (seed.dial.in_flight || !may_dial(seed.address)) return false;
  if (!seed.occupant) return true;
  auto at = peers_.find(*seed.occupant);
  return at == peers_.end() || !at->second.link;
}

// A node that we are linked with lives there: whoever else claims the address is gone from it.
bool Core::is_taken(const Multiaddr& address) const {
  if (address == self_.membership) return true;
  return std::any_of(peers_.begin(), peers_.end(), [&](const auto& entry) {
    return entry.second.live_link() && entry.second.record.membership == address;
  });
}

// One dial per address at a time, so that its result has one meaning.
bool Core::may_dial(const Multiaddr& address) const {
  if (is_taken(address)) return false;
  auto busy = [&](const Backoff& dial) { return dial.in_flight == address; };
  return std::none_of(peers_.begin(), peers_.end(),
                      [&](const auto& entry) { return busy(entry.second.dial); }) &&
         std::none_of(seeds_.begin(), seeds_.end(), [&](const Seed& seed) { return busy(seed.dial); });
}

void Core::start_due_dials() {
  if (has_left()) return;
  for (auto& [id, peer] : peers_) {
    if (dialling_ >= config_.max_dials) return;
    if (peer.dial.next <= now_ && wants_dial(peer)) start_dial(peer.dial, peer.record.membership, id);
  }
  for (Seed& seed : seeds_) {
    if (dialling_ >= config_.max_dials) return;
    if (seed.dial.next > now_ || !wants_dial(seed)) continue;
    if (seed.occupant) seed.dial.trouble_since = now_;  // it was well until now
    start_dial(seed.dial, seed.address, std::nullopt);
  }
}

void Core::start_dial(Backoff& dial, const Multiaddr& address, std::optional<NodeId> expected) {
  dial.in_flight = address;
  dial.started = now_;
  ++dialling_;
  ++counters_.dials;
  dials_.push_back({address, expected});
}

MonoTime Core::next_dial() const {
  MonoTime next = kNever;
  if (dialling_ >= config_.max_dials) return next;  // a result comes first
  for (const auto& [id, peer] : peers_) {
    if (peer.dial.next < next && wants_dial(peer)) next = peer.dial.next;
  }
  for (const Seed& seed : seeds_) {
    if (seed.dial.next < next && wants_dial(seed)) next = seed.dial.next;
  }
  return next;
}

void Core::dial_result(const Multiaddr& address, DialOutcome outcome, MonoTime now,
                       std::optional<NodeId> who) {
  begin(now);
  for (auto& [id, peer] : peers_) {
    if (peer.dial.in_flight == address) dial_ended(peer, outcome, who);
  }
  for (Seed& seed : seeds_) {
    if (seed.dial.in_flight != address) continue;
    seed.dial.in_flight.reset();
    --dialling_;
    seed.occupant.reset();
    if (outcome == DialOutcome::connected || outcome == DialOutcome::duplicate) {
      seed.occupant = who;
    }
    seed.dial.failed(now_, config_.redial_min, config_.seed_redial_max, random_);
  }
  if (outcome == DialOutcome::self)
    std::erase_if(seeds_, [&](const Seed& seed) { return seed.address == address; });
  settle();
}

void Core::dial_ended(Peer& peer, DialOutcome outcome, const std::optional<NodeId>& who) {
  bool about_its_address = peer.dial.in_flight == peer.record.membership;
  peer.dial.in_flight.reset();
  --dialling_;
  bool somebody_else = outcome == DialOutcome::self ||
                       ((outcome == DialOutcome::connected || outcome == DialOutcome::duplicate) &&
                        who.has_value() && *who != peer.record.id);
  bool nobody = outcome == DialOutcome::refused;
  if (about_its_address && !peer.link) peer.refused = nobody || somebody_else;
  peer.dial.failed(now_, config_.redial_min, config_.departed_redial_max, random_);
  judge(peer);
}

}  // namespace kith::membership
