// What a cache in Redis is told: where, as whom, and with which keys. Filled by whoever reads configuration.
#pragma once

#include <compare>
#include <memory>
#include <string>
#include <vector>

#include "base/text.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "crypto/tls.h"

namespace kith::cache {

struct RedisAddress {
  std::string host;  // a name or an IP address without brackets
  uint16_t port = 0;
  auto operator<=>(const RedisAddress&) const = default;
  std::string text() const {
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
  }
};

// Values are sealed before they leave (docs/formats/redis-cache.md). Every key has 32 bytes; any key may
// open, the current one seals.
struct RedisEncryption {
  bool disabled = false;
  crypto::Secret current;
  std::vector<crypto::Secret> old;
};

struct RedisConfig {
  // At least one. Of a Redis Cluster any of its nodes, better all: they are asked for the map. Else servers
  // of one data set, tried in turn: the first that can be written to is used.
  std::vector<RedisAddress> addresses;
  std::string username;                           // "": the default user
  crypto::Secret password;                        // empty: no login
  std::shared_ptr<const crypto::TlsContext> tls;  // a client's; null: plain TCP
  std::string server_name;                        // for all nodes; "": the host that is dialled
  RedisEncryption encryption;
  bool hash_keys = true;             // off for debugging only: Redis then sees what keys are
  std::string key_prefix = "kith:";  // of all keys in Redis, so that several users can share one
  std::string client_name = "kith";  // as CLIENT LIST shows it; no blanks
  Duration connect_timeout = 1s;     // for one connection, TLS and login included
  Duration command_timeout = 3s;     // for one call, with connecting, redirections and retries
  size_t pool_size = 8;              // connections to each node from each loop
};

// Fails with invalid, side config, for what cannot work.
Result<void> check(const RedisConfig& config);

}  // namespace kith::cache
