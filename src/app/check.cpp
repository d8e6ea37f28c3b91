// What no single key can say: references between parts, names given twice, and settings that only
// together make no sense. A part that could not be decoded is skipped here; its problem is told already.

#include <algorithm>
#include <map>
#include <set>

#include "app/keys.h"
#include "base/text.h"
#include "crypto/tls.h"
#include "gateway/headers.h"
#include "identity/connectors.h"

namespace kith::app {

namespace {

using gateway::SessionConfig;

std::string item(const std::string& list, size_t index) { return list + "[" + std::to_string(index) + "]"; }

// "expected the name of a TLS profile, found "x"", with the nearest one.
void unknown_name(Reader& reader, const std::string& path, const std::string& what, const std::string& found,
                  const std::vector<std::string_view>& known) {
  std::string message = "there is no " + what + " named \"" + printable(found, 80) + "\"";
  if (known.empty()) message += " (none is defined)";
  auto near = nearest(found, known);
  reader.error_at(path, std::move(message), near ? std::string(*near) : "");
}

template <class List, class Name>
std::vector<std::string_view> names_of(const List& list, Name name) {
  std::vector<std::string_view> out;
  for (const auto& one : list) {
    std::string_view text = name(one);
    if (!text.empty()) out.push_back(text);
  }
  return out;
}

// Later items with a name that an earlier one has.
template <class List, class Name>
void check_unique(Reader& reader, const std::string& path, const List& list, Name name) {
  std::map<std::string, size_t> seen;
  for (size_t i = 0; i < list.size(); ++i) {
    std::string text(name(list[i]));
    if (text.empty()) continue;
    auto [first, fresh] = seen.emplace(text, i);
    if (!fresh) {
      reader.error_at(item(path, i) + ".name",
                      "the name \"" + printable(text, 80) + "\" is taken by " + item(path, first->second));
    }
  }
}

class Checker {
 public:
  Checker(const Config& config, Reader& reader)
      : config_(config),
        gateway_(config.gateway),
        reader_(reader),
        tls_names_(names_of(gateway_.tls, [](const auto& one) -> std::string_view { return one.name; })),
        connector_names_(names_of(gateway_.connectors, connector_name)) {}

  void run() {
    if (config_.clusters_enabled) {
      check_clusters();
      check_cluster_users();
      check_caches();
    } else {
      warn_standalone();
    }
    for (size_t i = 0; i < gateway_.tls.size(); ++i) check_tls(gateway_.tls[i]);
    check_http();
    check_session();
    check_old_spellings();
    check_connectors();
    check_apps();
  }

 private:
  static std::string_view connector_name(const identity::ConnectorConfig& connector) {
    return std::visit([](const auto& one) -> std::string_view { return one.name; }, connector);
  }

  // Of a connector that could not be read the name is not known, so a name that nobody has may be its.
  bool all_connectors_known() const {
    size_t named = names_of(gateway_.connectors, connector_name).size();
    return named == gateway_.connectors.size() && !(named == 0 && reader_.failed("connectors"));
  }

  void check_connector_reference(const std::string& path, const std::string& connector) {
    bool known =
        std::find(connector_names_.begin(), connector_names_.end(), connector) != connector_names_.end();
    if (!known && all_connectors_known())
      unknown_name(reader_, path, "connector", connector, connector_names_);
  }

  // Whether the item was decoded as what its type says; else there is nothing more to say of it.
  bool has_good_type(const std::string& path) const {
    return reader_.has(path + ".type") && !reader_.failed(path + ".type");
  }
  bool is_good(const std::string& path) const { return reader_.has(path) && !reader_.failed(path); }

  void warn_standalone() {
    bool configured = reader_.has("clusters");
    const bool cached = reader_.has("caches");
    bool stored = gateway_.session.store == SessionConfig::Store::cluster;
    bool routed = gateway_.http.routing.enabled;
    if (!configured && !cached && !stored && !routed) return;
    std::string message = "the feature experimental.clusters is off: this node runs standalone";
    if (configured) message += ", clusters are ignored";
    if (cached) message += ", caches are ignored";
    if (stored) message += ", sessions are kept in this node alone (session.store.type is taken as local)";
    if (routed) message += ", http.routing is off";
    std::string where = configured ? "clusters"
                        : cached   ? "caches"
                        : stored   ? "session.store.type"
                                   : "http.routing.enabled";
    reader_.warn_at(where, message);
  }

  void check_admission(const std::string& path, const cluster::AdmissionConfig& admission) {
    const bool pinned = admission.mode == cluster::AdmissionConfig::Mode::pinned;
    if (pinned && admission.nodes.empty())
      reader_.error_at(path, "the mode pinned needs nodes: with none listed nobody could come in");
    if (!pinned && !admission.nodes.empty() && !reader_.failed(path + ".mode"))
      reader_.error_at(path + ".nodes", "is for the mode pinned: without it everybody is admitted");
    if (admission.banned.size() > membership::kMaxBans)
      reader_.error_at(path + ".banned",
                       "expected at most " + std::to_string(membership::kMaxBans) + " nodes");
  }

  void check_clusters() {
    check_unique(reader_, "clusters", config_.clusters, [](const auto& one) { return one.name; });
    std::map<Multiaddr, std::string> bound;  // address -> path that has it
    std::map<std::string, std::string> folders;
    for (size_t i = 0; i < config_.clusters.size(); ++i) {
      const auto& one = config_.clusters[i];
      std::string path = item("clusters", i);
      if (!one.disabled) {
        check_bound(bound, path + ".addresses.membership", one.membership);
        check_bound(bound, path + ".addresses.data", one.data);
      }
      if (reader_.has(path + ".encryption.psk") && one.psks.empty()) {
        reader_.error_at(path + ".encryption.psk", "expected at least one key, found none");
      }
      if (one.psks.size() > 8) reader_.error_at(path + ".encryption.psk", "expected at most 8 keys");
      check_admission(path + ".admission", one.admission);
      check_discovery(path + ".discovery", one);
      check_journal(folders, path + ".journal", one);
      if (one.failover.fresh_for() <= one.failover.lease && !reader_.failed(path + ".failover"))
        reader_.error_at(path + ".failover",
                         "freshness has to be above the lease: a leader is heard of that often");
    }
  }

  void check_journal(std::map<std::string, std::string>& folders, const std::string& path,
                     const cluster::ClusterConfig& one) {
    const cluster::JournalConfig& journal = one.journal;
    if (!reader_.has(path) || reader_.failed(path + ".directory")) return;
    if (journal.directory.empty()) return reader_.error_at(path, "a journal needs a directory");
    const auto [other, fresh] = folders.emplace(journal.directory, path + ".directory");
    if (!fresh) reader_.error_at(path + ".directory", "the folder is taken by " + other->second);
    if (reader_.failed(path + ".keys.current")) return;
    if (journal.key.empty())
      return reader_.error_at(path, "a journal needs keys.current: `kith keygen psk` makes such a key");
    for (const crypto::Secret& psk : one.psks)
      if (crypto::equal_constant_time(psk.reveal(), journal.key.reveal()))
        reader_.error_at(path + ".keys.current", "is a pre-shared key of the mesh; it has to be another");
  }

  void check_discovery(const std::string& path, const cluster::ClusterConfig& one) {
    check_twice(path + ".srvDNS", path + ".srvdns");
    std::string srv = path + (reader_.has(path + ".srvdns") ? ".srvdns" : ".srvDNS");
    if (reader_.failed(path + ".method")) return;
    bool by_dns = one.discovery == cluster::ClusterConfig::Discovery::srv;
    if (by_dns && one.srv.names.empty() && !reader_.failed(srv + ".names"))
      reader_.error_at(reader_.has(srv) ? srv : path,
                       "the method srvdns needs srvDNS.names: what to ask DNS for");
    if (one.srv.names.size() > cluster::SrvConfig::kMaxNames)
      reader_.error_at(srv + ".names",
                       "expected at most " + std::to_string(cluster::SrvConfig::kMaxNames) + " names");
    if (by_dns && reader_.has(path + ".static"))
      reader_.warn_at(path + ".static", "is not used by the method srvdns");
    if (!by_dns && reader_.has(srv)) reader_.warn_at(srv, "is not used by the method static");
  }

  void check_bound(std::map<Multiaddr, std::string>& bound, const std::string& path,
                   const Multiaddr& address) {
    if (address.host.empty() || address.port == 0) return;
    auto is_any = [](const Multiaddr& one) { return one.host == "0.0.0.0" || one.host == "::"; };
    for (const auto& [other, where] : bound) {
      if (other.port != address.port) continue;
      if (other.host == address.host || is_any(other) || is_any(address))
        return reader_.error_at(path, "the address " + address.text() + " is taken by " + where);
    }
    bound.emplace(address, path);
  }

  // path: of the store's `cluster`.
  void check_ack_level(const std::string& path, const std::string& cluster, cluster::AckLevel level) {
    if (level != cluster::AckLevel::journal && level != cluster::AckLevel::fsync) return;
    const auto* one = find_cluster(cluster);
    if (one != nullptr && one->journal.directory.empty())
      reader_.error_at(path + ".ack", "the cluster \"" + one->name + "\" has no journal");
  }

  void check_cluster_users() {
    if (gateway_.session.store == SessionConfig::Store::cluster) {
      check_cluster_reference("session.store.cluster.name", gateway_.session.cluster);
      check_ack_level("session.store.cluster", gateway_.session.cluster, gateway_.session.ack);
    }
    if (gateway_.http.routing.enabled || !gateway_.http.routing.cluster.empty()) {
      check_cluster_reference("http.routing.cluster.name", gateway_.http.routing.cluster);
    }
    bool both = gateway_.session.store == SessionConfig::Store::cluster && gateway_.http.routing.enabled &&
                is_good("session.store.cluster.name") && is_good("http.routing.cluster.name");
    if (both && node_key_of(gateway_.session.cluster) != node_key_of(gateway_.http.routing.cluster)) {
      reader_.warn_at("http.routing.cluster.name",
                      "its nodeKey.file is not that of the session store's cluster \"" +
                          gateway_.session.cluster +
                          "\": nodes are not recognised across the two, so nothing is forwarded");
    }
    if (gateway_.http.routing.enabled && gateway_.session.store == SessionConfig::Store::local) {
      reader_.warn_at("http.routing.enabled",
                      "sessions are kept in this node alone, so nothing is ever forwarded");
    }
  }

  void check_caches() {
    check_unique(reader_, "caches", config_.caches, [](const auto& one) { return one.name; });
    std::map<Endpoint, std::string> bound;  // address -> path that has it
    const http::HttpConfig& http = gateway_.http;
    if (auto address = IpAddress::parse(http.host.empty() ? "::" : http.host); address && http.port != 0)
      bound.emplace(Endpoint{*address, http.port}, "http.address");
    for (size_t i = 0; i < config_.caches.size(); ++i) {
      const cache::CacheConfig& one = config_.caches[i];
      const std::string path = item("caches", i);
      if (!has_good_type(path)) continue;
      if (one.name == "local_default") reader_.error_at(path + ".name", "is the name of the built-in cache");
      check_cluster_reference(path + ".cluster.name", one.cluster);
      check_ack_level(path + ".cluster", one.cluster, one.ack);
      if (one.has_endpoint) check_endpoint(bound, path + ".endpoint", one.endpoint);
    }
  }

  void check_endpoint(std::map<Endpoint, std::string>& bound, const std::string& path,
                      const cache::EndpointConfig& one) {
    if (const auto* profile = tls_reference(path + ".tls", one.tls)) check_serves(path + ".tls", *profile);
    auto address = IpAddress::parse(one.host.empty() ? "::" : one.host);
    if (!address || !is_good(path + ".address")) return;
    if (!address->is_loopback() && one.password.empty() && !reader_.failed(path + ".password"))
      reader_.error_at(path, "needs a password: others than this machine reach " + one.host + ":" +
                                 std::to_string(one.port));
    if (!address->is_loopback() && one.tls.empty())
      reader_.warn_at(path, "without tls the password and everything else cross the network in the clear");
    if (one.port == 0) return;
    // Two of one process could share an address, and connections would go to either.
    for (const auto& [other, where] : bound) {
      const bool same =
          other.address == *address || other.address.is_unspecified() || address->is_unspecified();
      if (other.port == one.port && same) return reader_.error_at(path + ".address", "is taken by " + where);
    }
    bound.emplace(Endpoint{*address, one.port}, path + ".address");
  }

  // Null when there is none of this name.
  const cluster::ClusterConfig* find_cluster(const std::string& name) const {
    auto at = std::find_if(config_.clusters.begin(), config_.clusters.end(),
                           [&](const auto& one) { return one.name == name; });
    return at == config_.clusters.end() ? nullptr : &*at;
  }

  std::string node_key_of(const std::string& cluster) const {
    const auto* one = find_cluster(cluster);
    return one == nullptr ? "" : one->node_key_file;
  }

  void check_cluster_reference(const std::string& path, const std::string& cluster) {
    if (cluster.empty()) {
      if (!reader_.has(path)) reader_.error_at(path, "is missing: expected the name of a defined cluster");
      return;
    }
    const auto* found = find_cluster(cluster);
    if (found == nullptr) {
      auto known = names_of(config_.clusters, [](const auto& one) -> std::string_view { return one.name; });
      unknown_name(reader_, path, "cluster", cluster, known);
    } else if (found->disabled) {
      reader_.error_at(path, "the cluster \"" + cluster + "\" is disabled");
    }
  }

  void check_tls(const http::TlsProfileConfig& profile) {
    std::string path = "tls." + profile.name;
    const crypto::TlsProfile& tls = profile.profile;
    bool has_cert = !tls.certificate_pem.empty();
    bool has_key = !tls.private_key_pem.empty();
    // The file may have been named and not readable, which is told already.
    if (has_cert && !reader_.has(path + ".keyFile")) reader_.error_at(path, "certFile needs keyFile");
    if (has_key && !reader_.has(path + ".certFile")) reader_.error_at(path, "keyFile needs certFile");
    bool wants_clients = tls.client_auth == crypto::TlsProfile::ClientAuth::verify_if_given ||
                         tls.client_auth == crypto::TlsProfile::ClientAuth::require_and_verify;
    if (wants_clients && !reader_.has(path + ".clientCAFiles")) {
      reader_.error_at(path + ".clientAuth", "needs clientCAFiles: whose certificates are believed");
      return;
    }
    if (has_cert != has_key) return;
    auto client = crypto::make_client_context(tls);
    auto server = has_cert ? crypto::make_server_context(tls) : client;
    const auto& worst = client ? server : client;
    if (!worst) reader_.error_at(path, "not a usable profile: " + worst.error().message());
  }

  const http::TlsProfileConfig* tls_reference(const std::string& path, const std::string& profile) {
    if (profile.empty()) return nullptr;
    for (const auto& one : gateway_.tls) {
      if (one.name == profile) return &one;
    }
    unknown_name(reader_, path, "TLS profile", profile, tls_names_);
    return nullptr;
  }

  void check_http() {
    if (const auto* profile = tls_reference("http.tls", gateway_.http.tls))
      check_serves("http.tls", *profile);
  }

  void check_serves(const std::string& user, const http::TlsProfileConfig& profile) {
    const std::string path = "tls." + profile.name;
    if (!reader_.has(path + ".certFile") && !reader_.has(path + ".keyFile"))
      reader_.error_at(user,
                       "the TLS profile \"" + profile.name + "\" has no certFile and keyFile to serve with");
  }

  void check_session() {
    const gateway::CookieConfig& cookie = gateway_.session.cookie;
    if (cookie.same_site == gateway::CookieConfig::SameSite::none && cookie.disable_secure) {
      reader_.error_at("session.cookie.sameSite", "None needs Secure: remove disableSecure");
    }
    std::string folded = lower(cookie.name);
    bool host_prefix = folded.starts_with("__host-");
    if ((host_prefix || folded.starts_with("__secure-")) && cookie.disable_secure) {
      reader_.error_at("session.cookie.name", "a name with this prefix needs Secure: remove disableSecure");
    }
    if (host_prefix && !cookie.domain.empty()) {
      reader_.error_at("session.cookie.name", "a name with the prefix __Host- cannot have a domain");
    }
    if (gateway_.session.idle_timeout > gateway_.session.max_timeout) {
      reader_.warn_at("session.lifetime.idleTimeout", "longer than maxTimeout, so it never matters");
    }
  }

  void check_twice(const std::string& now, const std::string& before) {
    if (reader_.has(now) && reader_.has(before)) {
      reader_.error_at(before, "is the old spelling of " + now + ", and both are given");
    }
  }

  void check_old_spellings() {
    check_twice("session.lifetime.maxTimeout", "session.maxLifetimeSeconds");
    check_twice("session.lifetime.idleTimeout", "session.idleTimeoutSeconds");
    check_twice("session.cookie.domain", "session.cookieDomain");
    check_twice("singleLogout.postLogout.redirectURL", "singleLogout.postLogoutRedirectURL");
  }

  void check_connectors() {
    check_unique(reader_, "connectors", gateway_.connectors, connector_name);
    std::map<std::string, size_t> login_paths;
    for (size_t i = 0; i < gateway_.connectors.size(); ++i) {
      std::string path = item("connectors", i);
      if (const auto* oidc = std::get_if<identity::OidcConnectorConfig>(&gateway_.connectors[i])) {
        check_oidc(path, *oidc);
      } else {
        check_local(path, std::get<identity::LocalConnectorConfig>(gateway_.connectors[i]), i, login_paths);
      }
      // What the room itself refuses, unless it was told already.
      if (reader_.failed(path)) continue;
      auto usable = identity::check_connector(gateway_.connectors[i]);
      if (!usable) reader_.error_at(path, usable.error().message());
    }
  }

  void check_oidc(const std::string& path, const identity::OidcConnectorConfig& oidc) {
    if (!has_good_type(path)) return;
    tls_reference(path + ".tls", oidc.tls);
    check_twice(path + ".oauthLoginRedirect", path + ".oauthRedirectURL");
    check_twice(path + ".oauthLogoutRedirect", path + ".oidcLogoutCallbackURL");
    if (oidc.login_redirect_urls.empty() && !reader_.failed(path + ".oauthLoginRedirect") &&
        !reader_.has(path + ".oauthRedirectURL")) {
      reader_.error_at(path + ".oauthLoginRedirect.urls", "expected at least one URL, found none");
    }
  }

  void check_local(const std::string& path, const identity::LocalConnectorConfig& local, size_t index,
                   std::map<std::string, size_t>& login_paths) {
    if (!local.enabled && !reader_.failed(path + ".enabled")) {
      reader_.error_at(path + ".enabled",
                       "a connector of the type local has to be switched on: enabled: true");
    }
    std::set<std::string> users;
    for (size_t i = 0; i < local.users.size(); ++i) {
      const std::string& user = local.users[i].username;
      if (!user.empty() && !users.insert(user).second) {
        reader_.error_at(item(path + ".users", i) + ".username",
                         "the user \"" + printable(user, 80) + "\" is given twice");
      }
    }
    auto [first, fresh] = login_paths.emplace(local.login_path, index);
    if (!fresh) {
      reader_.error_at(path + ".loginPath",
                       "the path " + local.login_path + " is taken by " + item("connectors", first->second));
    }
  }

  void check_apps() {
    check_unique(reader_, "apps", gateway_.apps, [](const auto& one) { return one.name; });
    std::map<std::string, std::string> patterns;
    for (size_t i = 0; i < gateway_.apps.size(); ++i) {
      const gateway::AppConfig& app = gateway_.apps[i];
      std::string path = item("apps", i);
      if (!has_good_type(path)) continue;
      check_patterns(path, app, patterns);
      if (tls_reference(path + ".tls", app.tls) && app.upstream.scheme == "http") {
        reader_.error_at(path + ".tls", "the upstream is plain http: a TLS profile has no use here");
      }
      check_headers(path, app);
      if (app.policies.empty() && !reader_.failed(path + ".policies")) {
        reader_.warn_at(path, "there are no policies, so every request is denied");
      }
      std::map<std::string, size_t> locations;
      for (size_t p = 0; p < app.policies.size(); ++p) {
        std::string policy = item(path + ".policies", p);
        if (is_good(policy + ".location")) {
          auto [first, fresh] = locations.emplace(app.policies[p].location, p);
          if (!fresh) {
            reader_.error_at(policy + ".location",
                             "the location is taken by " + item(path + ".policies", first->second));
          }
        }
        warn_open_end(policy + ".location", app.policies[p].location);
        check_policy(policy, app.policies[p]);
      }
    }
  }

  // Elsewhere "~ ^/admin" would be for what is below /admin too.
  void warn_open_end(const std::string& path, const std::string& location) {
    bool prefix = location.starts_with("~ ^") || location.starts_with("~ (?i)^");
    if (!prefix || location.ends_with("$") || location.ends_with(".*")) return;
    reader_.warn_at(path, "the expression is over the whole path; for longer paths too it has to end in .*");
  }

  void check_patterns(const std::string& path, const gateway::AppConfig& app,
                      std::map<std::string, std::string>& patterns) {
    if (app.route_patterns.empty() && reader_.has(path + ".routePatterns")) {
      reader_.error_at(path + ".routePatterns", "expected at least one pattern, found none");
    }
    for (size_t i = 0; i < app.route_patterns.size(); ++i) {
      const std::string& pattern = app.route_patterns[i];
      if (pattern.empty()) continue;
      // "host" and "host/" are the same place, and so are "/x" and "/x/".
      std::string same = pattern.ends_with('/') ? pattern : pattern + "/";
      std::string here = item(path + ".routePatterns", i);
      auto [first, fresh] = patterns.emplace(same, here);
      if (!fresh)
        reader_.error_at(here, "the pattern \"" + printable(pattern, 80) + "\" is taken by " + first->second);
    }
  }

  void check_headers(const std::string& path, const gateway::AppConfig& app) {
    std::map<std::string, size_t> seen;
    for (size_t i = 0; i < app.headers.size(); ++i) {
      std::string here = item(path + ".headers", i);
      std::string folded = gateway::fold_header_name(app.headers[i].name);
      if (!folded.empty()) {
        auto [first, fresh] = seen.emplace(folded, i);
        if (!fresh) {
          reader_.error_at(here + ".name",
                           "the header is already set by " + item(path + ".headers", first->second));
        }
      }
      check_template(here + ".value", app.headers[i].value);
    }
  }

  void check_template(const std::string& path, const gateway::Template& value) {
    for (const auto& part : value.parts) {
      if (!part.is_claim) continue;
      std::string connector = part.text.substr(0, part.text.find('.'));
      if (connector == "se") {
        reader_.error_at(path, "\"{{ se.NAME }}\" is not supported by this version of kith");
      } else {
        check_connector_reference(path, connector);
      }
    }
  }

  // A promise that cannot be kept is not to be made.
  void check_fails_closed(const std::string& path) {
    if (gateway_.session.store != SessionConfig::Store::cluster)
      return reader_.error_at(path, "sessions are kept on this node alone: there is no cluster to hear of");
    const auto* one = find_cluster(gateway_.session.cluster);
    if (one != nullptr && one->failover.mode == cluster::FailoverConfig::Mode::single_node)
      reader_.error_at(
          path, "with the mode single_node of the cluster \"" + one->name + "\" no majority is heard of");
  }

  void check_policy(const std::string& path, const gateway::PolicyConfig& policy) {
    for (size_t i = 0; i < policy.idps.size(); ++i) {
      const std::string& idp = policy.idps[i];
      if (idp.empty()) continue;
      check_connector_reference(item(path + ".authentication.idps", i), idp);
    }
    if (policy.idps.empty() && !policy.allow_unauthenticated) {
      reader_.warn_at(path,
                      "neither authentication.idps nor allowUnauthenticated is given, so nobody gets in");
    }
    if (!policy.allow_all && policy.rules.empty()) {
      reader_.warn_at(path, "neither authorization.allowAll nor rules are given, so every request is denied");
    }
    if (policy.fail_closed) check_fails_closed(path + ".failClosed");
    if (policy.allow_all && !policy.rules.empty()) {
      reader_.warn_at(path + ".authorization.allowAll", "with allowAll the rules never matter");
    }
    for (size_t r = 0; r < policy.rules.size(); ++r) {
      std::string rule = item(path + ".authorization.rules", r);
      for (const gateway::Condition& condition : policy.rules[r].conditions) {
        check_template(rule, condition.left);
        check_template(rule, condition.right);
        if (!reader_.failed(rule)) check_has_claim(rule, condition);
      }
    }
  }

  // Without one the answer is the same for everybody: most likely the braces were forgotten.
  void check_has_claim(const std::string& path, const gateway::Condition& condition) {
    std::string meant;
    for (const auto* operand : {&condition.left, &condition.right}) {
      for (const auto& part : operand->parts) {
        if (part.is_claim) return;
        std::string_view text = part.text;
        bool named =
            std::any_of(connector_names_.begin(), connector_names_.end(), [&](std::string_view name) {
              return text.starts_with(name) && text.size() > name.size() + 1 && text[name.size()] == '.';
            });
        if (named) meant = "{{ " + part.text + " }}";
      }
    }
    reader_.error_at(
        path, "compares two fixed texts: expected a claim such as \"{{ connector.claim }}\" in one of them",
        meant);
  }

  const Config& config_;
  const gateway::GatewayConfig& gateway_;
  Reader& reader_;
  std::vector<std::string_view> tls_names_;
  std::vector<std::string_view> connector_names_;
};

}  // namespace

void check_config(const Config& config, Reader& reader) { Checker(config, reader).run(); }

}  // namespace kith::app
