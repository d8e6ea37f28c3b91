// `http:` and `tls:` of the configuration.
#pragma once

#include <string>
#include <vector>

#include "base/log.h"
#include "http/server.h"

namespace kith::http {

// One profile of `tls:`. The *_pem members hold file contents or resolved secrets.
struct TlsProfileConfig {
  std::string name;
  crypto::TlsProfile profile;
};

struct RoutingConfig {   // http.routing: what to do when this node is behind the user
  bool enabled = false;  // false: wait and pull only, never forward
  std::string cluster;   // http.routing.cluster.name
  enum class Prefer : uint8_t { pull, forward };
  Prefer prefer = Prefer::pull;  // http.routing.prefer: pull the session, or forward the request at once
  Duration wait = 10ms;          // http.routing.wait: how long a write in flight is waited for first
  Duration timeout = 2s;         // http.routing.timeout: a pull, or until another node took the request
  enum class Lost : uint8_t { reauth, stale, fail };
  Lost lost = Lost::reauth;  // http.routing.onLost: the newest state is nowhere to be had
};

struct HttpConfig {
  std::string host = "0.0.0.0";  // http.address; "" = all
  uint16_t port = 9443;
  std::string tls;  // profile name, "" = plain HTTP
  ServerOptions server;
  Duration endpoint_timeout = 15s;       // http.endpointTimeoutSeconds: our own endpoints
  bool access_log = true;                // http.accessLog.disabled
  Level access_log_level = Level::info;  // http.accessLog.level
  std::vector<std::string>
      trusted_proxies;  // http.trustedProxies: addresses or CIDR; X-Forwarded-* of these alone is believed
  RoutingConfig routing;
  // On SIGTERM: how long requests are still taken while the status already says draining, and how long
  // the ones in flight may then take.
  Duration drain_delay = 1s;     // http.drain.delay
  Duration drain_timeout = 20s;  // http.drain.timeout
};

}  // namespace kith::http
