// A cluster in JSON, for people who ask: who is a member, who is not and why, what was refused. The names
// are part of the command line's contract (docs/reference/cli.md): members are only ever added.
#pragma once

#include "base/json.h"
#include "cluster/cluster.h"

namespace kith::cluster {

std::string_view to_string(Phase phase);

// On the control loop.
json::object status_of(const Cluster& cluster, MonoTime now, WallTime wall_now);

}  // namespace kith::cluster
