// The table of the top-level keys, and loading: parse, decode everything, check everything.

#include "app/config.h"

#include "app/keys.h"
#include "base/text.h"

namespace kith::app {

namespace {

constexpr const char* kClustersFeature = "experimental.clusters";

// On: true or "enabled", in any case, as a YAML boolean or a text. Everything else is off.
Key<Config> features_key() {
  Shape shape{Shape::Kind::map, "a map of feature flags", {}, 0, 0, {}, {any_scalar().shape}};
  return {Property{"features",
                   "flags by name; on with true or enabled. Known: " + std::string(kClustersFeature), shape},
          [shape](Reader& reader, const Node& node, Config& out) {
            read_map(reader, node, shape, [&](const std::string& feature, const Node& value) {
              auto text = reader.scalar(value, "true or false");
              if (!text) return;
              bool on = iequals(text->text, "true") || iequals(text->text, "enabled");
              out.features[feature] = on;
              std::string path = "features." + feature;
              if (feature != kClustersFeature) {
                bool near = nearest(feature, {kClustersFeature}).has_value();
                reader.warn_at(path,
                               "unknown feature, ignored" +
                                   (near ? ", did you mean \"" + std::string(kClustersFeature) + "\"?" : ""));
              } else if (!on && !iequals(text->text, "false") && !iequals(text->text, "disabled") &&
                         !text->text.empty()) {
                reader.warn_at(path, "only true and enabled switch a feature on: it is off");
              }
            });
            auto clusters = out.features.find(kClustersFeature);
            out.clusters_enabled = clusters != out.features.end() && clusters->second;
          },
          [](const Config& value) -> std::optional<json::value> {
            json::object shown;
            for (const auto& [feature, on] : value.features) shown[feature] = on;
            return json::value(std::move(shown));
          }};
}

// Without the feature what is about clusters is not even looked at.
Key<Config> with_clusters(Key<Config> base) {
  base.read = [read = base.read](Reader& reader, const Node& node, Config& out) {
    if (out.clusters_enabled) read(reader, node, out);
  };
  return base;
}

Keys<Config> top_keys() {
  using gateway::GatewayConfig;
  auto in_gateway = [](Keys<GatewayConfig> keys) { return of(&Config::gateway, std::move(keys)); };
  auto section = [&](std::string name, std::string doc, Keys<GatewayConfig> keys) {
    return in_gateway({group<GatewayConfig>(std::move(name), std::move(doc), std::move(keys))});
  };
  Keys<Config> keys = {
      key("version", &Config::version, any_scalar(),
          "of this configuration; any text, shown in the heartbeat as config_version"),
      features_key(),  // before the others: it decides what is read
      group<Config>("node", "who this node is, to people", of(&Config::node, node_keys())),
      group<Config>("control", "how `kith members` and its like reach the running node",
                    of(&Config::control, control_keys())),
  };
  keys = std::move(keys) + section("http", "the HTTP server", of(&GatewayConfig::http, http_keys()));
  keys = std::move(keys) + in_gateway({key("tls", &GatewayConfig::tls, tls_codec(), "TLS profiles by name")});
  keys =
      std::move(keys) + section("health", "status and heartbeat", of(&GatewayConfig::health, health_keys()));
  keys = std::move(keys) + Keys<Config>{group<Config>("logger", "the log, on standard output",
                                                      of(&Config::logger, logger_keys()))};
  keys =
      std::move(keys) + section("session", "sessions of users", of(&GatewayConfig::session, session_keys()));
  keys = std::move(keys) + section("singleLogout", "logging out everywhere",
                                   of(&GatewayConfig::single_logout, single_logout_keys()));
  keys = std::move(keys) +
         Keys<Config>{
             with_clusters(
                 key("clusters", &Config::clusters, clusters_codec(),
                     "meshes this node belongs to; ignored without features: {experimental.clusters: true}")),
             with_clusters(key("caches", &Config::caches, caches_codec(),
                               "caches that the members of a cluster share; ignored without the feature "
                               "experimental.clusters")),
         };
  keys = std::move(keys) +
         in_gateway(
             {key("connectors", &GatewayConfig::connectors, connectors_codec(), "who proves who users are"),
              key("apps", &GatewayConfig::apps, apps_codec(), "what is behind this gateway")});
  return std::move(keys) + Keys<Config>{
                               unsupported<Config>("telemetry", "export of metrics and traces"),
                               unsupported<Config>("apis", "endpoints of service extensions"),
                               unsupported<Config>("oidcProvider", "the OpenID provider"),
                               unsupported<Config>("samlProvider", "the SAML provider"),
                               unsupported<Config>("ldapProvider", "the LDAP provider"),
                               unsupported<Config>("mcpProvider", "the AI gateway"),
                               unsupported<Config>("serviceExtensions", "service extensions"),
                               unsupported<Config>("orchestratorGroups", "the old spelling of clusters"),
                               unsupported<Config>("appgateways", "the old form of apps with the type proxy"),
                               unsupported<Config>("authProviders", "the old form of connectors"),
                               unsupported<Config>("attrproviders", "attribute providers"),
                               unsupported<Config>("include", "including other files"),
                           };
}

}  // namespace

Codec<Config> config_codec() {
  return object<Config>(top_keys(), "a map with the keys of the configuration");
}

Loaded load_config(std::string_view text, const std::string& file, const Surroundings& around,
                   SecretProvider* secrets) {
  Loaded loaded;
  YamlDocument document = parse_yaml(text, file, loaded.problems);
  if (document.complete && document.root.kind == Node::Kind::null) {
    loaded.problems.push_back({Severity::error, file, {1, 1}, "", "the configuration is empty", "", "", ""});
  } else if (document.complete) {
    Reader reader(file, around, secrets, loaded.problems);
    config_codec().read(reader, document.root, loaded.config);
    check_config(loaded.config, reader);
    // Said of a file that is good otherwise: in a broken one they may be there and misspelt.
    if (loaded.config.gateway.apps.empty() && !has_errors(loaded.problems)) {
      reader.warn_at("apps", "there are no applications, so every request is answered 404");
    }
    if (!loaded.config.clusters_enabled) {
      loaded.config.gateway.session.store = gateway::SessionConfig::Store::local;
      loaded.config.gateway.http.routing.enabled = false;
    }
  }
  sort_by_place(loaded.problems);
  return loaded;
}

json::value show_config(const Config& config) { return config_codec().show(config); }

}  // namespace kith::app
