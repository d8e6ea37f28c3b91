// Every key of the configuration: what a value does, and what is said of a wrong one. A key without a
// row here fails the last test.

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "app/keys.h"
#include "support.h"

namespace kith::app {
namespace {

const std::string kPskA = "8d1f6a0c3be2475990a1c4d2e7f8b35560718293a4b5c6d7e8f90a1b2c3d4e5f";
const std::string kPskB = "11c4a9e0d35f7b2864e1f09a8c7d6b5a4f3e2d1c0b9a8f7e6d5c4b3a29180716";
const std::string kHash =
    "$scrypt$ln=10,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

// Whole documents around one key; `with` is YAML in flow style.
std::string http(const std::string& with) { return "http: {" + with + "}\n"; }
std::string profile(const std::string& with) { return "tls: {front: {" + with + "}}\n"; }
std::string session(const std::string& with) { return "session: {" + with + "}\n"; }
std::string cluster_with(const std::string& name, const std::string& addresses, const std::string& discovery,
                         const std::string& encryption, const std::string& more = "") {
  return "features: {experimental.clusters: true}\nclusters: [{" + name + ", addresses: {" + addresses +
         "}, discovery: {" + discovery + "}, encryption: {" + encryption + "}" + more + "}]\n";
}
const std::string kAddresses = "membership: /ip4/127.0.0.1/tcp/9450, data: /ip4/127.0.0.1/tcp/9451";
const std::string kNodeId = "00112233445566778899aabbccddeeff";
const std::string kPsk = "psk: " + kPskA;
std::string cluster(const std::string& more) {
  return cluster_with("name: eu", kAddresses, "method: static", kPsk, ", " + more);
}
std::string journal(const std::string& more) {
  return cluster("journal: {directory: /var/lib/kith/main, keys: {current: " + kPskB + more + "}}");
}
std::string addresses(const std::string& with) {
  return cluster_with("name: eu", with, "method: static", kPsk);
}
std::string discovery(const std::string& with) { return cluster_with("name: eu", kAddresses, with, kPsk); }
std::string srv(const std::string& with) { return discovery("method: srvdns, srvDNS: {" + with + "}"); }
std::string encryption(const std::string& with) {
  return cluster_with("name: eu", kAddresses, "method: static", with);
}
const std::string kWellKnown = "oidcWellKnownURL: 'https://idp.test/.well-known/openid-configuration'";
const std::string kRedirect = "oauthLoginRedirect: {urls: ['https://a.test/cb']}";
std::string connector(const std::string& with) { return "connectors: [{" + with + "}]\n"; }
std::string oidc(const std::string& with) {
  return connector("name: corp, type: oidc, oauthClientID: me, " + kWellKnown + ", " + kRedirect + ", " +
                   with);
}
std::string local_with(const std::string& with) { return connector("name: people, type: local, " + with); }
std::string user(const std::string& with) { return local_with("enabled: true, users: [{" + with + "}]"); }
const std::string kUser = "username: ann, passwordHash: '" + kHash + "'";
std::string local(const std::string& with) {
  return local_with("enabled: true, users: [{" + kUser + "}], " + with);
}
std::string app_with(const std::string& with) { return "apps: [{type: proxy, " + with + "}]\n"; }
const std::string kApp = "name: hr, routePatterns: [/], upstream: 'http://10.0.0.5'";
std::string app(const std::string& more) { return user(kUser) + app_with(kApp + ", " + more); }
std::string header(const std::string& with) { return app("headers: [{" + with + "}]"); }
std::string policy(const std::string& with) { return app("policies: [{location: /, " + with + "}]"); }
std::string authentication(const std::string& with) { return policy("authentication: {" + with + "}"); }
std::string authorization(const std::string& with) { return policy("authorization: {" + with + "}"); }
std::string rule(const std::string& with) { return authorization("rules: [{" + with + "}]"); }

std::string cache_with(const std::string& with) {
  return cluster("disabled: false") + "caches: [{" + with + "}]\n";
}
const std::string kInCluster = "name: shared, type: cluster, cluster: {name: eu}";
std::string endpoint(const std::string& with) {
  return cache_with(kInCluster + ", endpoint: {" + with + "}");
}
const std::string kRedisPort = "address: '127.0.0.1:6379'";

using Effect = std::function<bool(const Config&)>;
struct Row {
  std::string key;
  std::string good;  // "" for a key that is never good
  Effect effect;
  std::string bad;
  std::string problem;  // in one of the lines
};

const cluster::ClusterConfig& first_cluster(const Config& c) { return c.clusters.at(0); }
const cache::CacheConfig& first_cache(const Config& c) { return c.caches.at(0); }
const identity::OidcConnectorConfig& first_oidc(const Config& c) {
  return std::get<identity::OidcConnectorConfig>(c.gateway.connectors.at(0));
}
const identity::LocalConnectorConfig& first_local(const Config& c) {
  return std::get<identity::LocalConnectorConfig>(c.gateway.connectors.at(0));
}
const gateway::AppConfig& first_app(const Config& c) { return c.gateway.apps.at(0); }
const gateway::PolicyConfig& first_policy(const Config& c) { return first_app(c).policies.at(0); }
const gateway::Condition& first_condition(const Config& c) {
  return first_policy(c).rules.at(0).conditions.at(0);
}
const crypto::TlsProfile& first_profile(const Config& c) { return c.gateway.tls.at(0).profile; }

std::vector<Row> top_rows() {
  return {
      {"version", "version: 0.1", [](const Config& c) { return c.version == "0.1"; }, "version: [1]",
       "version: expected a text or number, found a list"},
      {"features", "features: {experimental.clusters: Enabled}",
       [](const Config& c) { return c.clusters_enabled; }, "features: on",
       "features: expected a map of feature flags, found \"on\""},
      {"node", "node: {}", [](const Config& c) { return c.node.name.empty(); }, "node: a",
       "node: expected a map"},
      {"node.name", "node: {name: edge-1}", [](const Config& c) { return c.node.name == "edge-1"; },
       "node: {name: ''}", "node.name: expected a name of at most 64 bytes"},
      {"node.region", "node: {region: eu}", [](const Config& c) { return c.node.region == "eu"; },
       "node: {region: [eu]}", "node.region: expected a region of at most 64 bytes"},
      {"node.zone", "node: {zone: eu-1}", [](const Config& c) { return c.node.zone == "eu-1"; },
       "node: {zone: " + std::string(65, 'z') + "}", "node.zone: expected a zone of at most 64 bytes"},
      {"control", "control: {}", [](const Config& c) { return c.control.enabled && c.control.is_default; },
       "control: off", "control: expected a map"},
      {"control.disabled", "control: {disabled: true}", [](const Config& c) { return !c.control.enabled; },
       "control: {disabled: perhaps}", "control.disabled: expected true or false"},
      {"control.socket", "control: {socket: door.sock}",
       [](const Config& c) { return c.control.socket == "/etc/kith/door.sock" && !c.control.is_default; },
       "control: {socket: " + std::string(104, 's') + "}",
       "control.socket: expected the path of a Unix socket, at most 103 bytes"},
      {"http", "http:", [](const Config& c) { return c.gateway.http.port == 9443; }, "http: []",
       "http: expected a map, found a list"},
      {"tls", "tls: {a: {}}", [](const Config& c) { return c.gateway.tls.at(0).name == "a"; }, "tls: front",
       "tls: expected a map of TLS profiles by name, found \"front\""},
      {"health", "health: {}", [](const Config& c) { return c.gateway.health.heartbeat; }, "health: yes",
       "health: expected a map"},
      {"logger", "logger: {}", [](const Config& c) { return c.logger.level == Level::info; }, "logger: debug",
       "logger: expected a map"},
      {"session", "session: {}", [](const Config& c) { return c.gateway.session.max_timeout == 24h; },
       "session: local", "session: expected a map"},
      {"singleLogout", "singleLogout: {}",
       [](const Config& c) { return c.gateway.single_logout.logout_url.empty(); }, "singleLogout: /out",
       "singleLogout: expected a map"},
      {"clusters", "features: {experimental.clusters: 'true'}\nclusters: []",
       [](const Config& c) { return c.clusters.empty(); },
       "features: {experimental.clusters: true}\nclusters: eu",
       "clusters: expected a list of clusters, found \"eu\""},
      {"connectors", "connectors: []", [](const Config& c) { return c.gateway.connectors.empty(); },
       "connectors: {name: corp}", "connectors: expected a list of connectors, found a map"},
      {"apps", "apps:", [](const Config& c) { return c.gateway.apps.empty(); }, "apps: {name: hr}",
       "apps: expected a list of applications, found a map"},
      {"health.location", "health: {location: /livez}",
       [](const Config& c) { return c.gateway.health.location == "/livez"; }, "health: {location: livez}",
       "health.location: expected a path such as /status"},
      {"health.heartbeat", "health: {heartbeat: {}}",
       [](const Config& c) { return c.gateway.health.heartbeat; }, "health: {heartbeat: 5m}",
       "health.heartbeat: expected a map, found \"5m\""},
      {"health.heartbeat.disabled", "health: {heartbeat: {disabled: true}}",
       [](const Config& c) { return !c.gateway.health.heartbeat; }, "health: {heartbeat: {disabled: 1}}",
       "health.heartbeat.disabled: expected true or false, found \"1\""},
      {"health.heartbeat.interval", "health: {heartbeat: {interval: 5m}}",
       [](const Config& c) { return c.gateway.health.heartbeat_interval == 5min; },
       "health: {heartbeat: {interval: 10ms}}", "found \"10ms\" (at least 1s)"},
      {"health.heartbeat.logLevel", "health: {heartbeat: {logLevel: debug}}",
       [](const Config& c) { return c.gateway.health.heartbeat_level == Level::debug; },
       "health: {heartbeat: {logLevel: warn}}",
       "health.heartbeat.logLevel: expected info or debug, found \"warn\""},
      {"logger.level", "logger: {level: WARN}", [](const Config& c) { return c.logger.level == Level::warn; },
       "logger: {level: wran}", "found \"wran\" (did you mean \"warn\"?)"},
      {"logger.jsonOutput", "logger: {jsonOutput: true}",
       [](const Config& c) { return c.logger.json_output; }, "logger: {jsonOutput: json}",
       "logger.jsonOutput: expected true or false"},
      {"logger.logSessionID", "logger: {logSessionID: true}",
       [](const Config& c) { return c.logger.log_session_id; }, "logger: {logSessionID: id}",
       "logger.logSessionID: expected true or false"},
      {"logger.timeFormat", "logger: {timeFormat: rfc1123}",
       [](const Config& c) { return c.logger.time_format == "rfc1123"; }, "logger: {timeFormat: epoch}",
       "logger.timeFormat: expected a layout's name such as RFC3339Nano"},
      {"logger.fieldOrdering", "logger: {fieldOrdering: {}}",
       [](const Config& c) { return !c.logger.field_ordering; }, "logger: {fieldOrdering: true}",
       "logger.fieldOrdering: expected a map"},
      {"logger.fieldOrdering.enabled", "logger: {fieldOrdering: {enabled: true}}",
       [](const Config& c) { return c.logger.field_ordering; }, "logger: {fieldOrdering: {enabled: on}}",
       "logger.fieldOrdering.enabled: expected true or false"},
      {"singleLogout.logoutURL", "singleLogout: {logoutURL: 'https://a.test/out'}",
       [](const Config& c) { return c.gateway.single_logout.logout_url == "https://a.test/out"; },
       "singleLogout: {logoutURL: /out}", "singleLogout.logoutURL: expected an absolute URL"},
      {"singleLogout.postLogout", "singleLogout: {postLogout: {}}",
       [](const Config& c) { return c.gateway.single_logout.post_logout_redirect_url.empty(); },
       "singleLogout: {postLogout: 'https://a.test/'}", "singleLogout.postLogout: expected a map"},
      {"singleLogout.postLogout.redirectURL",
       "singleLogout: {postLogout: {redirectURL: 'https://w.test/bye'}}",
       [](const Config& c) {
         return c.gateway.single_logout.post_logout_redirect_url == "https://w.test/bye";
       },
       "singleLogout: {postLogout: {redirectURL: 'ftp://w.test/'}}", "expected an absolute URL"},
      {"singleLogout.postLogoutRedirectURL", "singleLogout: {postLogoutRedirectURL: 'https://w.test/bye'}",
       [](const Config& c) {
         return c.gateway.single_logout.post_logout_redirect_url == "https://w.test/bye";
       },
       "singleLogout: {postLogoutRedirectURL: 'https://w.test/bye', postLogout: {redirectURL: "
       "'https://w.test/'}}",
       "is the old spelling of singleLogout.postLogout.redirectURL, and both are given"},
  };
}

std::vector<Row> http_rows() {
  using Prefer = http::RoutingConfig::Prefer;
  using Lost = http::RoutingConfig::Lost;
  const std::string routing = "features: {experimental.clusters: true}\n";
  return {
      {"http.address", http("address: '[::1]:8443'"),
       [](const Config& c) { return c.gateway.http.host == "::1" && c.gateway.http.port == 8443; },
       http("address: 'example.test:80'"), "found \"example.test:80\" (the host is not an IP address)"},
      {"http.tls", http("tls: front") + profile("certFile: /c.pem, keyFile: /k.pem"),
       [](const Config& c) { return c.gateway.http.tls == "front"; },
       http("tls: front") + profile("caFile: /c.pem"), "has no certFile and keyFile to serve with"},
      {"http.readTimeoutSeconds", http("readTimeoutSeconds: 7"),
       [](const Config& c) { return c.gateway.http.server.read_timeout == 7s; },
       http("readTimeoutSeconds: 7s"),
       "http.readTimeoutSeconds: expected whole seconds from 0 to 86400, found \"7s\""},
      {"http.readHeaderTimeoutSeconds", http("readHeaderTimeoutSeconds: 0"),
       [](const Config& c) { return c.gateway.http.server.read_header_timeout == 0s; },
       http("readHeaderTimeoutSeconds: -1"), "http.readHeaderTimeoutSeconds: expected whole seconds"},
      {"http.writeTimeoutSeconds", http("writeTimeoutSeconds: 9"),
       [](const Config& c) { return c.gateway.http.server.write_timeout == 9s; },
       http("writeTimeoutSeconds: 1e9"), "http.writeTimeoutSeconds: expected whole seconds"},
      {"http.idleTimeoutSeconds", http("idleTimeoutSeconds: 90"),
       [](const Config& c) { return c.gateway.http.server.idle_timeout == 90s; },
       http("idleTimeoutSeconds: 86401"), "http.idleTimeoutSeconds: expected whole seconds"},
      {"http.endpointTimeoutSeconds", http("endpointTimeoutSeconds: 3"),
       [](const Config& c) { return c.gateway.http.endpoint_timeout == 3s; },
       http("endpointTimeoutSeconds: ''"), "http.endpointTimeoutSeconds: expected whole seconds"},
      {"http.accessLog", http("accessLog:"), [](const Config& c) { return c.gateway.http.access_log; },
       http("accessLog: false"), "http.accessLog: expected a map, found \"false\""},
      {"http.accessLog.disabled", http("accessLog: {disabled: true}"),
       [](const Config& c) { return !c.gateway.http.access_log; }, http("accessLog: {disabled: no}"),
       "http.accessLog.disabled: expected true or false, found \"no\""},
      {"http.accessLog.level", http("accessLog: {level: debug}"),
       [](const Config& c) { return c.gateway.http.access_log_level == Level::debug; },
       http("accessLog: {level: warn}"), "http.accessLog.level: expected debug, info or error"},
      {"http.trustedProxies", http("trustedProxies: [10.0.0.0/8, '::1']"),
       [](const Config& c) {
         return c.gateway.http.trusted_proxies == std::vector<std::string>{"10.0.0.0/8", "::1"};
       },
       http("trustedProxies: [10.0.0.0/33]"), "http.trustedProxies[0]: expected an IP address or a network"},
      {"http.limits", http("limits: {}"),
       [](const Config& c) { return c.gateway.http.server.max_headers == 100; }, http("limits: 5"),
       "http.limits: expected a map"},
      {"http.limits.headBytes", http("limits: {headBytes: 4096}"),
       [](const Config& c) { return c.gateway.http.server.max_head_bytes == 4096; },
       http("limits: {headBytes: 10}"), "http.limits.headBytes: expected a whole number from 1024 to 65536"},
      {"http.limits.headers", http("limits: {headers: 50}"),
       [](const Config& c) { return c.gateway.http.server.max_headers == 50; },
       http("limits: {headers: many}"), "http.limits.headers: expected a whole number"},
      {"http.limits.connections", http("limits: {connections: 10}"),
       [](const Config& c) { return c.gateway.http.server.max_connections == 10; },
       http("limits: {connections: 0}"), "http.limits.connections: expected a whole number"},
      {"http.drain", http("drain: {}"), [](const Config& c) { return c.gateway.http.drain_delay == 1s; },
       http("drain: 5s"), "http.drain: expected a map"},
      {"http.drain.delay", http("drain: {delay: 3s}"),
       [](const Config& c) { return c.gateway.http.drain_delay == 3s; }, http("drain: {delay: 1h}"),
       "(at most 5m)"},
      {"http.drain.timeout", http("drain: {timeout: 1m}"),
       [](const Config& c) { return c.gateway.http.drain_timeout == 1min; }, http("drain: {timeout: soon}"),
       "http.drain.timeout: expected a duration"},
      {"http.routing", http("routing: {}"), [](const Config& c) { return !c.gateway.http.routing.enabled; },
       http("routing: true"), "http.routing: expected a map"},
      {"http.routing.enabled",
       cluster("disabled: false") + http("routing: {enabled: true, cluster: {name: eu}}"),
       [](const Config& c) { return c.gateway.http.routing.enabled; }, http("routing: {enabled: maybe}"),
       "http.routing.enabled: expected true or false"},
      {"http.routing.type", http("routing: {type: cluster}"),
       [](const Config& c) { return !c.gateway.http.routing.enabled; }, http("routing: {type: group}"),
       "http.routing.type: expected cluster, found \"group\""},
      {"http.routing.cluster", http("routing: {cluster: {}}"),
       [](const Config& c) { return c.gateway.http.routing.cluster.empty(); }, http("routing: {cluster: eu}"),
       "http.routing.cluster: expected a map"},
      {"http.routing.cluster.name", cluster("disabled: false") + http("routing: {cluster: {name: eu}}"),
       [](const Config& c) { return c.gateway.http.routing.cluster == "eu"; },
       cluster("disabled: true") + http("routing: {enabled: true, cluster: {name: eu}}"),
       "http.routing.cluster.name: the cluster \"eu\" is disabled"},
      {"http.routing.prefer", http("routing: {prefer: forward}"),
       [](const Config& c) { return c.gateway.http.routing.prefer == Prefer::forward; },
       http("routing: {prefer: push}"), "http.routing.prefer: expected pull or forward"},
      {"http.routing.wait", http("routing: {wait: 25ms}"),
       [](const Config& c) { return c.gateway.http.routing.wait == 25ms; }, http("routing: {wait: 1h}"),
       "(at most 10s)"},
      {"http.routing.timeout", http("routing: {timeout: 5s}"),
       [](const Config& c) { return c.gateway.http.routing.timeout == 5s; }, http("routing: {timeout: 0}"),
       "(at least 1ms)"},
      {"http.routing.onLost", http("routing: {onLost: stale}"),
       [](const Config& c) { return c.gateway.http.routing.lost == Lost::stale; },
       http("routing: {onLost: ignore}"), "http.routing.onLost: expected reauth, stale or fail"},
      {"tls.<name>.certFile", profile("certFile: /c.pem, keyFile: /k.pem"),
       [](const Config& c) { return !first_profile(c).certificate_pem.empty(); },
       profile("certFile: /none.pem"),
       "tls.front.certFile: expected a PEM file that can be read, found \"/none.pem\" (opening /none.pem"},
      {"tls.<name>.keyFile", profile("certFile: /c.pem, keyFile: <pem-key>"),
       [](const Config& c) { return !first_profile(c).private_key_pem.empty(); },
       profile("certFile: /c.pem, keyFile: /other.pem"), "tls.front: not a usable profile"},
      {"tls.<name>.caFile", profile("caFile: rel.pem"),
       [](const Config& c) { return !first_profile(c).ca_pem.empty(); }, profile("caFile: /text"),
       "(it holds no PEM block)"},
      {"tls.<name>.clientCAFiles",
       profile("certFile: /c.pem, keyFile: /k.pem, clientAuth: RequireAndVerifyClientCert, clientCAFiles: "
               "[/c.pem]"),
       [](const Config& c) { return !first_profile(c).client_ca_pem.empty(); },
       profile("clientCAFiles: /c.pem"), "tls.front.clientCAFiles: expected a list of PEM files"},
      {"tls.<name>.enabledCiphers", profile("enabledCiphers: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]"),
       [](const Config& c) { return first_profile(c).ciphers == "ECDHE-RSA-AES128-GCM-SHA256"; },
       profile("enabledCiphers: [TLS_RSA_WITH_RC4_128_SHA]"),
       "tls.front.enabledCiphers[0]: expected an ECDHE suite"},
      {"tls.<name>.clientAuth", profile("clientAuth: requestclientcert"),
       [](const Config& c) {
         return first_profile(c).client_auth == crypto::TlsProfile::ClientAuth::request;
       },
       profile("clientAuth: VerifyClientCertIfGiven"), "tls.front.clientAuth: needs clientCAFiles"},
      {"tls.<name>.minVersion", profile("minVersion: 1.3"),
       [](const Config& c) { return first_profile(c).min_version == 13; }, profile("minVersion: '1.1'"),
       "tls.front.minVersion: expected 1.2 or 1.3, found \"1.1\""},
      {"http.hosts", "", {}, http("hosts: []"), "http.hosts: not supported by this version"},
  };
}

std::vector<Row> session_rows() {
  using SameSite = gateway::CookieConfig::SameSite;
  using Store = gateway::SessionConfig::Store;
  auto store = [](const std::string& with) { return session("store: {" + with + "}"); };
  return {
      {"session.cookie", session("cookie:"),
       [](const Config& c) { return c.gateway.session.cookie.name.empty(); }, session("cookie: sid"),
       "session.cookie: expected a map"},
      {"session.cookie.name", session("cookie: {name: maverics_session}"),
       [](const Config& c) { return c.gateway.session.cookie.name == "maverics_session"; },
       session("cookie: {name: 'a b'}"), "session.cookie.name: expected a cookie name"},
      {"session.cookie.domain", session("cookie: {domain: .Example.test}"),
       [](const Config& c) { return c.gateway.session.cookie.domain == ".example.test"; },
       session("cookie: {domain: 10.0.0.1}"), "session.cookie.domain: expected a domain"},
      {"session.cookie.disableHTTPOnly", session("cookie: {disableHTTPOnly: true}"),
       [](const Config& c) { return c.gateway.session.cookie.disable_http_only; },
       session("cookie: {disableHTTPOnly: 'off'}"), "session.cookie.disableHTTPOnly: expected true or false"},
      {"session.cookie.disableSecure", session("cookie: {disableSecure: true}"),
       [](const Config& c) { return c.gateway.session.cookie.disable_secure; },
       session("cookie: {disableSecure: true, name: __Host-x}"),
       "session.cookie.name: a name with this prefix"},
      {"session.cookie.sameSite", session("cookie: {sameSite: none}"),
       [](const Config& c) { return c.gateway.session.cookie.same_site == SameSite::none; },
       session("cookie: {sameSite: None, disableSecure: true}"),
       "session.cookie.sameSite: None needs Secure"},
      {"session.lifetime", session("lifetime: {}"),
       [](const Config& c) { return c.gateway.session.idle_timeout == 0s; }, session("lifetime: 8h"),
       "session.lifetime: expected a map"},
      {"session.lifetime.maxTimeout", session("lifetime: {maxTimeout: 8h}"),
       [](const Config& c) { return c.gateway.session.max_timeout == 8h; },
       session("lifetime: {maxTimeout: 0}"), "(at least 1s)"},
      {"session.lifetime.idleTimeout", session("lifetime: {idleTimeout: 1h30m}"),
       [](const Config& c) { return c.gateway.session.idle_timeout == 90min; },
       session("lifetime: {idleTimeout: 20 minutes}"), "session.lifetime.idleTimeout: expected a duration"},
      {"session.store", session("store:"),
       [](const Config& c) { return c.gateway.session.store == Store::local; }, session("store: cluster"),
       "session.store: expected a map"},
      {"session.store.type", cluster("disabled: false") + store("type: cluster, cluster: {name: eu}"),
       [](const Config& c) { return c.gateway.session.store == Store::cluster; }, store("type: redis"),
       "session.store.type: expected local or cluster, found \"redis\""},
      {"session.store.local", store("local: {}"),
       [](const Config& c) { return c.gateway.session.local_capacity == 50'000; }, store("local: 5"),
       "session.store.local: expected a map"},
      {"session.store.local.capacity", store("local: {capacity: 20000}"),
       [](const Config& c) { return c.gateway.session.local_capacity == 20'000; },
       store("local: {capacity: 0}"), "session.store.local.capacity: expected a whole number from 1"},
      {"session.store.cluster", store("cluster: {}"),
       [](const Config& c) { return c.gateway.session.cluster.empty(); }, store("cluster: eu"),
       "session.store.cluster: expected a map"},
      {"session.store.cluster.name", cluster("disabled: false") + store("type: cluster, cluster: {name: eu}"),
       [](const Config& c) { return c.gateway.session.cluster == "eu"; },
       cluster("disabled: false") + store("type: cluster, cluster: {name: ue}"),
       "there is no cluster named \"ue\", did you mean \"eu\"?"},
      {"session.store.cluster.ack", store("cluster: {ack: all}"),
       [](const Config& c) { return c.gateway.session.ack == cluster::AckLevel::all; },
       store("cluster: {ack: two}"),
       "session.store.cluster.ack: expected local, journal, fsync, one, zone or all"},
      {"session.maxLifetimeSeconds", session("maxLifetimeSeconds: 3600"),
       [](const Config& c) { return c.gateway.session.max_timeout == 1h; }, session("maxLifetimeSeconds: 1h"),
       "session.maxLifetimeSeconds: expected whole seconds"},
      {"session.idleTimeoutSeconds", session("idleTimeoutSeconds: 60"),
       [](const Config& c) { return c.gateway.session.idle_timeout == 1min; },
       session("idleTimeoutSeconds: 60, lifetime: {idleTimeout: 1m}"), "and both are given"},
      {"session.cookieDomain", session("cookieDomain: a.test"),
       [](const Config& c) { return c.gateway.session.cookie.domain == "a.test"; },
       session("cookieDomain: a..test"), "session.cookieDomain: expected a domain"},
      {"session.lifetime.evalMaxLifetimeSE",
       "",
       {},
       session("lifetime: {evalMaxLifetimeSE: {}}"),
       "session.lifetime.evalMaxLifetimeSE: not supported by this version"},
      {"session.lifetime.evalIdleTimeoutSE",
       "",
       {},
       session("lifetime: {evalIdleTimeoutSE: {}}"),
       "not supported by this version"},
      {"singleLogout.postLogout.postLogoutSE",
       "",
       {},
       "singleLogout: {postLogout: {postLogoutSE: {}}}",
       "not supported by this version"},
      {"singleLogout.postLogoutSE",
       "",
       {},
       "singleLogout: {postLogoutSE: {}}",
       "not supported by this version"},
  };
}

std::vector<Row> cluster_rows() {
  const std::string peer = "/dns/b.test/tcp/9450";
  return {
      {"clusters[].name", cluster("disabled: false"),
       [](const Config& c) { return first_cluster(c).name == "eu"; },
       cluster_with("name: 'e u'", kAddresses, "method: static", kPsk),
       "clusters[0].name: expected a name for the cluster"},
      {"clusters[].disabled", cluster("disabled: true"),
       [](const Config& c) { return first_cluster(c).disabled; }, cluster("disabled: 2"),
       "clusters[0].disabled: expected true or false"},
      {"clusters[].addresses", cluster("disabled: false"),
       [](const Config& c) { return first_cluster(c).data.port == 9451; },
       "features: {experimental.clusters: true}\nclusters: [{name: eu}]",
       "clusters[0]: the key \"addresses\" is missing"},
      {"clusters[].addresses.membership", cluster("disabled: false"),
       [](const Config& c) { return first_cluster(c).membership.text() == "/ip4/127.0.0.1/tcp/9450"; },
       addresses("membership: /ip4/127.0.0.1/udp/9450, data: /ip4/127.0.0.1/tcp/9451"),
       "clusters[0].addresses.membership: expected a multiaddr to listen on"},
      {"clusters[].addresses.data", addresses("membership: /ip6/::/tcp/9450, data: /ip6/::/tcp/9451"),
       [](const Config& c) { return first_cluster(c).data.text() == "/ip6/::/tcp/9451"; },
       addresses("membership: /ip6/::/tcp/9450, data: /ip6/::/tcp/9450"),
       "is taken by clusters[0].addresses.membership"},
      {"clusters[].addresses.advertise", addresses(kAddresses + ", advertise: {}"),
       [](const Config& c) { return !first_cluster(c).advertise_data; },
       addresses(kAddresses + ", advertise: a"), "clusters[0].addresses.advertise: expected a map"},
      {"clusters[].addresses.advertise.membership",
       addresses(kAddresses + ", advertise: {membership: " + peer + "}"),
       [](const Config& c) { return first_cluster(c).advertise_membership->host == "b.test"; },
       addresses(kAddresses + ", advertise: {membership: /ip4/1.2.3.4/tcp/0}"), "(the port is 0)"},
      {"clusters[].addresses.advertise.data", addresses(kAddresses + ", advertise: {data: " + peer + "}"),
       [](const Config& c) { return first_cluster(c).advertise_data->port == 9450; },
       addresses(kAddresses + ", advertise: {data: b.test}"),
       "clusters[0].addresses.advertise.data: expected a multiaddr"},
      {"clusters[].discovery", cluster("disabled: false"),
       [](const Config& c) { return first_cluster(c).discovery == cluster::ClusterConfig::Discovery::fixed; },
       "features: {experimental.clusters: true}\nclusters: [{name: eu}]",
       "clusters[0]: the key \"discovery\" is missing"},
      {"clusters[].discovery.method", discovery("method: Static"),
       [](const Config& c) { return first_cluster(c).discovery == cluster::ClusterConfig::Discovery::fixed; },
       discovery("method: gossip"), "clusters[0].discovery.method: expected static or srvdns"},
      {"clusters[].discovery.method", discovery("method: srvDNS, srvDNS: {names: [_a._tcp.test]}"),
       [](const Config& c) { return first_cluster(c).discovery == cluster::ClusterConfig::Discovery::srv; },
       discovery("method: SRVDNS"), "the method srvdns needs srvDNS.names"},
      {"clusters[].discovery.static", discovery("method: static, static: {}"),
       [](const Config& c) { return first_cluster(c).seeds.empty(); },
       discovery("method: static, static: []"), "clusters[0].discovery.static: expected a map"},
      {"clusters[].discovery.static.nodes", discovery("method: static, static: {nodes: []}"),
       [](const Config& c) { return first_cluster(c).seeds.empty(); },
       discovery("method: static, static: {nodes: b.test}"),
       "clusters[0].discovery.static.nodes: expected a list of members"},
      {"clusters[].discovery.static.nodes[].endpoints",
       discovery("method: static, static: {nodes: [{endpoints: {membership: " + peer + "}}]}"),
       [](const Config& c) { return first_cluster(c).seeds.size() == 1; },
       discovery("method: static, static: {nodes: [{endpoints: x}]}"), "nodes[0].endpoints: expected a map"},
      {"clusters[].discovery.static.nodes[].endpoints.membership",
       discovery("method: static, static: {nodes: [{endpoints: {membership: " + peer + "}}]}"),
       [](const Config& c) { return first_cluster(c).seeds.at(0).text() == "/dns/b.test/tcp/9450"; },
       discovery("method: static, static: {nodes: [{endpoints: {}}]}"), "the key \"membership\" is missing"},
      {"clusters[].failover", cluster("failover: {}"),
       [](const Config& c) {
         return first_cluster(c).failover.mode == cluster::FailoverConfig::Mode::active_active &&
                first_cluster(c).failover.serves_in_minority();
       },
       cluster("failover: off"), "clusters[0].failover: expected a map"},
      {"clusters[].failover.mode", cluster("failover: {mode: active_passive}"),
       [](const Config& c) {
         return first_cluster(c).failover.mode == cluster::FailoverConfig::Mode::active_passive &&
                !first_cluster(c).failover.serves_in_minority();
       },
       cluster("failover: {mode: passive}"), "clusters[0].failover.mode: expected"},
      {"clusters[].failover.minority", cluster("failover: {mode: active_active, minority: standby}"),
       [](const Config& c) { return !first_cluster(c).failover.serves_in_minority(); },
       cluster("failover: {minority: maybe}"), "clusters[0].failover.minority: expected"},
      {"clusters[].failover.lease", cluster("failover: {lease: 1500ms}"),
       [](const Config& c) { return first_cluster(c).failover.lease == 1500ms; },
       cluster("failover: {lease: 10ms}"), "clusters[0].failover.lease: expected"},
      {"clusters[].failover.quorum", cluster("failover: {quorum: 3}"),
       [](const Config& c) { return first_cluster(c).failover.quorum == 3; },
       cluster("failover: {quorum: 8}"), "clusters[0].failover.quorum: expected a whole number from 1 to 7"},
      {"clusters[].failover.freshness", cluster("failover: {freshness: 30s}"),
       [](const Config& c) { return first_cluster(c).failover.freshness == 30s; },
       cluster("failover: {freshness: 2s, lease: 2s}"),
       "clusters[0].failover: freshness has to be above the lease"},
      {"clusters[].discovery.srvDNS", srv("names: [_a._tcp.test]"),
       [](const Config& c) { return first_cluster(c).srv.poll_interval == 30s; },
       discovery("method: srvdns, srvDNS: [_a._tcp.test]"), "clusters[0].discovery.srvDNS: expected a map"},
      {"clusters[].discovery.srvDNS.dnsAddress", srv("names: [_a._tcp.test], dnsAddress: '[::1]:5353'"),
       [](const Config& c) {
         const auto& dns = first_cluster(c).srv;
         return dns.dns_host == "::1" && dns.dns_port == 5353;
       },
       srv("names: [_a._tcp.test], dnsAddress: 10.0.0.53:99999"), "dnsAddress: expected HOST or HOST:PORT"},
      {"clusters[].discovery.srvDNS.dnsAddress", srv("names: [_a._tcp.test], dnsAddress: dns.test"),
       [](const Config& c) {
         const auto& dns = first_cluster(c).srv;
         return dns.dns_host == "dns.test" && dns.dns_port == 53;
       },
       srv("names: [_a._tcp.test], dnsAddress: 'a b:53'"), "dnsAddress: expected HOST or HOST:PORT"},
      {"clusters[].discovery.srvDNS.pollInterval", srv("names: [_a._tcp.test], pollInterval: 5s"),
       [](const Config& c) { return first_cluster(c).srv.poll_interval == 5s; },
       srv("names: [_a._tcp.test], pollInterval: 10ms"), "(at least 1s)"},
      {"clusters[].discovery.srvDNS.names", srv("names: [_A._tcp.Test., b.test]"),
       [](const Config& c) {
         return first_cluster(c).srv.names == std::vector<std::string>{"_a._tcp.test", "b.test"};
       },
       srv("names: [a..b]"), "expected the name of SRV records"},
      {"clusters[].discovery.srvdns", discovery("method: srvdns, srvdns: {names: _a._tcp.test}"),
       [](const Config& c) { return first_cluster(c).srv.names.size() == 1; },
       discovery("method: srvdns, srvdns: {names: [a.b]}, srvDNS: {names: [a.b]}"),
       "is the old spelling of clusters[0].discovery.srvDNS, and both are given"},
      {"clusters[].encryption", encryption(kPsk),
       [](const Config& c) { return first_cluster(c).psks.size() == 1; },
       "features: {experimental.clusters: true}\nclusters: [{name: eu}]",
       "clusters[0]: the key \"encryption\" is missing"},
      {"clusters[].encryption.psk", encryption("psk: [" + kPskA + ", " + kPskB + "]"),
       [](const Config& c) {
         return first_cluster(c).psks.size() == 2 && first_cluster(c).psks[0].size() == 32;
       },
       encryption("psk: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
       "clusters[0].encryption.psk: expected a random key of 32 bytes as 64 hex digits, as `kith keygen psk` "
       "makes it, not one that repeats, found a value that is not shown"},
      {"clusters[].journal", journal(""),
       [](const Config& c) { return !first_cluster(c).journal.directory.empty(); },
       cluster("journal: /var/lib/kith"), "clusters[0].journal: expected a map"},
      {"clusters[].journal.directory", journal(""),
       [](const Config& c) { return first_cluster(c).journal.directory == "/var/lib/kith/main"; },
       cluster("journal: {keys: {current: " + kPskB + "}}"),
       "clusters[0].journal: a journal needs a directory"},
      {"clusters[].journal.keys", journal(""),
       [](const Config& c) { return !first_cluster(c).journal.key.empty(); },
       cluster("journal: {directory: /var/lib/kith/main}"),
       "clusters[0].journal: a journal needs keys.current"},
      {"clusters[].journal.keys.current", journal(""),
       [](const Config& c) { return first_cluster(c).journal.key.size() == 32; },
       cluster("journal: {directory: /var/lib/kith/main, keys: {current: " + kPskA + "}}"),
       "clusters[0].journal.keys.current: is a pre-shared key of the mesh; it has to be another"},
      {"clusters[].journal.keys.old", journal(", old: [" + kPskA + "]"),
       [](const Config& c) { return first_cluster(c).journal.old_keys.size() == 1; },
       journal(", old: [short]"), "clusters[0].journal.keys.old[0]: expected a random key of 32 bytes"},
      {"clusters[].admission", cluster("admission: {}"),
       [](const Config& c) { return first_cluster(c).admission == cluster::AdmissionConfig{}; },
       cluster("admission: pinned"), "clusters[0].admission: expected a map"},
      {"clusters[].admission.mode", cluster("admission: {mode: pinned, nodes: [" + kNodeId + "]}"),
       [](const Config& c) {
         return first_cluster(c).admission.mode == cluster::AdmissionConfig::Mode::pinned;
       },
       cluster("admission: {mode: closed}"), "clusters[0].admission.mode: expected"},
      {"clusters[].admission.nodes", cluster("admission: {mode: pinned, nodes: [" + kNodeId + "]}"),
       [](const Config& c) { return first_cluster(c).admission.nodes.at(0).hex() == kNodeId; },
       cluster("admission: {mode: pinned, nodes: [a]}"),
       "clusters[0].admission.nodes[0]: expected a node's id"},
      {"clusters[].admission.banned", cluster("admission: {banned: [" + kNodeId + "]}"),
       [](const Config& c) { return first_cluster(c).admission.banned.at(0).hex() == kNodeId; },
       cluster("admission: {banned: [a]}"), "clusters[0].admission.banned[0]: expected a node's id"},
      {"clusters[].encryption.rotation", encryption(kPsk + ", rotation: {}"),
       [](const Config& c) { return first_cluster(c).rotation.grace == 10min; },
       encryption(kPsk + ", rotation: fast"), "clusters[0].encryption.rotation: expected a map"},
      {"clusters[].encryption.rotation.grace", encryption(kPsk + ", rotation: {grace: 30s}"),
       [](const Config& c) { return first_cluster(c).rotation.grace == 30s; },
       encryption(kPsk + ", rotation: {grace: soon}"), "clusters[0].encryption.rotation.grace: expected"},
      {"clusters[].encryption.rotation.patience", encryption(kPsk + ", rotation: {patience: 2h}"),
       [](const Config& c) { return first_cluster(c).rotation.patience == 2h; },
       encryption(kPsk + ", rotation: {patience: -1s}"),
       "clusters[0].encryption.rotation.patience: expected"},
      {"clusters[].encryption.nodeKey", encryption(kPsk + ", nodeKey: {}"),
       [](const Config& c) { return first_cluster(c).node_key_file.empty(); },
       encryption(kPsk + ", nodeKey: a.key"), "clusters[0].encryption.nodeKey: expected a map"},
      {"clusters[].encryption.nodeKey.file", encryption(kPsk + ", nodeKey: {file: eu.key}"),
       [](const Config& c) { return first_cluster(c).node_key_file == "/etc/kith/eu.key"; },
       encryption(kPsk + ", nodeKey: {file: ''}"),
       "clusters[0].encryption.nodeKey.file: expected the path of a file"},
  };
}

std::vector<Row> connector_rows() {
  using List = std::vector<std::string>;
  return {
      {"connectors[].name", oidc("disablePKCE: false"),
       [](const Config& c) { return first_oidc(c).name == "corp"; }, connector("name: a.b, type: local"),
       "connectors[0].name: expected a name for the connector"},
      {"connectors[].type", user(kUser), [](const Config& c) { return first_local(c).name == "people"; },
       connector("name: a, type: ldap"),
       "connectors[0].type: not supported by this version of kith: the type \"ldap\""},
      {"connectors[].oidcWellKnownURL", oidc("scopes: openid"),
       [](const Config& c) {
         return first_oidc(c).well_known_url == "https://idp.test/.well-known/openid-configuration";
       },
       connector("name: corp, type: oidc, oauthClientID: me, oidcWellKnownURL: idp.test, " + kRedirect),
       "connectors[0].oidcWellKnownURL: expected an absolute URL"},
      {"connectors[].oauthClientID", oidc("scopes: openid"),
       [](const Config& c) { return first_oidc(c).client_id == "me"; },
       connector("name: corp, type: oidc, " + kWellKnown + ", " + kRedirect),
       "the key \"oauthClientID\" is missing"},
      {"connectors[].oauthClientSecret", oidc("oauthClientSecret: <idp.client-secret>"),
       [](const Config& c) { return first_oidc(c).client_secret.reveal_text() == "hush"; },
       oidc("oauthClientSecret: <idp.other>"),
       "connectors[0].oauthClientSecret: the secret <idp.other> cannot be read: there is no secret named"},
      {"connectors[].oauthLoginRedirect", oidc("scopes: openid"),
       [](const Config& c) { return first_oidc(c).login_redirect_urls.size() == 1; },
       connector("name: corp, type: oidc, oauthClientID: me, " + kWellKnown),
       "connectors[0].oauthLoginRedirect.urls: expected at least one URL, found none"},
      {"connectors[].oauthLoginRedirect.urls", oidc("scopes: openid"),
       [](const Config& c) { return first_oidc(c).login_redirect_urls == List{"https://a.test/cb"}; },
       connector("name: corp, type: oidc, oauthClientID: me, " + kWellKnown +
                 ", oauthLoginRedirect: {urls: [/cb]}"),
       "connectors[0].oauthLoginRedirect.urls[0]: expected an absolute URL"},
      {"connectors[].oauthLogoutRedirect", oidc("oauthLogoutRedirect: {}"),
       [](const Config& c) { return first_oidc(c).logout_redirect_urls.empty(); },
       oidc("oauthLogoutRedirect: 'https://a.test/'"), "connectors[0].oauthLogoutRedirect: expected a map"},
      {"connectors[].oauthLogoutRedirect.urls", oidc("oauthLogoutRedirect: {urls: ['https://a.test/out']}"),
       [](const Config& c) { return first_oidc(c).logout_redirect_urls == List{"https://a.test/out"}; },
       oidc("oauthLogoutRedirect: {urls: 'https://a.test/out'}"), "expected a list of URLs"},
      {"connectors[].scopes", oidc("scopes: openid groups"),
       [](const Config& c) { return first_oidc(c).scopes == "openid groups"; }, oidc("scopes: profile email"),
       "connectors[0].scopes: expected scopes with blanks between them, openid among them"},
      {"connectors[].disablePKCE", oidc("disablePKCE: true"),
       [](const Config& c) { return first_oidc(c).disable_pkce; }, oidc("disablePKCE: S256"),
       "connectors[0].disablePKCE: expected true or false"},
      {"connectors[].offlineAccess", oidc("offlineAccess: {}"),
       [](const Config& c) { return !first_oidc(c).offline_access; }, oidc("offlineAccess: true"),
       "connectors[0].offlineAccess: expected a map"},
      {"connectors[].offlineAccess.enabled", oidc("offlineAccess: {enabled: true}"),
       [](const Config& c) { return first_oidc(c).offline_access; }, oidc("offlineAccess: {enabled: x}"),
       "connectors[0].offlineAccess.enabled: expected true or false"},
      {"connectors[].oauthExtraParams", oidc("oauthExtraParams: {prompt: login}"),
       [](const Config& c) { return first_oidc(c).extra_params.at("prompt") == "login"; },
       oidc("oauthExtraParams: {state: fixed}"), "the parameter \"state\" is set by kith itself"},
      {"connectors[].tls", oidc("tls: front") + profile("caFile: /c.pem"),
       [](const Config& c) { return first_oidc(c).tls == "front"; },
       oidc("tls: frnt") + profile("caFile: /c.pem"),
       "connectors[0].tls: there is no TLS profile named \"frnt\", did you mean \"front\"?"},
      {"connectors[].oauthRedirectURL",
       connector("name: corp, type: oidc, oauthClientID: me, " + kWellKnown +
                 ", oauthRedirectURL: 'https://a.test/old'"),
       [](const Config& c) { return first_oidc(c).login_redirect_urls == List{"https://a.test/old"}; },
       oidc("oauthRedirectURL: 'https://a.test/old'"),
       "is the old spelling of connectors[0].oauthLoginRedirect"},
      {"connectors[].oidcLogoutCallbackURL", oidc("oidcLogoutCallbackURL: 'https://a.test/out'"),
       [](const Config& c) { return first_oidc(c).logout_redirect_urls == List{"https://a.test/out"}; },
       oidc("oidcLogoutCallbackURL: out"), "connectors[0].oidcLogoutCallbackURL: expected an absolute URL"},
      {"connectors[].idTokenSigningAlgs", oidc("idTokenSigningAlgs: [ES256, EdDSA]"),
       [](const Config& c) {
         return first_oidc(c).signing_algorithms == List{"ES256", "EdDSA"};
       },
       oidc("idTokenSigningAlgs: [none]"), "connectors[0].idTokenSigningAlgs[0]: expected RS256"},
      {"connectors[].healthCheck",
       "",
       {},
       oidc("healthCheck: {enabled: true}"),
       "connectors[0].healthCheck: not supported by this version"},
      {"connectors[].enabled", user(kUser), [](const Config& c) { return first_local(c).enabled; },
       local_with("enabled: sure"), "connectors[0].enabled: expected true or false"},
      {"connectors[].loginPath", local("loginPath: /in"),
       [](const Config& c) { return first_local(c).login_path == "/in"; }, local("loginPath: '/in?x=1'"),
       "connectors[0].loginPath: expected a path"},
      {"connectors[].users", user(kUser), [](const Config& c) { return first_local(c).users.size() == 1; },
       local_with("users: {ann: x}"), "connectors[0].users: expected a list of users"},
      {"connectors[].users[].username", user(kUser),
       [](const Config& c) { return first_local(c).users[0].username == "ann"; },
       local_with("users: [{" + kUser + "}, {" + kUser + "}]"), "the user \"ann\" is given twice"},
      {"connectors[].users[].passwordHash", user(kUser),
       [](const Config& c) { return first_local(c).users[0].password_hash == kHash; },
       user("username: ann, passwordHash: secret"),
       "connectors[0].users[0].passwordHash: expected a password hash, as `kith hash-password` makes it, "
       "found a value "
       "that is not shown"},
      {"connectors[].users[].claims", user(kUser + ", claims: {email: a@b.test, groups: [hr]}"),
       [](const Config& c) {
         const auto& claims = first_local(c).users[0].claims;
         const identity::Claim &email = claims.at("email"), &groups = claims.at("groups");
         return !email.list && email.values == std::vector<std::string>{"a@b.test"} && groups.list &&
                groups.values == std::vector<std::string>{"hr"};
       },
       user(kUser + ", claims: [email]"), "connectors[0].users[0].claims: expected a map of claims"},
  };
}

std::vector<Row> app_rows() {
  using List = std::vector<std::string>;
  using Op = gateway::Condition::Op;
  using Join = gateway::Rule::Join;
  auto is_op = [](Op op) {
    return [op](const Config& c) {
      const gateway::Condition& one = first_condition(c);
      return one.op == op && one.left.parts.at(0).is_claim && one.left.parts[0].text == "people.groups" &&
             one.right.parts.at(0).text == "hr";
    };
  };
  const std::string operands = "['{{ people.groups }}', hr]";
  return {
      {"apps[].name", app("preserveHost: false"), [](const Config& c) { return first_app(c).name == "hr"; },
       app_with("routePatterns: [/], upstream: 'http://u.test'"), "apps[0]: the key \"name\" is missing"},
      {"apps[].type", app("preserveHost: false"), [](const Config& c) { return c.gateway.apps.size() == 1; },
       "apps: [{name: a, type: mcpProxy}]",
       "apps[0].type: not supported by this version of kith: the type \"mcpProxy\""},
      {"apps[].routePatterns",
       app_with("name: hr, routePatterns: [HR.test/x, 'b.test:8443', /y], upstream: 'http://u.test'"),
       [](const Config& c) {
         return first_app(c).route_patterns == List{"hr.test/x", "b.test:8443", "/y"};
       },
       app_with("name: hr, routePatterns: ['https://hr.test/'], upstream: 'http://u.test'"),
       "apps[0].routePatterns[0]: expected a path, a host or both"},
      {"apps[].upstream", app("preserveHost: false"),
       [](const Config& c) { return first_app(c).upstream.host == "10.0.0.5"; },
       app_with("name: hr, routePatterns: [/], upstream: 10.0.0.5"),
       "apps[0].upstream: expected the URL of a server"},
      {"apps[].preserveHost", app("preserveHost: true"),
       [](const Config& c) { return first_app(c).preserve_host; }, app("preserveHost: yes"),
       "apps[0].preserveHost: expected true or false"},
      {"apps[].tls",
       app_with("name: hr, routePatterns: [/], upstream: 'https://u.test', tls: front") +
           profile("caFile: /c.pem"),
       [](const Config& c) { return first_app(c).tls == "front"; },
       app("tls: front") + profile("caFile: /c.pem"), "apps[0].tls: the upstream is plain http"},
      {"apps[].headers", app("headers: []"), [](const Config& c) { return first_app(c).headers.empty(); },
       app("headers: {X-User: a}"), "apps[0].headers: expected a list of headers"},
      {"apps[].headers[].name", header("name: X-User, value: a"),
       [](const Config& c) { return first_app(c).headers[0].name == "X-User"; },
       header("name: X_Forwarded-For, value: a"), "or one that kith sets itself)"},
      {"apps[].headers[].value", header("name: X-User, value: 'u={{ people.sub }}'"),
       [](const Config& c) {
         const auto& parts = first_app(c).headers[0].value.parts;
         return parts.size() == 2 && parts[0].text == "u=" && parts[1].is_claim &&
                parts[1].text == "people.sub";
       },
       header("name: X-User, value: '{{ peple.sub }}'"),
       "apps[0].headers[0].value: there is no connector named \"peple\", did you mean \"people\"?"},
      {"apps[].headers[].createHeaderSE",
       "",
       {},
       header("createHeaderSE: {}"),
       "not supported by this version"},
      {"apps[].policies", app("policies: []"), [](const Config& c) { return first_app(c).policies.empty(); },
       app("policies: {location: /}"), "apps[0].policies: expected a list of policies"},
      {"apps[].policies[].location", app("policies: [{location: '~ [.](css|js)$'}]"),
       [](const Config& c) { return first_policy(c).location == "~ [.](css|js)$"; },
       app("policies: [{location: '~ [.'}]"), "apps[0].policies[0].location: expected a path such as /admin"},
      {"apps[].policies[].failClosed",
       app("policies: [{location: /, failClosed: true}]") + cluster("disabled: false") +
           session("store: {type: cluster, cluster: {name: eu}}"),
       [](const Config& c) { return first_policy(c).fail_closed; },
       app("policies: [{location: /, failClosed: true}]"),
       "apps[0].policies[0].failClosed: sessions are kept on this node alone"},
      {"apps[].policies[].authentication", authentication("allowUnauthenticated: false"),
       [](const Config& c) { return first_policy(c).idps.empty(); }, policy("authentication: people"),
       "apps[0].policies[0].authentication: expected a map"},
      {"apps[].policies[].authentication.idps", authentication("idps: [people]"),
       [](const Config& c) { return first_policy(c).idps == List{"people"}; }, authentication("idps: [corp]"),
       "apps[0].policies[0].authentication.idps[0]: there is no connector named \"corp\""},
      {"apps[].policies[].authentication.allowUnauthenticated", authentication("allowUnauthenticated: true"),
       [](const Config& c) { return first_policy(c).allow_unauthenticated; },
       authentication("allowUnauthenticated: all"), "allowUnauthenticated: expected true or false"},
      {"apps[].policies[].authentication.isAuthenticatedSE",
       "",
       {},
       authentication("isAuthenticatedSE: {}"),
       "not supported by this version"},
      {"apps[].policies[].authentication.authenticateSE",
       "",
       {},
       authentication("authenticateSE: {}"),
       "not supported by this version"},
      {"apps[].policies[].authorization", authorization("allowAll: false"),
       [](const Config& c) { return !first_policy(c).allow_all; }, policy("authorization: allow"),
       "apps[0].policies[0].authorization: expected a map"},
      {"apps[].policies[].authorization.allowAll", authorization("allowAll: true"),
       [](const Config& c) { return first_policy(c).allow_all; }, authorization("allowAll: 'true '"),
       "allowAll: expected true or false, found \"true \""},
      {"apps[].policies[].authorization.rulesAggregationMethod", authorization("rulesAggregationMethod: OR"),
       [](const Config& c) { return first_policy(c).aggregation == Join::any; },
       authorization("rulesAggregationMethod: xor"),
       "rulesAggregationMethod: expected and or or, found \"xor\""},
      {"apps[].policies[].authorization.rules", authorization("rules: []"),
       [](const Config& c) { return first_policy(c).rules.empty(); }, authorization("rules: [{}]"),
       "rules[0]: expected one of and, or, found a map"},
      {"apps[].policies[].authorization.rules[].and", rule("and: [{equals: " + operands + "}]"),
       [](const Config& c) { return first_policy(c).rules[0].join == Join::all; }, rule("and: []"),
       "rules[0].and: expected at least one operator"},
      {"apps[].policies[].authorization.rules[].or", rule("or: [{equals: " + operands + "}]"),
       [](const Config& c) { return first_policy(c).rules[0].join == Join::any; }, rule("or: [], and: []"),
       "rules[0]: expected one of and, or"},
      {"apps[].policies[].authorization.rules[].and[].equals", rule("and: [{equals: " + operands + "}]"),
       is_op(Op::equals), rule("and: [{equals: [a]}]"),
       "rules[0].and[0].equals: expected a list of two texts"},
      {"apps[].policies[].authorization.rules[].and[].notEquals",
       rule("and: [{notEquals: " + operands + "}]"), is_op(Op::not_equals), rule("and: [{notEquals: a}]"),
       "notEquals: expected a list of two texts, found \"a\""},
      {"apps[].policies[].authorization.rules[].and[].contains", rule("and: [{contains: " + operands + "}]"),
       is_op(Op::contains), rule("and: [{contains: ['{{ people', a]}]"),
       "contains[0]: expected a text, with claims"},
      {"apps[].policies[].authorization.rules[].and[].notContains",
       rule("and: [{notContains: " + operands + "}]"), is_op(Op::not_contains),
       rule("and: [{notContain: [a, b]}]"), "did you mean \"notContains\"?"},
      {"apps[].policies[].authorization.rules[].or[].equals", rule("or: [{equals: " + operands + "}]"),
       is_op(Op::equals), rule("or: [{equals: [a, b, c]}]"),
       "rules[0].or[0].equals: expected a list of two texts"},
      {"apps[].policies[].authorization.rules[].or[].notEquals", rule("or: [{notEquals: " + operands + "}]"),
       is_op(Op::not_equals), rule("or: [{notEquals: {}}]"),
       "notEquals: expected a list of two texts, found a map"},
      {"apps[].policies[].authorization.rules[].or[].contains", rule("or: [{contains: " + operands + "}]"),
       is_op(Op::contains), rule("or: [{contains: ['{{ corp.x }}', a]}]"),
       "there is no connector named \"corp\""},
      {"apps[].policies[].authorization.rules[].or[].notContains",
       rule("or: [{notContains: " + operands + "}]"), is_op(Op::not_contains), rule("or: [{notContains: }]"),
       "notContains: expected a list of two texts, found nothing"},
      {"apps[].policies[].authorization.isAuthorizedSE",
       "",
       {},
       authorization("isAuthorizedSE: {}"),
       "not supported by this version"},
      {"apps[].unauthorizedPage", app("unauthorizedPage: 'https://w.test/no'"),
       [](const Config& c) { return first_app(c).unauthorized_page == "https://w.test/no"; },
       app("unauthorizedPage: no"), "apps[0].unauthorizedPage: expected an absolute URL"},
      {"apps[].logoutPath", app("logoutPath: /logout"),
       [](const Config& c) { return first_app(c).logout_path == "/logout"; }, app("logoutPath: logout"),
       "apps[0].logoutPath: expected a path"},
      {"apps[].errorPage", "", {}, app("errorPage: x"), "not supported by this version"},
      {"apps[].attrProviders", "", {}, app("attrProviders: []"), "not supported by this version"},
      {"apps[].loadAttrsSE", "", {}, app("loadAttrsSE: {}"), "not supported by this version"},
      {"apps[].handleUnauthorizedSE",
       "",
       {},
       app("handleUnauthorizedSE: {}"),
       "not supported by this version"},
  };
}

std::vector<Row> cache_rows() {
  using Ack = cluster::AckLevel;
  return {
      {"caches", cache_with(kInCluster), [](const Config& c) { return c.caches.size() == 1; },
       cluster("disabled: false") + "caches: {}\n", "caches: expected a list of caches"},
      {"caches[].name", cache_with(kInCluster),
       [](const Config& c) { return first_cache(c).name == "shared"; },
       cache_with("name: local_default, type: cluster, cluster: {name: eu}"),
       "caches[0].name: is the name of the built-in cache"},
      {"caches[].type", cache_with(kInCluster), [](const Config& c) { return !first_cache(c).has_endpoint; },
       cache_with("name: shared, type: redis"), "caches[0].type: not supported by this version of kith"},
      {"caches[].cluster", cache_with(kInCluster),
       [](const Config& c) { return first_cache(c).ack == Ack::local; },
       cache_with("name: shared, type: cluster"), "caches[0]: the key \"cluster\" is missing"},
      {"caches[].cluster.name", cache_with(kInCluster),
       [](const Config& c) { return first_cache(c).cluster == "eu"; },
       cache_with("name: shared, type: cluster, cluster: {name: us}"),
       "caches[0].cluster.name: there is no cluster named \"us\""},
      {"caches[].cluster.ack", cache_with("name: shared, type: cluster, cluster: {name: eu, ack: zone}"),
       [](const Config& c) { return first_cache(c).ack == Ack::zone; },
       cache_with("name: shared, type: cluster, cluster: {name: eu, ack: fsync}"),
       "caches[0].cluster.ack: the cluster \"eu\" has no journal"},
      {"caches[].cluster.maxMemoryMiB",
       cache_with("name: shared, type: cluster, cluster: {name: eu, maxMemoryMiB: 64}"),
       [](const Config& c) { return first_cache(c).max_memory_mib == 64; },
       cache_with("name: shared, type: cluster, cluster: {name: eu, maxMemoryMiB: 0}"),
       "caches[0].cluster.maxMemoryMiB: expected"},
      {"caches[].endpoint", endpoint(kRedisPort), [](const Config& c) { return first_cache(c).has_endpoint; },
       endpoint("address: '0.0.0.0:6379'"), "caches[0].endpoint: needs a password"},
      {"caches[].endpoint.address", endpoint("address: '[::1]:6380'"),
       [](const Config& c) {
         return first_cache(c).endpoint.host == "::1" && first_cache(c).endpoint.port == 6380;
       },
       http("address: '127.0.0.1:6379'") + endpoint(kRedisPort),
       "caches[0].endpoint.address: is taken by http.address"},
      {"caches[].endpoint.username", endpoint(kRedisPort + ", username: app"),
       [](const Config& c) { return first_cache(c).endpoint.username == "app"; },
       endpoint(kRedisPort + ", username: 'a b'"), "caches[0].endpoint.username: expected"},
      {"caches[].endpoint.password", endpoint("address: '0.0.0.0:6379', password: long"),
       [](const Config& c) { return first_cache(c).endpoint.password.reveal_text() == "long"; },
       endpoint(kRedisPort + ", password: []"), "caches[0].endpoint.password: expected"},
      {"caches[].endpoint.tls",
       profile("certFile: /c.pem, keyFile: /k.pem") + endpoint(kRedisPort + ", tls: front"),
       [](const Config& c) { return first_cache(c).endpoint.tls == "front"; },
       profile("caFiles: [/c.pem]") + endpoint(kRedisPort + ", tls: front"),
       "caches[0].endpoint.tls: the TLS profile \"front\" has no certFile and keyFile"},
      {"caches[].endpoint.maxConnections", endpoint(kRedisPort + ", maxConnections: 10"),
       [](const Config& c) { return first_cache(c).endpoint.max_connections == 10; },
       endpoint(kRedisPort + ", maxConnections: 0"), "caches[0].endpoint.maxConnections: expected"},
  };
}

std::vector<Row> later_rows() {
  std::vector<Row> out;
  for (const char* key : {"telemetry", "apis", "oidcProvider", "samlProvider", "ldapProvider", "mcpProvider",
                          "serviceExtensions", "orchestratorGroups", "appgateways", "authProviders",
                          "attrproviders", "include"}) {
    out.push_back({key,
                   "",
                   {},
                   std::string(key) + ": {}",
                   std::string(key) + ": not supported by this version of kith"});
  }
  return out;
}

std::vector<Row> all_rows() {
  std::vector<Row> out;
  for (auto&& rows : {top_rows(), http_rows(), session_rows(), cluster_rows(), cache_rows(), connector_rows(),
                      app_rows(), later_rows()}) {
    out.insert(out.end(), rows.begin(), rows.end());
  }
  return out;
}

Loaded load(const std::string& text) {
  World world;
  world.files.content = {{"/c.pem", fixture("tls/front.crt")},
                         {"/k.pem", fixture("tls/front.key")},
                         {"/other.pem", fixture("tls/other.key")},
                         {"/etc/kith/rel.pem", fixture("tls/front.crt")},
                         {"/text", "not a certificate"}};
  world.secrets.values = {{"client-secret", "hush"}, {"pem-key", fixture("tls/front.key")}};
  return world.load(text);
}

TEST(Keys, each_good_value_has_its_effect) {
  for (const Row& row : all_rows()) {
    if (row.good.empty()) continue;
    Loaded loaded = load(row.good);
    EXPECT_TRUE(loaded.ok()) << row.key << "\n" << row.good << "\n" << lines(loaded.problems);
    if (!loaded.ok()) continue;
    EXPECT_TRUE(row.effect(loaded.config)) << row.key << "\n" << row.good;
  }
}

TEST(Keys, each_wrong_value_is_refused_with_its_key_and_what_was_expected) {
  for (const Row& row : all_rows()) {
    Loaded loaded = load(row.bad);
    EXPECT_FALSE(loaded.ok()) << row.key << "\n" << row.bad;
    EXPECT_NE(lines(loaded.problems).find(row.problem), std::string::npos)
        << row.key << "\n"
        << row.bad << "\nwanted: " << row.problem << "\ngot:\n"
        << lines(loaded.problems);
    for (const Problem& problem : loaded.problems) EXPECT_GT(problem.place.line, 0) << problem.message;
  }
}

TEST(Keys, an_expression_that_looks_like_the_beginning_of_paths_is_warned_of) {
  auto warned = [](const std::string& location) {
    Loaded loaded =
        load(app("policies: [{location: '" + location +
                 "', authentication: {allowUnauthenticated: true}, authorization: {allowAll: true}}]"));
    EXPECT_TRUE(loaded.ok()) << lines(loaded.problems);
    return lines(loaded.problems).find("for longer paths too it has to end in .*") != std::string::npos;
  };
  for (const char* location : {"~ ^/admin", "~ (?i)^/admin/"}) EXPECT_TRUE(warned(location)) << location;
  for (const char* location : {"~ ^/admin$", "~ ^/admin/.*", "~ /admin", "~ [.]css$", "/admin"})
    EXPECT_FALSE(warned(location)) << location;
}

TEST(Keys, a_key_file_that_others_may_read_is_refused) {
  auto problems_of = [](const std::string& exposed, const std::string& text) {
    World world;
    world.files.content = {{"/c.pem", fixture("tls/front.crt")}, {"/k.pem", fixture("tls/front.key")}};
    world.exposed = exposed;
    return lines(world.load(text).problems);
  };
  const std::string tls = profile("certFile: /c.pem, keyFile: /k.pem");
  EXPECT_NE(problems_of("/k.pem", tls).find("tls.front.keyFile: expected a PEM file"), std::string::npos);
  EXPECT_NE(problems_of("/k.pem", tls).find(kExposed), std::string::npos);
  EXPECT_EQ(problems_of("/c.pem", tls).find("certFile"), std::string::npos) << "everybody may read it";
  const std::string node = encryption(kPsk + ", nodeKey: {file: eu.key}");
  EXPECT_NE(problems_of("/etc/kith/eu.key", node).find("nodeKey.file: expected the path of a file"),
            std::string::npos);
  EXPECT_NE(problems_of("/etc/kith/eu.key", node).find(kExposed), std::string::npos);
}

TEST(Keys, no_key_of_the_schema_is_without_a_row_here) {
  std::set<std::string> tested;
  for (const Row& row : all_rows()) tested.insert(row.key);
  for (const std::string& key : all_keys(config_codec().shape)) {
    EXPECT_TRUE(tested.contains(key)) << key;
  }
}

}  // namespace
}  // namespace kith::app
