// What goes wrong in a simulated cluster, chosen by the seed, and counted by kind: a run that never met a
// fault says nothing about it.
#pragma once

#include <array>
#include <string>

#include "sim/membership_cluster.h"

namespace kith::sim {

enum class Fault : uint8_t {
  kill,
  power_loss,
  leave,
  restart,
  pause,
  resume,
  split,
  one_way,
  deaf,
  mute,
  heal,
  loss,
  slow_link,
  partial_reads,
  reset,
  half_open,
  clock_step,
  names_stale,
  names_empty,
  count
};
std::string_view to_string(Fault fault);

class Faults {
 public:
  explicit Faults(MembershipCluster& cluster);
  // One at random of those that make sense now.
  void inject();
  // Ends them all: everybody runs, everything is connected.
  void end();

  // A name that the name service answers with some addresses of the cluster, and sometimes should not.
  static constexpr const char* kName = "seeds.test";
  Multiaddr name() const;

  using Coverage = std::array<size_t, static_cast<size_t>(Fault::count)>;
  const Coverage& coverage() const { return coverage_; }
  // What was injected, when and where: one line each, for a failing test.
  std::string history() const;

 private:
  bool apply(Fault fault, MembershipCluster::Node& node);
  void answer_names();
  void split();

  MembershipCluster& cluster_;
  World& world_;
  Coverage coverage_{};
  struct Injected {
    MonoTime at;
    Fault fault;
    size_t node;
  };
  std::vector<Injected> history_;
};

// A line for each kind, for people.
std::string describe(const Faults::Coverage& coverage);

}  // namespace kith::sim
