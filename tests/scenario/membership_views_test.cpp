// Views form: from one seed, from all at once, from addresses where nobody or somebody else lives.
#include "seeds.h"
#include "sim/membership_cluster.h"

namespace kith::sim {
namespace {

// Large clusters take fewer seeds, so that each size costs about the same.
uint64_t share_of(size_t nodes) { return nodes > 10 ? 100 : nodes > 3 ? 20 : 1; }

class MembershipViews : public testing::TestWithParam<size_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, MembershipViews, testing::Values(2, 3, 10, 32),
                         [](const auto& row) { return std::to_string(row.param) + "Nodes"; });

void expect_one_view(MembershipCluster& cluster, Duration limit) {
  bool formed = cluster.world().run_while_not([&] { return cluster.agree(); }, limit);
  EXPECT_TRUE(formed) << cluster.describe();
  EXPECT_TRUE(cluster.violations().empty()) << cluster.describe();
}

TEST_P(MembershipViews, FormFromOneSeedWithNodesThatStartOneAfterTheOther) {
  for_each_seed(
      [](uint64_t seed) {
        World world(seed);
        MembershipCluster cluster(world);
        for (size_t i = 0; i < GetParam(); ++i) {
          cluster.start(cluster.add({0}));
          world.run_for(world.random().between(0ms, 300ms));
        }
        expect_one_view(cluster, 2s);
      },
      share_of(GetParam()));
}

TEST_P(MembershipViews, FormWhenAllStartAtOnceAndKnowAll) {
  for_each_seed(
      [](uint64_t seed) {
        World world(seed);
        MembershipCluster cluster(world);
        std::vector<Multiaddr> all;
        for (size_t i = 0; i < GetParam(); ++i) all.push_back(cluster.add().address);
        for (size_t i = 0; i < GetParam(); ++i) {
          cluster[i].seeds = all;
          cluster.start(cluster[i]);
        }
        expect_one_view(cluster, 2s);
      },
      share_of(GetParam()));
}

TEST_P(MembershipViews, FormAlongAChainOfSeeds) {
  for_each_seed(
      [](uint64_t seed) {
        World world(seed);
        MembershipCluster cluster(world);
        for (size_t i = 0; i < GetParam(); ++i) {
          cluster.add({i == 0 ? 0 : i - 1});
        }
        for (size_t i = GetParam(); i > 0; --i) {
          cluster.start(cluster[i - 1]);
          world.run_for(world.random().between(0ms, 100ms));
        }
        expect_one_view(cluster, 3s);
      },
      share_of(GetParam()));
}

TEST_P(MembershipViews, FormThoughMostSeedsAreStale) {
  for_each_seed(
      [](uint64_t seed) {
        World world(seed);
        MembershipCluster cluster(world);
        std::vector<Multiaddr> stale = {
            *Multiaddr::parse("/ip4/10.9.9.9/tcp/9450"),  // no such host
            *Multiaddr::parse("/ip4/10.0.0.1/tcp/9999"),  // nobody listens
        };
        for (size_t i = 0; i < GetParam(); ++i) {
          auto& node = cluster.add();
          node.seeds = stale;
          node.seeds.push_back(cluster[0].address);
          cluster.start(node);
        }
        expect_one_view(cluster, 3s);
      },
      share_of(GetParam()));
}

TEST_P(MembershipViews, FormWhenASeedStartsLongAfterTheOthers) {
  for_each_seed(
      [](uint64_t seed) {
        World world(seed);
        MembershipCluster cluster(world);
        for (size_t i = 0; i < GetParam(); ++i) cluster.add({0});
        for (size_t i = 1; i < GetParam(); ++i) cluster.start(cluster[i]);
        world.run_for(30s);
        cluster.start(cluster[0]);
        expect_one_view(cluster, 3s);
      },
      share_of(GetParam()));
}

TEST(MembershipViews, TurnAwayTheNodesAboveTheLimit) {
  for_each_seed(
      [](uint64_t seed) {
        World world(seed);
        membership::Config config;
        config.max_members = 4;
        MembershipCluster cluster(world, config);
        for (size_t i = 0; i < 6; ++i) {
          cluster.add({0});
          cluster.start(cluster[i]);
          world.run_for(1s);
        }
        world.run_for(5s);
        for (auto* node : cluster.running()) EXPECT_LE(node->life->core.live_members(), 4u);
        EXPECT_TRUE(cluster.agree({&cluster[0], &cluster[1], &cluster[2], &cluster[3]}))
            << cluster.describe();
        EXPECT_GT(cluster[0].life->core.counters().turned_away, 0u);
      },
      20);
}

TEST(MembershipViews, AreTheSameHistoryForTheSameSeed) {
  auto run = [](uint64_t seed) {
    World world(seed);
    MembershipCluster cluster(world);
    for (size_t i = 0; i < 5; ++i) {
      cluster.add({0});
      cluster.start(cluster[i]);
    }
    world.run_for(5s);
    return world.hash();
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

}  // namespace
}  // namespace kith::sim
