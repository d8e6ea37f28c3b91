// When a node may say that it is ready: never before it has caught up with somebody who is.
#include <gtest/gtest.h>

#include "cluster_node.h"

namespace kith {
namespace {

using cluster::Phase;

// Two nodes whose data channels cannot be reached, as behind a firewall: they are members of each other,
// and nothing more.
struct ClusterStart : testing::Test {
  ClusterStart() {
    for (ClusterNode* node : {&a, &b}) node->advertise_data = Multiaddr::from({node->host.address, 9});
  }
  std::vector<Multiaddr> seeds() {
    return {Multiaddr::from({a.host.address, 9450}), Multiaddr::from({b.host.address, 9450})};
  }
  bool are_members() {
    return a.cluster->membership().live_members() == 2 && b.cluster->membership().live_members() == 2;
  }

  void start_b_beside_a() {
    a.start(seeds());
    ASSERT_TRUE(world.run_while_not([&] { return a.ready(); }, 20s));
    b.start(seeds());
    ASSERT_TRUE(world.run_while_not([&] { return are_members(); }, 20s));
  }

  sim::World world{11};
  ClusterNode a{world, "a"};
  ClusterNode b{world, "b"};
};

TEST_F(ClusterStart, ANodeStaysSyncingAsLongAsAReadyMemberHasWhatItLacks) {
  start_b_beside_a();
  world.run_for(2min);
  EXPECT_EQ(b.cluster->phase(), Phase::syncing);
  EXPECT_TRUE(a.ready());
  EXPECT_FALSE(a.cluster->degraded()) << "it has all there is";
}

TEST_F(ClusterStart, WhenNobodyWhoWasReadyIsLeftItGoesOnAlone) {
  start_b_beside_a();
  world.run_for(30s);
  ASSERT_FALSE(b.ready());
  a.kill();
  ASSERT_TRUE(world.run_while_not([&] { return b.ready(); }, 20s));
  EXPECT_FALSE(b.cluster->degraded()) << "nobody is left who has something that it has not";
}

TEST_F(ClusterStart, NodesThatOnlyWaitForEachOtherServeAndSayThatTheyAreDegraded) {
  a.start(seeds());
  b.start(seeds());
  ASSERT_TRUE(world.run_while_not([&] { return are_members(); }, 20s));
  EXPECT_FALSE(a.ready() || b.ready());
  ASSERT_TRUE(world.run_while_not([&] { return a.ready() || b.ready(); }, 20s));
  const ClusterNode& first = a.ready() ? a : b;
  EXPECT_TRUE(first.cluster->degraded());
  (a.ready() ? b : a).kill();
  EXPECT_TRUE(world.run_while_not([&] { return !first.cluster->degraded(); }, 20s));
  EXPECT_TRUE(first.ready());
}

}  // namespace
}  // namespace kith
