// One entry of `caches:`.
#pragma once

#include <string>

#include "cache/connection.h"
#include "cluster/ack_level.h"

namespace kith::cache {

struct CacheConfig {
  std::string name;
  std::string cluster;                               // cluster.name
  cluster::AckLevel ack = cluster::AckLevel::local;  // cluster.ack
  size_t max_memory_mib = 256;                       // cluster.maxMemoryMiB
  bool has_endpoint = false;
  EndpointConfig endpoint;
};

}  // namespace kith::cache
