#include "sim/faults.h"

#include <algorithm>

namespace kith::sim {

std::string_view to_string(Fault fault) {
  switch (fault) {
    case Fault::kill: return "kill -9";
    case Fault::power_loss: return "power loss";
    case Fault::leave: return "leave";
    case Fault::restart: return "restart";
    case Fault::pause: return "pause";
    case Fault::resume: return "resume";
    case Fault::split: return "split";
    case Fault::one_way: return "one way lost between two";
    case Fault::deaf: return "deaf";
    case Fault::mute: return "mute";
    case Fault::heal: return "heal";
    case Fault::loss: return "loss";
    case Fault::slow_link: return "slow link";
    case Fault::partial_reads: return "partial reads";
    case Fault::reset: return "reset";
    case Fault::half_open: return "half open";
    case Fault::clock_step: return "clock step";
    case Fault::names_stale: return "names: a stale answer";
    case Fault::names_empty: return "names: an empty answer";
    case Fault::count: break;
  }
  return "?";
}

Faults::Faults(MembershipCluster& cluster) : cluster_(cluster), world_(cluster.world()) { answer_names(); }

Multiaddr Faults::name() const { return {Multiaddr::Host::dns4, kName, MembershipCluster::kPort}; }

void Faults::inject() {
  for (int tries = 0; tries < 100; ++tries) {
    auto fault = static_cast<Fault>(world_.random().below(static_cast<uint64_t>(Fault::count)));
    auto& node = cluster_[world_.random().below(cluster_.size())];
    if (!apply(fault, node)) continue;
    ++coverage_[static_cast<size_t>(fault)];
    world_.note(static_cast<uint64_t>(fault));
    history_.push_back({world_.now(), fault, node.index});
    return;
  }
}

std::string Faults::history() const {
  std::string out;
  for (const Injected& item : history_) {
    out += "at " + std::to_string(item.at.time_since_epoch() / 1ms) + " ms " +
           std::string(to_string(item.fault)) + ", " + cluster_[item.node].host->name + "\n";
  }
  return out;
}

// False when it would change nothing.
bool Faults::apply(Fault fault, MembershipCluster::Node& node) {
  Host& host = *node.host;
  Random& random = world_.random();
  switch (fault) {
    case Fault::kill:
      if (!node.life) return false;
      cluster_.kill(node);
      return true;
    case Fault::power_loss:
      if (!node.life) return false;
      cluster_.lose_power(node);
      return true;
    case Fault::leave:
      if (!node.running()) return false;
      cluster_.leave(node);
      return true;
    case Fault::restart:
      if (node.life) return false;
      cluster_.start(node);
      return true;
    case Fault::pause:
      if (!node.running()) return false;
      cluster_.pause(node);
      return true;
    case Fault::resume:
      if (!node.life || node.running()) return false;
      cluster_.resume(node);
      return true;
    case Fault::split: split(); return true;
    case Fault::one_way: {
      auto& other = cluster_[random.below(cluster_.size())];
      if (&other == &node) return false;
      world_.block(host, *other.host);
      return true;
    }
    case Fault::deaf:
      if (host.deaf) return false;
      world_.set_deaf(host, true);
      return true;
    case Fault::mute:
      if (host.mute) return false;
      world_.set_mute(host, true);
      return true;
    case Fault::heal:
      if (world_.whole()) return false;
      cluster_.heal();
      return true;
    case Fault::loss:
      // None, what must be borne, or what no node can live with.
      host.loss_per_mille =
          std::array<uint64_t, 4>{0, 0, random.below(100), random.below(900)}[random.below(4)];
      cluster_.disturb(node);
      return true;
    case Fault::slow_link:
      host.bytes_per_second = random.below(2) == 0 ? 0 : 2'000 + random.below(100'000);
      cluster_.disturb(node);
      return true;
    case Fault::partial_reads:
      world_.network().partial_per_mille = random.below(2) == 0 ? 0 : random.below(500);
      return true;
    case Fault::reset: return world_.wires().reset_one(host);
    case Fault::half_open:
      if (!world_.wires().forget_one(host)) return false;
      for (size_t i = 0; i < cluster_.size(); ++i)
        cluster_.disturb(cluster_[i]);  // whichever the other end is
      return true;
    case Fault::clock_step: host.wall_offset += random.between(-10h, 10h); return true;
    case Fault::names_stale: world_.names()[kName] = {IpAddress::v4(10, 9, 9, 9), host.address}; return true;
    case Fault::names_empty: world_.names()[kName].clear(); return true;
    case Fault::count: break;
  }
  return false;
}

void Faults::split() {
  std::vector<MembershipCluster::Node*> sides[2];
  for (size_t i = 0; i < cluster_.size(); ++i) sides[world_.random().below(2)].push_back(&cluster_[i]);
  cluster_.split(sides[0], sides[1]);
}

void Faults::answer_names() {
  auto& answer = world_.names()[kName];
  answer.clear();
  for (size_t i = 0; i < cluster_.size() && i < 3; ++i) answer.push_back(cluster_[i].host->address);
}

void Faults::end() {
  world_.network().partial_per_mille = 0;
  for (size_t i = 0; i < cluster_.size(); ++i) {
    auto& node = cluster_[i];
    bool was_bad = node.host->loss_per_mille > 0 || node.host->bytes_per_second > 0;
    node.host->loss_per_mille = node.host->bytes_per_second = 0;
    // What was sent into the loss arrives late, however well the path is now: such links start anew.
    while (was_bad && world_.wires().reset_one(*node.host)) continue;
    cluster_.resume(node);
    if (!node.life) cluster_.start(node);
  }
  answer_names();
  cluster_.heal();
}

std::string describe(const Faults::Coverage& coverage) {
  std::string out = "faults injected:\n";
  for (size_t i = 0; i < coverage.size(); ++i) {
    std::string count = std::to_string(coverage[i]);
    out += std::string(10 - std::min<size_t>(count.size(), 10), ' ') + count + "  " +
           std::string(to_string(static_cast<Fault>(i))) + "\n";
  }
  return out;
}

}  // namespace kith::sim
