// What a running node answers at its control door.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "app/control_server.h"
#include "cluster/cluster.h"
#include "gateway/health.h"

namespace kith::app {

// The node as the control door sees it; all of it is used on the control loop and outlives the server.
struct NodeControl {
  std::string name;
  runtime::Loop& loop;
  const std::vector<std::unique_ptr<cluster::Cluster>>& clusters;
  const gateway::HealthSource& health;
  std::function<void()> leave;  // begins to drain; returns at once
};

void serve_node(ControlServer& server, NodeControl node);

}  // namespace kith::app
