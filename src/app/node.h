// A running node: the configuration as objects, wired once, served until a signal ends it.
#pragma once

#include <memory>

#include "app/config.h"
#include "base/log.h"

namespace kith::app {

// Runs until SIGTERM or SIGINT. The first signal drains: the status goes down, requests in flight
// finish, writes are handed over, the clusters are left; returns 0. A second one stops at once: returns
// 128 + signal. Returns 1 when the node cannot start; the log says why.
int run_node(Config config, std::shared_ptr<LogSink> sink);

}  // namespace kith::app
