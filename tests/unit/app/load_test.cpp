// Substitution, secret references, the feature gate, and what the effective configuration shows.

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "app/yaml_text.h"
#include "support.h"

namespace kith::app {
namespace {

TEST(Load, a_configuration_without_keys_is_all_defaults) {
  World world;
  Loaded loaded = world.load("{}");
  EXPECT_TRUE(loaded.ok()) << lines(loaded.problems);
  EXPECT_EQ(loaded.config.gateway.http.port, 9443);
  EXPECT_EQ(loaded.config.gateway.session.max_timeout, 24h);
}

TEST(Load, variables_are_put_in_anywhere_in_a_value) {
  World world;
  world.variables = {{"HOST", "10.0.0.1"}, {"PORT", "8080"}, {"LEVEL", "debug"}};
  Loaded loaded = world.load(
      "http: {address: '{{ env.HOST }}:{{env.PORT}}', idleTimeoutSeconds: '{{ env.PORT }}'}\nlogger: {level: "
      "'{{ "
      "env.LEVEL }}'}\n");
  ASSERT_TRUE(loaded.ok()) << lines(loaded.problems);
  EXPECT_EQ(loaded.config.gateway.http.host, "10.0.0.1");
  EXPECT_EQ(loaded.config.gateway.http.port, 8080);
  EXPECT_EQ(loaded.config.gateway.http.server.idle_timeout, 8080s);
  EXPECT_EQ(loaded.config.logger.level, Level::debug);
}

TEST(Load, an_unset_variable_is_empty_with_one_warning) {
  World world;
  Loaded loaded = world.load("version: 'a{{ env.NOPE }}b'\nfeatures: {x: '{{ env.NOPE }}'}\n");
  EXPECT_TRUE(loaded.ok());
  EXPECT_EQ(loaded.config.version, "ab");
  EXPECT_NE(
      lines(loaded.problems)
          .find("kith.yaml:1:10: warning: version: the environment variable NOPE is not set and counts as "
                "empty"),
      std::string::npos);
}

TEST(Load, the_value_of_a_variable_is_not_shown_in_problems) {
  World world;
  world.variables = {{"ADDRESS", "hush-hush"}};
  Loaded loaded = world.load("http: {address: '{{ env.ADDRESS }}'}\n");
  EXPECT_FALSE(loaded.ok());
  EXPECT_EQ(lines(loaded.problems).find("hush-hush"), std::string::npos);
}

TEST(Load, a_variable_may_hold_a_secret_reference_but_not_a_second_variable) {
  World world;
  world.variables = {{"REF", "<level>"}, {"AGAIN", "{{ env.REF }}"}};
  world.secrets.values = {{"level", "error"}};
  EXPECT_EQ(world.load("logger: {level: '{{ env.REF }}'}").config.logger.level, Level::error);
  EXPECT_EQ(world.load("version: '{{ env.AGAIN }}'").config.version, "{{ env.REF }}");
}

TEST(Load, a_reference_is_tried_whole_and_then_after_its_first_dot) {
  World world;
  world.secrets.values = {{"a.b", "whole"}, {"c", "part"}, {"d.e", "rest"}};
  auto version = [&](const std::string& reference) {
    return world.load("version: <" + reference + ">").config.version;
  };
  EXPECT_EQ(version("a.b"), "whole");
  EXPECT_EQ(version("secrets.c"), "part");
  EXPECT_EQ(version("secrets.d.e"), "rest");
  EXPECT_FALSE(world.load("version: <secrets.x>").ok());
  EXPECT_EQ(version("not a reference"), "<not a reference>");
}

TEST(Load, a_reference_without_a_provider_is_an_error_with_its_place) {
  World world;
  Loaded loaded = load_config("version: <x>", "kith.yaml", world.surroundings(), nullptr);
  EXPECT_EQ(lines(loaded.problems),
            "kith.yaml:1:10: error: version: the secret <x> cannot be read: no secret provider is set "
            "(KITH_SECRET_PROVIDER, MAVERICS_SECRET_PROVIDER or -secretProvider)\n");
}

TEST(Load, without_the_feature_clusters_are_ignored_and_one_warning_says_so) {
  World world;
  Loaded loaded = world.load(
      "clusters: [{nonsense: 1, psk: <none>}]\nsession: {store: {type: cluster, cluster: {name: eu}}}\n"
      "http: {routing: {enabled: true, cluster: {name: eu}}}\n"
      "apps: [{name: a, type: proxy, routePatterns: [/], upstream: 'http://10.0.0.5', policies: [{location: "
      "/, "
      "authentication: {allowUnauthenticated: true}, authorization: {allowAll: true}}]}]\n");
  EXPECT_TRUE(loaded.ok()) << lines(loaded.problems);
  EXPECT_EQ(loaded.problems.size(), 1U);
  EXPECT_NE(lines(loaded.problems).find("experimental.clusters is off: this node runs standalone"),
            std::string::npos);
  EXPECT_EQ(loaded.config.gateway.session.store, gateway::SessionConfig::Store::local);
  EXPECT_FALSE(loaded.config.gateway.http.routing.enabled);
  EXPECT_TRUE(loaded.config.clusters.empty());
}

TEST(Load, an_empty_file_is_refused_and_one_without_applications_is_warned_about) {
  World world;
  for (const char* empty : {"", "\n", "# nothing yet\n"}) {
    Loaded loaded = world.load(empty);
    EXPECT_EQ(lines(loaded.problems), "kith.yaml:1:1: error: the configuration is empty\n");
  }
  for (const char* without : {"version: 1", "apps: []", "apps:"}) {
    Loaded loaded = world.load(without);
    EXPECT_TRUE(loaded.ok());
    EXPECT_NE(lines(loaded.problems).find("warning: apps: there are no applications"), std::string::npos);
  }
  EXPECT_EQ(lines(world.load("app: []").problems).find("there are no applications"), std::string::npos);
}

TEST(Load, a_feature_is_on_with_true_or_enabled_in_any_case_and_else_off) {
  World world;
  for (const char* on : {"true", "'TRUE'", "enabled", "\"Enabled\""}) {
    EXPECT_TRUE(
        world.load("features: {experimental.clusters: " + std::string(on) + "}").config.clusters_enabled)
        << on;
  }
  for (const char* off : {"false", "1", "yes", "''", "disabled"}) {
    Loaded loaded = world.load("features: {experimental.clusters: " + std::string(off) + "}");
    EXPECT_TRUE(loaded.ok()) << off;
    EXPECT_FALSE(loaded.config.clusters_enabled) << off;
  }
}

const char* const kWhole = R"(
version: "7"
features: {experimental.clusters: true}
http: {address: "127.0.0.1:8080", tls: front, trustedProxies: [10.0.0.0/8]}
tls: {front: {certFile: /c.pem, keyFile: <key>, minVersion: "1.3"}}
session: {store: {type: cluster, cluster: {name: eu, ack: all}}, lifetime: {idleTimeout: 20m}}
clusters:
  - name: eu
    addresses: {membership: /ip4/127.0.0.1/tcp/9450, data: /ip4/127.0.0.1/tcp/9451}
    discovery: {method: static, static: {nodes: [{endpoints: {membership: /dns/b.test/tcp/9450}}]}}
    encryption: {psk: <psk>, nodeKey: {file: n.key}}
connectors:
  - name: people
    type: local
    enabled: true
    users: [{username: ann, passwordHash: <hash>}]
  - name: corp
    type: oidc
    oidcWellKnownURL: https://idp.test/.well-known/openid-configuration
    oauthClientID: me
    oauthClientSecret: <hush>
    oauthLoginRedirect: {urls: [https://a.test/cb]}
apps:
  - name: hr
    type: proxy
    routePatterns: [hr.test]
    upstream: http://10.0.0.5
    headers: [{name: X-User, value: "u={{ corp.sub }}"}]
    policies:
      - location: /
        authentication: {idps: [corp]}
        authorization: {rules: [{or: [{contains: ["{{ corp.groups }}", hr]}]}]}
)";

World whole_world() {
  World world;
  world.files.content = {{"/c.pem", fixture("tls/front.crt")}};
  world.secrets.values = {
      {"key", fixture("tls/front.key")},
      {"psk", "8d1f6a0c3be2475990a1c4d2e7f8b35560718293a4b5c6d7e8f90a1b2c3d4e5f"},
      {"hash", "$scrypt$ln=10,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
      {"hush", "hunter2"}};
  return world;
}

TEST(Load, the_effective_configuration_never_shows_a_secret) {
  World world = whole_world();
  Loaded loaded = world.load(kWhole);
  ASSERT_TRUE(loaded.ok()) << lines(loaded.problems);
  std::string shown = to_yaml(show_config(loaded.config));
  EXPECT_EQ(shown.find("hunter2"), std::string::npos);
  EXPECT_EQ(shown.find("8d1f6a"), std::string::npos);
  EXPECT_EQ(shown.find("PRIVATE"), std::string::npos);
  EXPECT_NE(shown.find("oauthClientSecret: \"***\""), std::string::npos);
}

TEST(Load, the_effective_configuration_loads_again_to_the_same) {
  World world = whole_world();
  Loaded loaded = world.load(kWhole);
  ASSERT_TRUE(loaded.ok()) << lines(loaded.problems);
  // Secrets are masked, so what holds any is left out.
  loaded.config.clusters.clear();
  loaded.config.gateway.session = {};
  loaded.config.gateway.tls.clear();
  loaded.config.gateway.http.tls.clear();
  loaded.config.gateway.connectors.erase(loaded.config.gateway.connectors.begin());
  std::get<identity::OidcConnectorConfig>(loaded.config.gateway.connectors[0]).client_secret = {};
  json::value shown = show_config(loaded.config);
  Loaded again = world.load(to_yaml(shown));
  ASSERT_TRUE(again.ok()) << lines(again.problems) << to_yaml(shown);
  EXPECT_EQ(json::serialize(show_config(again.config)), json::serialize(shown));
}

TEST(Load, too_many_problems_are_cut_but_never_to_none) {
  World world;
  std::string text = "features: {";
  for (int i = 0; i < 600; ++i) text += "f" + std::to_string(i) + ": true, ";
  Loaded loaded = world.load(text + "x: true}\nhttp: 1\n");
  EXPECT_FALSE(loaded.ok());
  EXPECT_LE(loaded.problems.size(), 502U);
}

}  // namespace
}  // namespace kith::app
