// A running node: the configuration as objects, wired once, served until a signal ends it.
#pragma once

#include <memory>

#include "app/sources.h"
#include "base/log.h"

namespace kith::app {

// Runs until SIGTERM or SIGINT. The first signal drains: the status goes down, requests in flight
// finish, writes are handed over, the clusters are left; returns 0. A second one stops at once: returns
// 128 + signal. Returns 1 when the node cannot start; the log says why.
//
// On SIGHUP, and when the secrets change, the configuration is loaded anew from source, and of it the
// pre-shared keys of the clusters take effect; all else does at the next start.
int run_node(Config config, std::shared_ptr<LogSink> sink, ConfigSource source);

}  // namespace kith::app
