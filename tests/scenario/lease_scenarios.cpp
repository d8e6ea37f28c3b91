// The leader's lease under everything that can happen to it: never two leaders at once, never an epoch
// again, and a leader again soon after a majority is back.
#include <algorithm>

#include "lease_world.h"
#include "seeds.h"

namespace kith::sim {
namespace {

using lease::Config;
using Node = LeaseWorld::Node;

void expect_no_violation(const LeaseWorld& world) {
  for (const std::string& violation : world.violations()) ADD_FAILURE() << violation;
}

// Clocks that run up to half a percent fast or slow and are up to a second off.
void disturb_clocks(LeaseWorld& leases) {
  Random& random = leases.world().random();
  for (size_t i = 0; i < leases.size(); ++i) {
    leases[i].host->drift_ppm = static_cast<int64_t>(random.below(10'001)) - 5'000;
    leases[i].host->wall_offset = random.between(0s, 2s) - 1s;
  }
}

void start_all(LeaseWorld& leases) {
  for (size_t i = 0; i < leases.size(); ++i) leases.start(leases[i]);
}

bool start_until_led(LeaseWorld& leases) {
  disturb_clocks(leases);
  start_all(leases);
  return leases.run_until_led(10s);
}

std::vector<Host*> hosts_of(const std::vector<Node*>& nodes) {
  std::vector<Host*> out;
  for (Node* node : nodes) out.push_back(node->host);
  return out;
}

TEST(Lease, a_cluster_that_starts_has_one_leader_whom_everybody_knows) {
  for_each_seed([](uint64_t seed) {
    World world(seed);
    size_t nodes = 1 + world.random().below(12);
    LeaseWorld leases(world, nodes, {});
    ASSERT_TRUE(start_until_led(leases)) << leases.describe();
    EXPECT_EQ(leases[0].core->voters()->nodes.size(),
              std::min<size_t>(7, nodes % 2 == 1 ? nodes : nodes - 1));
    expect_no_violation(leases);
  });
}

TEST(Lease, a_leader_that_dies_is_followed_when_its_lease_has_run_out_and_one_that_goes_at_once) {
  for_each_seed([](uint64_t seed) {
    World world(seed);
    LeaseWorld leases(world, 5, {});
    ASSERT_TRUE(start_until_led(leases)) << leases.describe();
    MonoTime before = world.now();
    leases.kill(*leases.leaders()[0]);
    ASSERT_TRUE(leases.run_until_led(10s)) << leases.describe();
    EXPECT_LE(world.now() - before, 6s);
    EXPECT_EQ(leases.epochs().size(), 2U);
    before = world.now();
    leases.resign(*leases.leaders()[0]);
    ASSERT_TRUE(leases.run_until_led(10s)) << leases.describe();
    EXPECT_LE(world.now() - before, 2s);
    expect_no_violation(leases);
  });
}

TEST(Lease, in_a_split_the_larger_part_goes_on_and_the_smaller_one_has_no_leader) {
  for_each_seed([](uint64_t seed) {
    World world(seed);
    LeaseWorld leases(world, 5, {});
    ASSERT_TRUE(start_until_led(leases)) << leases.describe();
    Node* leader = leases.leaders()[0];
    std::vector<Node*> few{leader}, many;
    for (size_t i = 0; i < leases.size(); ++i) {
      if (&leases[i] != leader) (few.size() < 2 ? few : many).push_back(&leases[i]);
    }
    world.split(hosts_of(few), hosts_of(many));
    world.run_for(10s);
    for (Node* node : few) {
      EXPECT_FALSE(node->core->leads(world.now(*node->host)));
      EXPECT_FALSE(node->core->leader(world.now(*node->host)).has_value());
      EXPECT_FALSE(node->core->has_majority());
    }
    EXPECT_EQ(leases.leaders().size(), 1U) << leases.describe();
    for (Node* node : many) EXPECT_TRUE(node->core->has_majority());
    world.heal();
    EXPECT_TRUE(leases.run_until_led(10s)) << leases.describe();
    expect_no_violation(leases);
  });
}

TEST(Lease, a_leader_that_was_stalled_longer_than_its_lease_is_none_any_more_when_it_goes_on) {
  for_each_seed([](uint64_t seed) {
    World world(seed);
    LeaseWorld leases(world, 3, {});
    ASSERT_TRUE(start_until_led(leases)) << leases.describe();
    Node* leader = leases.leaders()[0];
    uint64_t epoch = leader->core->epoch();
    world.pause(*leader->process);
    world.run_for(8s);
    ASSERT_EQ(leases.leaders().size(), 1U) << leases.describe();
    EXPECT_GT(leases.leaders()[0]->core->epoch(), epoch);
    world.resume(*leader->process);
    EXPECT_FALSE(leader->core->leads(world.now(*leader->host)));
    EXPECT_TRUE(leases.run_until_led(10s)) << leases.describe();
    expect_no_violation(leases);
  });
}

TEST(Lease, clusters_that_were_founded_apart_become_one_with_an_epoch_above_both) {
  for_each_seed([](uint64_t seed) {
    World world(seed);
    LeaseWorld leases(world, 6, {});
    std::vector<Node*> one{&leases[0], &leases[1], &leases[2]}, other{&leases[3], &leases[4], &leases[5]};
    world.split(hosts_of(one), hosts_of(other));
    for (Node* node : one) leases.start(*node);
    world.run_for(world.random().between(0s, 2s));
    for (Node* node : other) leases.start(*node);
    world.run_for(8s);
    ASSERT_EQ(leases.leaders().size(), 2U) << leases.describe();
    auto lineage = std::min(one[0]->core->voters()->lineage, other[0]->core->voters()->lineage);
    uint64_t greatest = *leases.epochs().rbegin();
    world.heal();
    ASSERT_TRUE(leases.run_until_led(15s)) << leases.describe();
    EXPECT_EQ(leases[5].core->voters()->lineage, lineage) << "the older one holds";
    // The leader of the older lineage may have stayed; the next one is above both.
    world.run_for(3s);
    leases.kill(*leases.leaders()[0]);
    ASSERT_TRUE(leases.run_until_led(15s)) << leases.describe();
    EXPECT_GT(leases.leaders()[0]->core->epoch(), greatest);
  });
}

TEST(Lease, islands_at_the_first_start_elect_nobody_where_too_few_are_there) {
  for_each_seed([](uint64_t seed) {
    World world(seed);
    LeaseWorld leases(world, 5, {.quorum = 3});
    std::vector<Node*> few{&leases[0], &leases[1]}, many{&leases[2], &leases[3], &leases[4]};
    world.split(hosts_of(few), hosts_of(many));
    start_all(leases);
    world.run_for(10s);
    EXPECT_EQ(leases.leaders().size(), 1U) << leases.describe();
    EXPECT_FALSE(few[0]->core->voters().has_value());
    world.heal();
    EXPECT_TRUE(leases.run_until_led(10s)) << leases.describe();
    expect_no_violation(leases);
  });
}

TEST(Lease, the_voters_follow_the_cluster_and_are_spread_over_its_zones) {
  for_each_seed(
      [](uint64_t seed) {
        World world(seed);
        LeaseWorld leases(world, 12, {}, 3);
        disturb_clocks(leases);
        leases.start(leases[0]);
        ASSERT_TRUE(leases.run_until_led(10s)) << leases.describe();
        for (size_t i = 1; i < leases.size(); ++i) {
          leases.start(leases[i]);
          world.run_for(300ms);
        }
        world.run_for(20s);
        ASSERT_TRUE(leases.agree()) << leases.describe();
        EXPECT_EQ(leases.epochs().size(), 1U) << "the leader stays while the voters change";
        auto in_zone = [&](const std::string& zone) {
          size_t count = 0;
          for (size_t i = 0; i < leases.size(); ++i)
            count += leases[i].zone == zone && leases[0].core->voters()->contains(leases[i].id) ? 1 : 0;
          return count;
        };
        EXPECT_EQ(leases[0].core->voters()->nodes.size(), 7U);
        for (const char* zone : {"z0", "z1", "z2"}) EXPECT_GE(in_zone(zone), 2U) << leases.describe();

        // One that is gone for long makes room for another; a whole zone that dies takes no majority with it.
        auto voters = leases[0].core->voters()->nodes;
        for (size_t i = 0; i < leases.size(); ++i) {
          if (leases[i].zone == "z1") leases.kill(leases[i]);
        }
        world.run_for(30s);
        ASSERT_EQ(leases.leaders().size(), 1U) << leases.describe();
        Node* leader = leases.leaders()[0];
        EXPECT_EQ(leader->core->voters()->nodes.size(), 7U) << leases.describe();
        for (size_t i = 0; i < leases.size(); ++i) {
          bool of_the_dead_zone = leases[i].zone == "z1";
          EXPECT_FALSE(of_the_dead_zone && leader->core->voters()->contains(leases[i].id));
        }
        expect_no_violation(leases);
      },
      4);
}

// One fault after the other, several at a time; then peace.
void misfortune(LeaseWorld& leases) {
  World& world = leases.world();
  Random& random = world.random();
  Node& node = leases[random.below(leases.size())];
  Node& other = leases[random.below(leases.size())];
  switch (random.below(9)) {
    case 0:
      if (leases.running(node)) leases.kill(node);
      break;
    case 1:
    case 2:
      if (!node.core) leases.start(node);
      break;
    case 3:
      if (leases.running(node)) world.pause(*node.process);
      break;
    case 4:
    case 5:
      if (node.core && !leases.running(node)) world.resume(*node.process);
      break;
    case 6:
      if (&node != &other) world.block(*node.host, *other.host);  // one way
      break;
    case 7: {
      std::vector<Node*> one, two;
      for (size_t i = 0; i < leases.size(); ++i) (random.chance(1, 2) ? one : two).push_back(&leases[i]);
      world.split(hosts_of(one), hosts_of(two));
      break;
    }
    default: world.heal(); break;
  }
}

TEST(Lease, whatever_happens_never_two_lead_and_no_epoch_comes_again) {
  for_each_seed([](uint64_t seed) {
    World world(seed);
    size_t nodes = 2 + world.random().below(6);
    LeaseWorld leases(world, nodes, {.quorum = nodes / 2 + 1}, 1 + world.random().below(3));
    disturb_clocks(leases);
    leases.loss_per_mille = world.random().below(200);
    leases.loss_and_delay = world.random().between(1ms, 800ms);
    start_all(leases);
    ASSERT_TRUE(leases.run_until_led(60s)) << leases.describe();
    for (MonoTime end = world.now() + 60s; world.now() < end;) {
      misfortune(leases);
      world.run_for(world.random().between(0ms, 3s));
    }
    world.heal();
    leases.loss_per_mille = 0;
    leases.loss_and_delay = 20ms;
    for (size_t i = 0; i < leases.size(); ++i) {
      if (!leases[i].core) leases.start(leases[i]);
      if (!leases.running(leases[i])) world.resume(*leases[i].process);
    }
    EXPECT_TRUE(leases.run_until_led(15s)) << leases.describe();
    expect_no_violation(leases);
  });
}

TEST(Lease, the_same_seed_tells_the_same_story) {
  auto story = [](uint64_t seed) {
    World world(seed);
    LeaseWorld leases(world, 5, {});
    start_all(leases);
    for (int i = 0; i < 20; ++i) {
      misfortune(leases);
      world.run_for(1s);
    }
    return std::pair(world.hash(), leases.epochs());
  };
  EXPECT_EQ(story(7), story(7));
  EXPECT_NE(story(7).first, story(8).first);
}

}  // namespace
}  // namespace kith::sim
