#include "app/secrets.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "app/sources.h"
#include "platform/system.h"
#include "support.h"

namespace kith::app {
namespace {

std::string value_of(SecretProvider& provider, std::string_view name) {
  auto found = find_secret(provider, name);
  return found ? std::string(found->reveal_text()) : "error: " + found.error().message();
}

TEST(Secrets, a_secret_file_holds_pairs_under_one_key) {
  World world;
  world.files.content["/s.yaml"] = "secrets:\n  a: one\n  b.c: \"two\"\n";
  Problems problems;
  auto provider = open_secret_provider("secretfile:///s.yaml", world.surroundings(), problems);
  ASSERT_TRUE(provider && problems.empty()) << lines(problems);
  EXPECT_EQ(value_of(*provider, "a"), "one");
  EXPECT_EQ(value_of(*provider, "secrets.a"), "one");
  EXPECT_EQ(value_of(*provider, "b.c"), "two");
  EXPECT_EQ(value_of(*provider, "c"), "error: there is no secret named \"c\"");
}

TEST(Secrets, a_secret_file_that_others_may_read_is_refused) {
  World world;
  world.files.content["/s.yaml"] = "secrets: {a: one}";
  world.exposed = "/s.yaml";
  Problems problems;
  EXPECT_FALSE(open_secret_provider("secretfile:///s.yaml", world.surroundings(), problems));
  EXPECT_EQ(lines(problems), std::string("/s.yaml: error: secret file: ") + kExposed + "\n");
}

TEST(Secrets, a_file_is_exposed_when_others_read_or_change_it_or_its_group_changes_it) {
  auto path = std::filesystem::temp_directory_path() / ("kith_exposed_" + std::to_string(::getpid()));
  std::ofstream(path) << "x";
  platform::SystemFiles files;
  Surroundings around = system_surroundings(files);
  auto is_exposed = [&](unsigned mode) {
    std::filesystem::permissions(path, static_cast<std::filesystem::perms>(mode));
    return around.is_exposed(path.string());
  };
  for (unsigned mode : {0400, 0600, 0440, 0640}) EXPECT_FALSE(is_exposed(mode)) << std::oct << mode;
  for (unsigned mode : {0644, 0660, 0602, 0604, 0666}) EXPECT_TRUE(is_exposed(mode)) << std::oct << mode;
  std::filesystem::remove(path);
  EXPECT_FALSE(around.is_exposed(path.string())) << "not there";
}

TEST(Secrets, a_bad_secret_file_is_refused_without_showing_its_text) {
  for (const char* text :
       {"secrets: [hunter2]", "hunter2", "secrets: {a: {b: hunter2}}", "secrets: {a: hunter2",
        "other: {a: hunter2}", "secrets: {a: hunter2}\nmore: 1", "secrets: {a: 1, a: hunter2}"}) {
    World world;
    world.files.content["/s.yaml"] = text;
    Problems problems;
    EXPECT_FALSE(open_secret_provider("secretfile:///s.yaml", world.surroundings(), problems)) << text;
    EXPECT_TRUE(has_errors(problems)) << text;
    EXPECT_EQ(lines(problems).find("hunter2"), std::string::npos) << lines(problems);
  }
}

TEST(Secrets, a_missing_or_relative_secret_file_is_refused) {
  World world;
  Problems problems;
  EXPECT_FALSE(open_secret_provider("secretfile:///none.yaml", world.surroundings(), problems));
  EXPECT_FALSE(open_secret_provider("secretfile://none.yaml", world.surroundings(), problems));
  EXPECT_EQ(problems.size(), 2U);
}

TEST(Secrets, variables_have_a_prefix_so_that_not_all_of_the_environment_is_open) {
  World world;
  world.variables = {{"KITH_SECRET_IDP_CLIENT_SECRET", "one"}, {"APP_X", "two"}, {"PATH", "/bin"}};
  Problems problems;
  auto ours = open_secret_provider("env://", world.surroundings(), problems);
  ASSERT_TRUE(ours);
  EXPECT_EQ(value_of(*ours, "idp.client-secret"), "one");
  EXPECT_TRUE(value_of(*ours, "PATH").starts_with("error"));
  auto other = open_secret_provider("env://APP_", world.surroundings(), problems);
  ASSERT_TRUE(other);
  EXPECT_EQ(value_of(*other, "x"), "two");
  EXPECT_FALSE(open_secret_provider("env://A-B", world.surroundings(), problems));
}

TEST(Secrets, systemd_credentials_are_files_of_one_folder) {
  World world;
  world.variables = {{"CREDENTIALS_DIRECTORY", "/run/c"}};
  world.files.content = {{"/run/c/psk", "beef\n"}, {"/run/x", "outside"}, {"/d/psk", "other"}};
  Problems problems;
  auto provider = open_secret_provider("credentials://", world.surroundings(), problems);
  ASSERT_TRUE(provider);
  EXPECT_EQ(value_of(*provider, "psk"), "beef");
  EXPECT_TRUE(value_of(*provider, "../x").starts_with("error"));
  EXPECT_TRUE(value_of(*provider, "..").starts_with("error"));
  auto placed = open_secret_provider("credentials:///d", world.surroundings(), problems);
  ASSERT_TRUE(placed);
  EXPECT_EQ(value_of(*placed, "psk"), "other");
  world.variables.clear();
  EXPECT_FALSE(open_secret_provider("credentials://", world.surroundings(), problems));
}

TEST(Secrets, other_providers_are_refused_by_name_and_without_their_tokens) {
  World world;
  Problems problems;
  EXPECT_FALSE(open_secret_provider("hashivault://h:8200/m/p?token=hunter2", world.surroundings(), problems));
  EXPECT_FALSE(open_secret_provider("valt://x", world.surroundings(), problems));
  EXPECT_FALSE(open_secret_provider("/etc/secrets.yaml", world.surroundings(), problems));
  EXPECT_EQ(problems.size(), 3U);
  EXPECT_NE(lines(problems).find("hashivault:// is not supported by this version"), std::string::npos);
  EXPECT_EQ(lines(problems).find("hunter2"), std::string::npos);
}

TEST(Secrets, only_a_whole_plain_name_in_brackets_is_a_reference) {
  EXPECT_EQ(secret_reference("<a.b-c_d>"), "a.b-c_d");
  for (const char* text : {"", "<>", "<a b>", "a<b>", "<b>a", "<a", "<<a>>"}) {
    EXPECT_FALSE(secret_reference(text)) << text;
  }
}

}  // namespace
}  // namespace kith::app
