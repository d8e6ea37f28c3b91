#include "cluster/leadership.h"

namespace kith::cluster {
namespace {

using Mode = FailoverConfig::Mode;

lease::Config lease_config(const FailoverConfig& config) {
  return {.lease = config.lease, .quorum = config.quorum};
}

}  // namespace

Leadership::Leadership(const FailoverConfig& config, NodeId self, uint64_t seed, runtime::Loop& loop,
                       Send send, Log log)
    : config_(config),
      loop_(loop),
      send_(std::move(send)),
      log_(std::move(log)),
      core_(lease_config(config), self, seed, loop.now()) {}

void Leadership::view_changed(const std::vector<membership::Member>& members) {
  if (!runs() || stopped_) return;
  std::vector<lease::Candidate> view;
  names_.clear();
  for (const membership::Member& member : members) {
    if (member.record.state == membership::State::left) continue;
    view.push_back({member.record.id, member.record.zone, member.record.state == membership::State::ready});
    names_[member.record.id] = member.record.name;
  }
  core_.set_view(std::move(view), loop_.now());
  pump();
}

Result<void> Leadership::handle_message(NodeId from, uint8_t type, ByteView payload) {
  if (!runs() || stopped_) return {};
  auto handled = core_.handle_message(from, type, payload, loop_.now());
  pump();
  return handled;
}

void Leadership::resign() {
  if (!runs() || stopped_) return;
  core_.resign(loop_.now());
  pump();
}

void Leadership::stop() {
  stopped_ = true;
  timer_.reset();
}

void Leadership::pump() {
  while (auto transmit = core_.poll_transmit()) send_(transmit->to, transmit->type, transmit->payload);
  MonoTime now = loop_.now();
  while (auto event = core_.poll_event()) {
    if (event->leader) {
      log_.info(event->self ? "this node leads the cluster" : "the cluster has a leader",
                {{"leader", names_[*event->leader]}, {"id", event->leader->hex()}, {"epoch", event->epoch}});
    } else {
      log_.warn("the cluster has no leader", {{"majority", core_.has_majority()}});
    }
  }
  {
    std::lock_guard lock(mutex_);
    shared_.leads_until = core_.leads_until();
    shared_.other = core_.leads(now) ? std::nullopt : core_.leader(now);
    shared_.has_majority = core_.has_majority();
    shared_.confirmed = core_.confirmed();
  }
  timer_.reset();
  MonoTime next = core_.poll_timeout();
  if (next == kNever || stopped_) return;
  timer_ = loop_.call_at(next, [this] {
    core_.handle_timeout(loop_.now(), loop_.wall_now());
    pump();
  });
}

bool Leadership::fresh(MonoTime now) const {
  if (!runs()) return true;
  std::lock_guard lock(mutex_);
  return shared_.confirmed != MonoTime::min() && now - shared_.confirmed <= config_.fresh_for();
}

Standing Leadership::standing(MonoTime now) const {
  bool always = config_.mode == Mode::single_node ||
                (config_.mode == Mode::active_active && config_.serves_in_minority());
  if (always) return {};
  std::lock_guard lock(mutex_);
  if (!shared_.has_majority && !config_.serves_in_minority())
    return {Standing::Kind::no_majority, shared_.other};
  if (config_.mode == Mode::active_active || now < shared_.leads_until) return {};
  // Nobody can lead here, and somebody has to serve.
  if (!shared_.has_majority && !shared_.other) return {};
  return {Standing::Kind::standby, shared_.other};
}

}  // namespace kith::cluster
