// What a running node answers about sessions at its control door: who is logged in, and ending it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/control_server.h"
#include "base/log.h"
#include "cluster/cluster.h"
#include "cluster/session_store.h"

namespace kith::app {

// All of it is used on the control loop and outlives the server.
struct SessionControl {
  runtime::Loop& loop;
  cluster::SessionStore& store;
  const cluster::Cluster* cluster;  // whose store it is; null: of this node alone
  std::shared_ptr<const cluster::CookieKeys> cookie_keys;
  std::vector<std::string> connectors;
  std::chrono::milliseconds longest;  // that a session may live
  Log log;
};

void serve_sessions(ControlServer& server, SessionControl control);

}  // namespace kith::app
