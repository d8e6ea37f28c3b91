// Lease cores in the simulated world: messages that are late, lost and never in order between two links,
// clocks that drift and step, processes that stall, die and come back without a memory, splits. What a node
// takes for the membership is late, too.
//
// After every event the world is asked who leads. Two at once, or an epoch that was there before, is a
// violation.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "lease/core.h"
#include "sim/world.h"

namespace kith::sim {

class LeaseWorld {
 public:
  struct Node {
    size_t index = 0;
    Host* host = nullptr;
    NodeId id;
    std::string zone;
    Process* process = nullptr;
    std::unique_ptr<lease::Core> core;
    World::Cancel timer;
    bool ready = true;
    std::vector<lease::LeaderChanged> told;
  };

  LeaseWorld(World& world, size_t nodes, lease::Config config, size_t zones = 1);
  ~LeaseWorld();

  World& world() { return world_; }
  Node& operator[](size_t index) { return *nodes_[index]; }
  size_t size() const { return nodes_.size(); }

  void start(Node& node);
  void kill(Node& node);
  void resign(Node& node);  // then it is not ready any more
  bool running(const Node& node) const {
    return node.core && node.process->state() == Process::State::running;
  }

  // Who leads at this moment by its own clock; paused ones do not act.
  std::vector<Node*> leaders();
  bool run_until_led(Duration limit);
  // Everybody who runs agrees on the leader and on the voters.
  bool agree();

  Duration loss_and_delay = 20ms;  // the greatest delay of a message
  uint64_t loss_per_mille = 0;
  const std::vector<std::string>& violations() const { return violations_; }
  const std::set<uint64_t>& epochs() const { return epochs_; }
  std::string describe();

 private:
  MonoTime now(const Node& node) const { return world_.now(*node.host); }
  void look_around();  // the membership, as each sees it
  void pump(Node& node);
  void deliver(Node& to, NodeId from, const lease::Transmit& transmit);
  void check();
  template <class Act>
  void act(Node& node, Act act) {
    act(*node.core);
    pump(node);
    check();
  }

  World& world_;
  lease::Config config_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::set<uint64_t> epochs_;  // that somebody led in
  std::map<uint64_t, NodeId> led_by_;
  std::vector<std::string> violations_;
};

}  // namespace kith::sim
