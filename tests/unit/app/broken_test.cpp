// The broken configurations of tests/config/broken: each has beside it, in NAME.expected, the whole
// list of what is said of it, with places.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "support.h"

namespace kith::app {
namespace {

std::vector<std::string> broken_files() {
  auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() / "config" / "broken";
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    if (entry.path().extension() == ".yaml") out.push_back(entry.path().stem().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

TEST(Broken, every_problem_is_listed_with_its_line_and_column) {
  auto names = broken_files();
  EXPECT_GE(names.size(), 21U);
  for (const std::string& name : names) {
    World world;
    world.files.content = {{"/etc/kith/front.crt", fixture("tls/front.crt")},
                           {"/etc/kith/other.key", fixture("tls/other.key")},
                           {"/etc/kith/text", "not a certificate"}};
    world.secrets.values = {
        {"psk", "8d1f6a0c3be2475990a1c4d2e7f8b35560718293a4b5c6d7e8f90a1b2c3d4e5f"},
        {"broken", "hunter2"},
        {"hash", "$scrypt$ln=10,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}};
    world.variables = {{"SHORT", "beef"}, {"BYE", "bye"}};
    Loaded loaded = load_config(fixture("broken/" + name + ".yaml"), name + ".yaml", world.surroundings(),
                                &world.secrets);
    EXPECT_FALSE(loaded.ok()) << name;
    std::string said = lines(loaded.problems);
    EXPECT_EQ(said, fixture("broken/" + name + ".expected")) << name;
    EXPECT_EQ(said.find("hunter2"), std::string::npos) << name << " shows a secret";
    EXPECT_EQ(said.find("beef"), std::string::npos) << name << " shows a variable";
  }
}

}  // namespace
}  // namespace kith::app
