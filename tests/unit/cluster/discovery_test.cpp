#include "cluster/discovery.h"

#include <gtest/gtest.h>

namespace kith::cluster {
namespace {

using runtime::ServiceRecord;

std::vector<std::string> targets(const ChosenServices& chosen) {
  std::vector<std::string> out;
  for (const ServiceRecord& record : chosen.records) out.push_back(record.target);
  return out;
}

TEST(ChooseServices, GoesByPriorityAndTakesEachPlaceOnce) {
  std::mt19937_64 random(1);
  auto chosen = choose_services(
      {{"c.test", 1, 30, 0}, {"a.test", 1, 10, 0}, {"b.test", 1, 20, 9}, {"a.test", 1, 40, 0}}, random);
  EXPECT_EQ(targets(chosen), (std::vector<std::string>{"a.test", "b.test", "c.test"}));
  EXPECT_EQ(chosen.refused, 0u);
}

TEST(ChooseServices, AmongEqualsTheHeavierIsFirstMoreOften) {
  std::mt19937_64 random(2);
  int heavy_first = 0;
  for (int i = 0; i < 2000; ++i) {
    auto chosen = choose_services({{"light.test", 1, 0, 1}, {"heavy.test", 1, 0, 3}}, random);
    heavy_first += chosen.records.front().target == "heavy.test";
  }
  EXPECT_NEAR(heavy_first, 1500, 100);
}

TEST(ChooseServices, RefusesWhatIsNoPlaceToDial) {
  std::mt19937_64 random(3);
  for (const std::string& target :
       {std::string(), std::string("."), std::string("a..b"), std::string("a/tcp/22"), std::string("a b"),
        std::string("a\nb"), std::string("a\\010b"), std::string(64, 'x') + ".test", std::string(300, 'x')}) {
    auto chosen = choose_services({{target, 9450, 0, 0}}, random);
    EXPECT_TRUE(chosen.records.empty()) << target;
    EXPECT_EQ(chosen.refused, 1u) << target;
  }
  auto chosen = choose_services({{"a.test", 0, 0, 0}, {"A_1-x.test.", 9450, 0, 0}}, random);
  EXPECT_EQ(targets(chosen), std::vector<std::string>{"A_1-x.test"});
  EXPECT_EQ(chosen.refused, 1u);
}

TEST(ChooseServices, ATooLongAnswerIsCutDifferentlyEachTimeSoThatEverybodysTurnComes) {
  std::mt19937_64 random(4);
  std::vector<ServiceRecord> many = {{"first.test", 9450, 0, 0}};
  for (int i = 0; i < 1500; ++i) many.push_back({"n" + std::to_string(i) + ".test", 9450, 1, 0});
  std::set<std::string> seen;
  for (int i = 0; i < 300; ++i) {
    auto chosen = choose_services(many, random);
    ASSERT_EQ(chosen.records.size(), kMaxServiceTargets);
    EXPECT_EQ(chosen.cut, many.size() - kMaxServiceTargets);
    EXPECT_EQ(chosen.records.front().target, "first.test");
    for (const ServiceRecord& record : chosen.records) seen.insert(record.target);
  }
  EXPECT_EQ(seen.size(), many.size());
}

}  // namespace
}  // namespace kith::cluster
