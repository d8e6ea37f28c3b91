// What happens to members: crash, hang, pause, leave, restart. Times are virtual.
#include <algorithm>
#include <array>

#include "seeds.h"
#include "sim/membership_cluster.h"

namespace kith::sim {
namespace {

uint64_t share_of(size_t nodes) { return nodes > 10 ? 100 : nodes > 3 ? 20 : 1; }

class MembershipFailures : public testing::TestWithParam<size_t> {
 protected:
  // A cluster of the size that has settled, then `happens` with a random victim.
  void for_each_settled(const std::function<void(MembershipCluster&, MembershipCluster::Node&)>& happens) {
    for_each_seed(
        [&](uint64_t seed) {
          World world(seed);
          MembershipCluster cluster(world);
          for (size_t i = 0; i < GetParam(); ++i) {
            cluster.add({0, i / 2});
            cluster.start(cluster[i]);
          }
          world.run_for(5s + world.random().between(0ms, 500ms));
          ASSERT_TRUE(cluster.agree()) << cluster.describe();
          happens(cluster, cluster[world.random().below(GetParam())]);
          EXPECT_TRUE(cluster.violations().empty()) << cluster.describe();
        },
        share_of(GetParam()));
  }

  static void expect_down_within(MembershipCluster& cluster, MembershipCluster::Node& victim, MonoTime since,
                                 Duration limit, membership::DownReason why) {
    for (auto* node : cluster.running()) {
      if (node == &victim) continue;
      auto seen = cluster.saw_down(*node, victim, since);
      ASSERT_TRUE(seen.has_value()) << node->host->name << "\n" << cluster.describe();
      EXPECT_LE((*seen - since) / 1ms, limit / 1ms) << node->host->name;
      for (const auto& gone : node->life->seen) EXPECT_EQ(to_string(gone.down.why), to_string(why));
    }
  }
  static size_t downs(const MembershipCluster::Node& node) { return node.life->seen.size(); }
};
INSTANTIATE_TEST_SUITE_P(Sizes, MembershipFailures, testing::Values(2, 3, 10, 32),
                         [](const auto& row) { return std::to_string(row.param) + "Nodes"; });

TEST_P(MembershipFailures, ACrashIsKnownEverywhereWithinAQuarterOfASecond) {
  for_each_settled([](MembershipCluster& cluster, MembershipCluster::Node& victim) {
    MonoTime since = cluster.world().now();
    cluster.kill(victim);
    cluster.world().run_for(3s);
    expect_down_within(cluster, victim, since, 250ms, membership::DownReason::crashed);
    EXPECT_TRUE(cluster.agree()) << cluster.describe();
  });
}

TEST_P(MembershipFailures, AHangIsKnownEverywhereInAboutOneAndAHalfSeconds) {
  for_each_settled([](MembershipCluster& cluster, MembershipCluster::Node& victim) {
    MonoTime since = cluster.world().now();
    cluster.pause(victim);
    cluster.world().run_for(5s);
    expect_down_within(cluster, victim, since, 1500ms, membership::DownReason::hung);
    EXPECT_TRUE(cluster.agree()) << cluster.describe();
    cluster.resume(victim);
    cluster.world().run_for(2s);
    EXPECT_TRUE(cluster.agree()) << cluster.describe();
    EXPECT_EQ(downs(victim), 0u);  // it was away itself, and accuses nobody
  });
}

TEST_P(MembershipFailures, AMachineThatLosesPowerIsKnownLikeAHang) {
  for_each_settled([](MembershipCluster& cluster, MembershipCluster::Node& victim) {
    MonoTime since = cluster.world().now();
    cluster.world().power_off(*victim.host);
    cluster.kill(victim);
    cluster.world().run_for(5s);
    expect_down_within(cluster, victim, since, 1500ms, membership::DownReason::hung);
    EXPECT_TRUE(cluster.agree()) << cluster.describe();
    cluster.world().power_on(*victim.host);
    cluster.start(victim);
    cluster.world().run_for(2s);
    EXPECT_TRUE(cluster.agree()) << cluster.describe();
  });
}

TEST_P(MembershipFailures, APauseOfASecondKillsNobody) {
  for_each_settled([](MembershipCluster& cluster, MembershipCluster::Node& victim) {
    for (int i = 0; i < 5; ++i) {
      cluster.pause(victim);
      cluster.world().run_for(1s);
      cluster.resume(victim);
      cluster.world().run_for(cluster.world().random().between(500ms, 2s));
    }
    for (auto* node : cluster.running()) EXPECT_EQ(downs(*node), 0u) << cluster.describe();
    EXPECT_TRUE(cluster.agree()) << cluster.describe();
  });
}

TEST_P(MembershipFailures, APauseOfMostNodesAtOnceKillsNobodyWhoIsWell) {
  for_each_settled([](MembershipCluster& cluster, MembershipCluster::Node& awake) {
    for (size_t i = 0; i < cluster.size(); ++i) {
      if (&cluster[i] != &awake) cluster.pause(cluster[i]);
    }
    cluster.world().run_for(10s);
    for (size_t i = 0; i < cluster.size(); ++i) cluster.resume(cluster[i]);
    cluster.world().run_for(3s);
    EXPECT_TRUE(cluster.agree()) << cluster.describe();
  });
}

TEST_P(MembershipFailures, ALeaveIsSeenAsALeave) {
  for_each_settled([](MembershipCluster& cluster, MembershipCluster::Node& victim) {
    MonoTime since = cluster.world().now();
    cluster.leave(victim);
    cluster.world().run_for(5s);
    expect_down_within(cluster, victim, since, 100ms, membership::DownReason::left);
    EXPECT_TRUE(cluster.agree()) << cluster.describe();
  });
}

TEST_P(MembershipFailures, ARestartIsTheSameNodeInANewLife) {
  for_each_settled([](MembershipCluster& cluster, MembershipCluster::Node& victim) {
    cluster.kill(victim);
    cluster.world().run_for(cluster.world().random().between(0ms, 400ms));
    cluster.start(victim);
    bool back = cluster.world().run_while_not([&] { return cluster.agree(); }, 2s);
    EXPECT_TRUE(back) << cluster.describe();
    cluster.world().run_for(3s);
    EXPECT_TRUE(cluster.agree()) << cluster.describe();
    for (auto* node : cluster.running()) {
      if (node != &victim) {
        EXPECT_EQ(downs(*node), 1u) << node->host->name;
      }
    }
  });
}

TEST_P(MembershipFailures, MostNodesCrashTogetherAndTheRestGoesOn) {
  for_each_settled([](MembershipCluster& cluster, MembershipCluster::Node& survivor) {
    for (size_t i = 0; i < cluster.size(); ++i) {
      if (&cluster[i] != &survivor) cluster.kill(cluster[i]);
    }
    bool known = cluster.world().run_while_not([&] { return cluster.agree(); }, 250ms);
    EXPECT_TRUE(known) << cluster.describe();
    for (size_t i = 0; i < cluster.size(); ++i) {
      if (&cluster[i] != &survivor) cluster.start(cluster[i]);
    }
    cluster.world().run_for(3s);
    EXPECT_TRUE(cluster.agree()) << cluster.describe();
  });
}

TEST_P(MembershipFailures, AStateThatChangesIsKnownEverywhereAtOnce) {
  for_each_settled([](MembershipCluster& cluster, MembershipCluster::Node& victim) {
    cluster.world().after(
        0ms, [&] { victim.life->core.set_state(membership::State::draining, cluster.world().now()); },
        &victim.life->process);
    auto known = [&] {
      auto nodes = cluster.running();
      return std::all_of(nodes.begin(), nodes.end(), [&](auto* node) {
        auto* record = node->life->core.member(victim.id());
        return record != nullptr && record->state == membership::State::draining;
      });
    };
    EXPECT_TRUE(cluster.world().run_while_not(known, 600ms)) << cluster.describe();
  });
}

// In a large cluster, where alerts are kept: two that say of a third that they do not hear it, and hang
// before they can take it back, are removed without it.
TEST(MembershipCuts, TheLastWordsOfThoseWhoHangTakeNobodyWithThem) {
  for_each_seed([](uint64_t seed) {
    World world(seed);
    membership::Config config;
    config.everyone = 2;
    MembershipCluster cluster(world, config);
    for (size_t i = 0; i < 6; ++i) cluster.start(cluster.add({0}));
    world.run_for(5s);
    ASSERT_TRUE(cluster.agree()) << cluster.describe();
    auto& well = cluster[5];
    std::array<MembershipCluster::Node*, 2> deaf = {&cluster[1 + seed % 2], &cluster[3 + seed % 2]};
    for (auto* node : deaf) world.block(*well.host, *node->host);
    auto said = [&] {
      return std::all_of(deaf.begin(), deaf.end(),
                         [](auto* node) { return node->life->core.counters().alerts_signed > 0; });
    };
    if (!world.run_while_not(said, 4s)) return;  // by the rings it is not theirs to watch
    for (auto* node : deaf) cluster.pause(*node);
    world.heal();
    world.run_for(8s);
    for (auto* node : cluster.running()) {
      for (auto* gone : deaf) EXPECT_TRUE(cluster.saw_down(*node, *gone, MonoTime{})) << cluster.describe();
      if (node == &well) continue;
      EXPECT_FALSE(cluster.saw_down(*node, well, MonoTime{})) << cluster.describe();
    }
  });
}

}  // namespace
}  // namespace kith::sim
