// `session:`, `singleLogout:`, `health:` and `apps:` of the configuration.
#pragma once

#include <string>
#include <vector>

#include "base/log.h"
#include "base/time.h"
#include "cluster/ack_level.h"
#include "cluster/config.h"
#include "http/config.h"
#include "identity/config.h"

namespace kith::gateway {

struct CookieConfig {              // session.cookie
  std::string name;                // "" = __Host-kith_session (kith_session with a domain or without Secure)
  std::string domain;              // "" = host-only
  bool disable_http_only = false;  // disableHTTPOnly
  bool disable_secure = false;     // disableSecure
  enum class SameSite : uint8_t { lax, strict, none };
  SameSite same_site = SameSite::lax;  // sameSite
  std::string effective_name() const;  // applies the __Host- rule
};

struct SessionConfig {  // session
  CookieConfig cookie;
  Duration max_timeout = 24h;  // lifetime.maxTimeout: absolute, from authentication
  Duration idle_timeout = 0s;  // lifetime.idleTimeout; 0 = off
  enum class Store : uint8_t { local, cluster };
  Store store = Store::local;      // store.type
  size_t local_capacity = 50'000;  // store.local.capacity: oldest used is dropped when full
  std::string cluster;             // store.cluster.name
  cluster::AckLevel ack = cluster::AckLevel::one;  // store.cluster.ack
};

struct SingleLogoutConfig {              // singleLogout
  std::string logout_url;                // logoutURL: absolute URL served by us; "" = none
  std::string post_logout_redirect_url;  // postLogout.redirectURL (old: postLogoutRedirectURL)
};

struct HealthConfig {  // health
  std::string location = "/status";
  bool heartbeat = true;  // heartbeat.disabled
  Duration heartbeat_interval = 1min;
  Level heartbeat_level = Level::info;  // heartbeat.logLevel: info | debug
};

// A value with {{ connector.claim }} templates, split at load time.
struct Template {
  struct Part {
    bool is_claim = false;
    std::string text;  // literal, or "connector.claim"
  };
  std::vector<Part> parts;
};

struct Condition {  // one operator of an authorization rule
  enum class Op : uint8_t { equals, not_equals, contains, not_contains };
  Op op = Op::equals;
  Template left, right;
};

struct Rule {  // authorization.rules[]: and: [...] or or: [...]
  enum class Join : uint8_t { all, any };
  Join join = Join::all;
  std::vector<Condition> conditions;
};

struct PolicyConfig {  // apps[].policies[]
  std::string location =
      "/";  // path prefix (on segment borders), or "~ regex" found anywhere in the path, never the query
  std::vector<std::string> idps;       // authentication.idps[]: connector names; the first is used to log in
  bool allow_unauthenticated = false;  // authentication.allowUnauthenticated
  bool fail_closed = false;            // failClosed
  bool allow_all = false;              // authorization.allowAll
  Rule::Join aggregation = Rule::Join::all;  // authorization.rulesAggregationMethod: and | or
  std::vector<Rule> rules;                   // authorization.rules; none and no allowAll = deny
};

struct HeaderConfig {  // apps[].headers[]
  std::string name;
  Template value;
};

struct AppConfig {  // apps[] with type: proxy
  std::string name;
  std::vector<std::string> route_patterns;  // "/", "app.example.test", "app.example.test/x"
  http::Url upstream;
  bool preserve_host = false;
  std::string tls;  // client profile for an https upstream
  std::vector<HeaderConfig> headers;
  std::vector<PolicyConfig> policies;
  std::string unauthorized_page;  // unauthorizedPage: redirect target of a denied browser; "" = 403
  std::string logout_path;        // logoutPath: a path of the app that also starts our single logout
};

struct GatewayConfig {
  http::HttpConfig http;
  std::vector<http::TlsProfileConfig> tls;
  SessionConfig session;
  SingleLogoutConfig single_logout;
  HealthConfig health;
  std::vector<identity::ConnectorConfig> connectors;
  std::vector<AppConfig> apps;
};

}  // namespace kith::gateway
