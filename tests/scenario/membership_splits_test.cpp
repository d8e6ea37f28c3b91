// Partitions: each side goes on alone, and one view returns within 2 s of connectivity.
#include "seeds.h"
#include "sim/membership_cluster.h"

namespace kith::sim {
namespace {

struct Sides {
  size_t left, right;
};
class MembershipSplits : public testing::TestWithParam<Sides> {
 protected:
  static size_t total() { return GetParam().left + GetParam().right; }
  static uint64_t share() { return total() > 10 ? 100 : total() > 3 ? 4 : 1; }

  struct Split {
    explicit Split(uint64_t seed) : world(seed), cluster(world) {
      for (size_t i = 0; i < total(); ++i) cluster.add({0});
      for (size_t i = 0; i < total(); ++i) (i < GetParam().left ? left : right).push_back(&cluster[i]);
    }
    void start_all() {
      for (size_t i = 0; i < total(); ++i) cluster.start(cluster[i]);
      world.run_for(5s);
      ASSERT_TRUE(cluster.agree()) << cluster.describe();
    }
    void expect_merge() {
      cluster.heal();
      bool merged = world.run_while_not([&] { return cluster.agree(); }, 2s);
      EXPECT_TRUE(merged) << cluster.describe();
      world.run_for(5s);
      EXPECT_TRUE(cluster.agree()) << cluster.describe();
      EXPECT_TRUE(cluster.violations().empty()) << cluster.describe();
    }
    World world;
    MembershipCluster cluster;
    std::vector<MembershipCluster::Node*> left, right;
  };
};
INSTANTIATE_TEST_SUITE_P(Sizes, MembershipSplits,
                         testing::Values(Sides{1, 1}, Sides{1, 2}, Sides{2, 3}, Sides{16, 16}),
                         [](const auto& row) {
                           return std::to_string(row.param.left) + "To" + std::to_string(row.param.right);
                         });

TEST_P(MembershipSplits, OfThirtySecondsHeal) {
  for_each_seed(
      [](uint64_t seed) {
        Split split(seed);
        split.start_all();
        if (HasFatalFailure()) return;
        split.cluster.split(split.left, split.right);
        split.world.run_for(2s);
        EXPECT_TRUE(split.cluster.agree(split.left)) << split.cluster.describe();
        EXPECT_TRUE(split.cluster.agree(split.right)) << split.cluster.describe();
        split.world.run_for(28s);
        EXPECT_TRUE(split.cluster.agree(split.left)) << split.cluster.describe();
        EXPECT_TRUE(split.cluster.agree(split.right)) << split.cluster.describe();
        split.expect_merge();
      },
      share());
}

TEST_P(MembershipSplits, OfHalfAnHourHeal) {
  if (total() > 10) return;  // a minute of real time each
  for_each_seed(
      [](uint64_t seed) {
        Split split(seed);
        split.start_all();
        if (HasFatalFailure()) return;
        split.cluster.split(split.left, split.right);
        split.world.run_for(std::chrono::minutes(30));
        split.expect_merge();
      },
      40);
}

TEST_P(MembershipSplits, ThatAreShorterThanAHangAreNoEvent) {
  for_each_seed(
      [](uint64_t seed) {
        Split split(seed);
        split.start_all();
        if (HasFatalFailure()) return;
        split.cluster.split(split.left, split.right);
        split.world.run_for(900ms);
        split.cluster.heal();
        split.world.run_for(3s);
        EXPECT_TRUE(split.cluster.agree()) << split.cluster.describe();
        for (auto* node : split.cluster.running()) EXPECT_TRUE(node->life->seen.empty()) << node->host->name;
      },
      share());
}

TEST_P(MembershipSplits, AtBirthAreTwoIslandsThatMerge) {
  for_each_seed(
      [](uint64_t seed) {
        Split split(seed);
        // Each island has a seed of its own, and one of the right knows one of the left.
        for (auto* node : split.right) node->seeds = {split.right[0]->address};
        split.right.back()->seeds.push_back(split.left.back()->address);
        split.cluster.split(split.left, split.right);
        for (size_t i = 0; i < total(); ++i) split.cluster.start(split.cluster[i]);
        split.world.run_for(30s);
        EXPECT_TRUE(split.cluster.agree(split.left)) << split.cluster.describe();
        EXPECT_TRUE(split.cluster.agree(split.right)) << split.cluster.describe();
        split.expect_merge();
      },
      share());
}

TEST(MembershipPaths, ABadPathBetweenTwoNodesIsNotADeadNode) {
  for_each_seed([](uint64_t seed) {
    World world(seed);
    MembershipCluster cluster(world);
    for (size_t i = 0; i < 4; ++i) {
      cluster.add({0});
      cluster.start(cluster[i]);
    }
    world.run_for(5s);
    cluster.split({&cluster[1]}, {&cluster[2]});
    world.run_for(10s);
    EXPECT_TRUE(cluster.agree()) << cluster.describe();
    auto link_to = [&](size_t from, size_t to) {
      for (const auto& member : cluster[from].life->core.members()) {
        if (member.record.id == cluster[to].id()) return member.link;
      }
      return membership::Member::Link::suspect;
    };
    EXPECT_EQ(link_to(1, 2), membership::Member::Link::unreachable);  // routing goes round it
    EXPECT_EQ(link_to(1, 3), membership::Member::Link::alive);
    cluster.heal();
    world.run_for(3s);
    EXPECT_EQ(link_to(1, 2), membership::Member::Link::alive);
    for (auto* node : cluster.running()) EXPECT_TRUE(node->life->seen.empty()) << node->host->name;
  });
}

}  // namespace
}  // namespace kith::sim
