// The configuration of the request path, compiled: an immutable snapshot that all worker loops share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/client_address.h"
#include "gateway/config.h"
#include "gateway/cookies.h"
#include "gateway/policy.h"
#include "gateway/router.h"

namespace kith::gateway {

struct App {
  AppConfig config;
  PolicySet policies;
  // Of config.upstream, as each request needs them.
  std::string upstream_origin;  // scheme://host:port
  std::string upstream_host;    // the Host header
  std::string upstream_prefix;  // what goes before each path, without the last '/'
};

struct Routes {
  GatewayConfig config;
  std::vector<App> apps;
  Router router;  // host + path -> index into apps
  TrustedProxies trusted_proxies;
  http::NameSet injected;  // names that some app injects: never taken from a client
  CookieJar cookies;
  std::string logout_host;  // of singleLogout.logoutURL, without port; both "" when there is none
  std::string logout_path;
};

// Fails (side config) on a bad route pattern, regular expression, trusted proxy, header name or URL.
Result<std::shared_ptr<const Routes>> make_routes(GatewayConfig config);

}  // namespace kith::gateway
