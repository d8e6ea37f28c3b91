// What happened in a simulated cluster, as a picture: one row for each node, time from left to right. A
// bar is a life of a process, light where it is paused; a mark above it is a view that grew, below it one
// that shrank; the shaded columns are times in which the network is not whole.
#pragma once

#include <string>
#include <vector>

#include "sim/membership_cluster.h"

namespace kith::sim {

class Timeline {
 public:
  // Looks at the cluster as it is now; to be called often enough (each 50 ms shows all that matters).
  void look(MembershipCluster& cluster);
  std::string svg(const std::string& title) const;

 private:
  enum class Way : uint8_t { off, paused, runs };
  struct Row {
    std::string name;
    std::vector<std::pair<MonoTime, Way>> ways;      // what it was from then on
    std::vector<std::pair<MonoTime, size_t>> sizes;  // of its view
  };
  std::vector<Row> rows_;
  std::vector<std::pair<MonoTime, bool>> whole_;
  MonoTime begin_, end_;
};

}  // namespace kith::sim
