#include "cluster/admission.h"

#include <gtest/gtest.h>

namespace kith::cluster {
namespace {

NodeId node(uint8_t number) {
  NodeId id;
  id.bytes.fill(number);
  return id;
}
using mesh::Refusal;

AdmissionConfig open(std::vector<NodeId> banned = {}) {
  return {.mode = AdmissionConfig::Mode::open, .nodes = {}, .banned = std::move(banned)};
}
// To nodes 1 to `last`.
AdmissionConfig pinned(uint8_t last, std::vector<NodeId> banned = {}) {
  AdmissionConfig config{.mode = AdmissionConfig::Mode::pinned, .nodes = {}, .banned = std::move(banned)};
  for (uint8_t i = 1; i <= last; ++i) config.nodes.push_back(node(i));
  return config;
}

TEST(Admission, OpenLetsEverybodyInAndPinnedOnlyTheListed) {
  EXPECT_EQ(Admission(open(), node(1)).judge(node(9)), Refusal::none);
  Admission admission({.mode = AdmissionConfig::Mode::pinned, .nodes = {node(2)}, .banned = {}}, node(1));
  EXPECT_EQ(admission.judge(node(2)), Refusal::none);
  EXPECT_EQ(admission.judge(node(1)), Refusal::none) << "itself";
  EXPECT_EQ(admission.judge(node(9)), Refusal::not_admitted);
}

TEST(Admission, WhomTheConfigurationBansIsBannedHereWhateverOthersSay) {
  EXPECT_EQ(Admission(pinned(9, {node(9)}), node(1)).judge(node(9)), Refusal::banned);
  EXPECT_EQ(Admission(open({node(9)}), node(1)).judge(node(9)), Refusal::banned);
}

TEST(Admission, WhomMoreThanHalfOfTheListedBanIsBannedAndWhomAMinorityBansIsNot) {
  Admission admission(pinned(5), node(1));
  // Node 5 is the one in question: four have a voice.
  EXPECT_FALSE(admission.member(node(2), {node(5)}));
  EXPECT_FALSE(admission.member(node(3), {node(5), node(5)}));
  EXPECT_EQ(admission.judge(node(5)), Refusal::none) << "two of four";
  EXPECT_TRUE(admission.member(node(4), {node(5)}));
  EXPECT_EQ(admission.judge(node(5)), Refusal::banned) << "three of four";
  EXPECT_TRUE(admission.member(node(4), {}));
  EXPECT_EQ(admission.judge(node(5)), Refusal::none) << "taken back";
}

TEST(Admission, OurOwnBanIsAVoice) {
  Admission admission(pinned(4, {node(4)}), node(1));
  EXPECT_TRUE(admission.member(node(2), {node(4)}));
  EXPECT_TRUE(admission.reload(pinned(4)));
  EXPECT_EQ(admission.judge(node(4)), Refusal::none) << "one of three";
  EXPECT_FALSE(admission.reload(pinned(4)));
}

// Records are signed by whoever has a key, and keys cost nothing.
TEST(Admission, InventedMembersHaveNoVoice) {
  for (const AdmissionConfig& config : {open(), pinned(3)}) {
    Admission admission(config, node(1));
    for (uint8_t i = 100; i < 200; ++i) EXPECT_FALSE(admission.member(node(i), {node(2)}));
    EXPECT_EQ(admission.judge(node(2)), Refusal::none);
  }
  // Nor do they take away the weight of those who have one.
  Admission admission(pinned(4), node(1));
  for (uint8_t i = 100; i < 200; ++i) admission.member(node(i), {});
  admission.member(node(2), {node(4)});
  admission.member(node(3), {node(4)});
  EXPECT_EQ(admission.judge(node(4)), Refusal::banned) << "two of three";
}

TEST(Admission, AMemberGoneBadLocksOutNobodyAndHasNoVoiceAboutItself) {
  Admission admission(pinned(3), node(1));
  admission.member(node(3), {node(1), node(2), node(3)});
  EXPECT_EQ(admission.judge(node(1)), Refusal::none);
  EXPECT_EQ(admission.judge(node(2)), Refusal::none);
  admission.member(node(2), {node(3)});
  EXPECT_EQ(admission.judge(node(3)), Refusal::none) << "one of two";
}

TEST(Admission, AVoiceOutlastsItsNode) {
  Admission admission(pinned(4), node(1));
  admission.member(node(2), {node(4)});
  admission.member(node(3), {node(4)});
  admission.member_gone(node(2));
  EXPECT_EQ(admission.judge(node(4)), Refusal::banned);
}

TEST(Admission, AVoiceCountsAsSoonAsItsNodeIsListed) {
  Admission admission(open(), node(1));
  admission.member(node(2), {node(4)});
  admission.member(node(3), {node(4)});
  EXPECT_EQ(admission.judge(node(4)), Refusal::none);
  EXPECT_TRUE(admission.reload(pinned(4)));
  EXPECT_EQ(admission.judge(node(4)), Refusal::banned);
}

}  // namespace
}  // namespace kith::cluster
