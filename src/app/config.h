// The whole configuration, checked: what a node is built from.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/problem.h"
#include "app/secrets.h"
#include "cache/config.h"
#include "cluster/config.h"
#include "gateway/config.h"
#include "platform/log_sink.h"

namespace kith::app {

// Who this node is, to people. Its identity is its key.
struct NodeConfig {
  std::string name;  // "": KITH_NODE_NAME, else the machine's name
  std::string region, zone;
};

// The door through which `kith members` and its like reach the running node.
struct ControlConfig {
  bool enabled = true;
  std::string socket;      // "": none, for a configuration that came from standard input
  bool is_default = true;  // then a node that cannot open it runs without
};

struct Config {
  std::string version;  // any text or number; only shown
  std::map<std::string, bool> features;
  bool clusters_enabled = false;  // features: {experimental.clusters: true}
  NodeConfig node;
  ControlConfig control;
  gateway::GatewayConfig gateway;
  std::vector<cluster::ClusterConfig> clusters;  // empty unless clusters_enabled; may hold disabled ones
  std::vector<cache::CacheConfig> caches;        // likewise
  platform::LoggerConfig logger;
};

struct Loaded {
  Config config;      // to be used only when ok()
  Problems problems;  // sorted by place; warnings too
  bool ok() const { return !has_errors(problems); }
};

// Decodes and checks everything, and reads the files that the configuration names (certificates and keys).
// `file` is the name shown in problems. secrets may be null.
Loaded load_config(std::string_view text, const std::string& file, const Surroundings& around,
                   SecretProvider* secrets);

// The effective configuration, defaults included, secrets masked.
json::value show_config(const Config& config);

}  // namespace kith::app
