#include "cli_bench.h"

#include <gtest/gtest.h>

#include "app/sources.h"
#include "crypto/ed25519.h"
#include "crypto/password.h"

namespace kith::app {
namespace {

TEST(Cli, runs_a_node_in_every_documented_spelling) {
  using Words = std::vector<std::string>;
  for (const Words& words :
       {Words{"run", "-c", "/k.yaml"}, Words{"-config", "/k.yaml"}, Words{"--config=/k.yaml"},
        Words{"-config=/k.yaml", "-verbose"}, Words{"-c", "/k.yaml", "run"}}) {
    Ran ran = with_file().run(words);
    EXPECT_EQ(ran.status, 0) << words[0] << ran.err;
    EXPECT_TRUE(ran.node_ran);
    EXPECT_EQ(ran.config.gateway.http.port, 8080);
  }
}

TEST(Cli, the_file_comes_from_the_flag_then_the_environment_then_the_usual_place) {
  Bench bench = with_file();
  bench.world.files.content["/other.yaml"] = "http: {address: ':1'}";
  bench.world.files.content[kDefaultConfig] = "http: {address: ':2'}";
  EXPECT_EQ(bench.run({"run"}).config.gateway.http.port, 2);
  bench.world.variables["MAVERICS_CONFIG"] = "/other.yaml";
  EXPECT_EQ(bench.run({}).config.gateway.http.port, 1);
  EXPECT_EQ(bench.run({"-c", "/k.yaml"}).config.gateway.http.port, 8080);
  bench.world.variables["KITH_CONFIG"] = "/k.yaml";
  Ran both = bench.run({"run"});
  EXPECT_EQ(both.status, 1);
  EXPECT_FALSE(both.node_ran);
  EXPECT_NE(both.err.find("multiple config providers defined: KITH_CONFIG, MAVERICS_CONFIG"),
            std::string::npos);
}

TEST(Cli, without_any_configuration_it_says_where_one_could_be) {
  Ran ran = Bench{}.run({"run"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_NE(ran.err.find("no configuration: give -c FILE, set KITH_CONFIG"), std::string::npos);
  Bench remote;
  remote.world.variables["MAVERICS_AWS_CONFIG"] = "{}";
  EXPECT_NE(remote.run({}).err.find("MAVERICS_AWS_CONFIG is not supported"), std::string::npos);
}

TEST(Cli, the_environment_wins_over_the_file_for_the_address_and_the_level) {
  Bench bench = with_file();
  bench.world.variables = {{"KITH_HTTP_ADDRESS", "127.0.0.1:99"}, {"MAVERICS_DEBUG_MODE", "true"}};
  Ran ran = bench.run({"-c", "/k.yaml"});
  EXPECT_EQ(ran.config.gateway.http.port, 99);
  EXPECT_EQ(ran.config.logger.level, Level::debug);
  bench.world.variables = {{"MAVERICS_HTTP_ADDRESS", "nowhere"}};
  ran = bench.run({"-c", "/k.yaml"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_NE(ran.err.find("environment: error: MAVERICS_HTTP_ADDRESS: expected IP:PORT"), std::string::npos)
      << ran.err;
  bench.world.variables = {{"KITH_HTTP_ADDRESS", "nowhere"}};
  ran = bench.run({"-c", "/k.yaml"});
  EXPECT_NE(ran.err.find("environment: error: KITH_HTTP_ADDRESS: expected IP:PORT"), std::string::npos);
  EXPECT_EQ(with_file().run({"-c", "/k.yaml", "-v"}).config.logger.level, Level::debug);
}

TEST(Cli, the_secret_provider_comes_from_the_flag_or_the_environment) {
  Bench bench = with_file("version: <v>");
  bench.world.files.content["/s.yaml"] = "secrets: {v: seven}";
  EXPECT_EQ(bench.run({"-c", "/k.yaml", "-secretProvider", "secretfile:///s.yaml"}).config.version, "seven");
  bench.world.variables["MAVERICS_SECRET_PROVIDER"] = "secretfile:///s.yaml";
  EXPECT_EQ(bench.run({"-c", "/k.yaml"}).config.version, "seven");
  bench.world.variables["KITH_SECRET_PROVIDER"] = "env://";
  EXPECT_NE(bench.run({"-c", "/k.yaml"}).err.find("multiple secret providers defined"), std::string::npos);
  Ran broken = with_file("version: <v>").run({"-c", "/k.yaml", "--secretProvider", "secretfile:///none"});
  EXPECT_EQ(broken.status, 1);
  EXPECT_NE(broken.err.find("the secret provider cannot be used"), std::string::npos);
}

TEST(Cli, validate_lists_every_problem_and_tells_by_its_status) {
  Ran good = with_file().run({"validate", "-c", "/k.yaml"});
  EXPECT_EQ(good.status, 0);
  EXPECT_EQ(good.out, "configuration is valid\n");
  EXPECT_FALSE(good.node_ran);
  Ran bad = with_file("http: 1\nlogr: {}\n").run({"validate", "-c", "/k.yaml"});
  EXPECT_EQ(bad.status, 1);
  EXPECT_EQ(bad.out,
            "/k.yaml:1:7: error: http: expected a map, found \"1\"\n"
            "/k.yaml:2:1: error: logr: unknown key \"logr\", did you mean \"logger\"?\n"
            "configuration is not valid: 2 errors\n");
  Ran as_json = with_file("logr: {}\n").run({"validate", "-c", "/k.yaml", "--format", "json"});
  EXPECT_EQ(as_json.status, 1);
  EXPECT_NE(as_json.out.find(R"("line":1,"column":1,"path":"logr")"), std::string::npos) << as_json.out;
  EXPECT_NE(as_json.out.find(R"("nearest":"logger")"), std::string::npos);
}

TEST(Cli, reads_a_configuration_from_standard_input) {
  Bench bench;
  bench.input = "logr: {}\n";
  EXPECT_TRUE(bench.run({"validate", "-c", "-"}).out.starts_with("stdin:1:1: error: logr"));
}

TEST(Cli, refuses_bundles_and_missing_files) {
  EXPECT_NE(Bench{}.run({"validate", "-c", "/b.tar.gz"}).out.find("bundles are not supported"),
            std::string::npos);
  EXPECT_EQ(Bench{}.run({"validate", "-c", "/none.yaml"}).status, 1);
}

TEST(Cli, a_run_with_a_broken_configuration_starts_nothing) {
  Ran ran = with_file("http: 1").run({"run", "-c", "/k.yaml"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_FALSE(ran.node_ran);
  EXPECT_EQ(ran.out, "");
}

TEST(Cli, makes_keys) {
  Bench bench;
  Ran psk = bench.run({"keygen", "psk"});
  EXPECT_EQ(psk.out, "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20\n");
  Ran node = bench.run({"keygen", "node", "--out", "/n.key"});
  EXPECT_EQ(node.status, 0);
  EXPECT_EQ(bench.world.files.modes["/n.key"], 0600U);
  auto key = crypto::SigningKey::from_pem(bench.world.files.content["/n.key"]);
  ASSERT_TRUE(key);
  EXPECT_EQ(node.out, "node id " + crypto::node_id(key->public_key()).hex() + "\n");
  EXPECT_EQ(bench.run({"keygen", "node", "--out", "/n.key"}).status, 1)
      << "an existing key is never replaced";
  EXPECT_EQ(bench.run({"keygen"}).status, 2);
}

TEST(Cli, hashes_a_password) {
  Bench bench;
  bench.input = "correct horse";
  Ran ran = bench.run({"hash-password"});
  ASSERT_EQ(ran.status, 0);
  ran.out.pop_back();
  EXPECT_TRUE(crypto::verify_password(crypto::Secret(std::string_view("correct horse")), ran.out));
  bench.input = "";
  EXPECT_EQ(bench.run({"hash-password"}).status, 1);
}

TEST(Cli, shows_the_effective_configuration_and_the_schema) {
  Ran shown = with_file().run({"config", "show", "-c", "/k.yaml"});
  EXPECT_EQ(shown.status, 0);
  EXPECT_NE(shown.out.find("  address: \":8080\"\n"), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("    name: \"__Host-kith_session\"\n"), std::string::npos) << shown.out;
  Ran open = with_file("session: {cookie: {disableSecure: true}}").run({"config", "show", "-c", "/k.yaml"});
  EXPECT_NE(open.out.find("    name: \"kith_session\"\n"), std::string::npos) << open.out;
  EXPECT_TRUE(Bench{}.run({"config", "schema"}).out.starts_with("{\"$schema\""));
  EXPECT_TRUE(Bench{}.run({"config", "schema", "-o", "markdown"}).out.starts_with("| Key |"));
}

TEST(Cli, wrong_usage_is_status_2_and_help_is_0) {
  EXPECT_EQ(Bench{}.run({"frobnicate"}).status, 2);
  EXPECT_EQ(Bench{}.run({"run", "--nope"}).status, 2);
  EXPECT_EQ(Bench{}.run({"validate", "--format", "xml"}).status, 2);
  EXPECT_EQ(Bench{}.run({"config"}).status, 2);
  Ran help = Bench{}.run({"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_NE(help.out.find("hash-password"), std::string::npos);
  for (const auto& command : {std::vector<std::string>{"run"}, {"validate"}, {"config", "show"}}) {
    auto words = command;
    words.push_back("--help");
    EXPECT_NE(Bench{}.run(words).out.find("-c,--config"), std::string::npos) << command[0];
  }
  EXPECT_NE(Bench{}.run({"validate", "--help"}).out.find("the form of the output"), std::string::npos);
  EXPECT_TRUE(Bench{}.run({"version"}).out.starts_with("kith "));
  EXPECT_TRUE(Bench{}.run({"--version"}).out.starts_with("kith "));
}

}  // namespace
}  // namespace kith::app
