// Replication under delays, cuts, kills and joins. KITH_SIM_SEEDS says how many worlds (default 200),
// KITH_SIM_SEED replays one.
#include <gtest/gtest.h>

#include "replication_world.h"
#include "seeds.h"

namespace kith::scenario {
namespace {

// Everything but the seed and the number of nodes is drawn from the seed.
WorldOptions options_for(uint64_t seed, size_t nodes) {
  std::mt19937_64 rng(seed * 977 + nodes);
  auto one_of = [&](auto... values) {
    const std::array all{values...};
    return all[rng() % all.size()];
  };
  WorldOptions options;
  options.seed = seed;
  options.nodes = nodes;
  options.max_delay = one_of(Duration(5ms), Duration(100ms), Duration(1s), Duration(5s));
  options.lane_depth = one_of(1, 2, 8);
  options.max_body = one_of(20, 300, 4000);
  options.replication.ring.max_bytes = one_of(4 << 10, 64 << 10, 64 << 20);
  options.replication.snapshot_window = one_of(1, 4);
  options.replication.range_bytes = one_of(1 << 10, 1 << 20);
  options.replication.max_debts = one_of(1, 1024);
  options.replication.max_departed = one_of(2, 256);
  options.replication.retire_after = one_of(Duration(1s), Duration(20s));
  if (options.max_delay == 5s) {
    options.quiet = 600s;
    // A joiner stops waiting for what one silent peer alone claims. Silence has to be longer than the
    // longest answer: request and answer, each behind others on its lane.
    options.replication.request_timeout = 60s;
    options.replication.donor_pause = 360s;
    options.replication.debt_patience = 240s;
  }
  return options;
}

void run_seeds(size_t nodes, bool insider = false) {
  sim::for_each_seed([nodes, insider](uint64_t seed) {
    WorldOptions options = options_for(seed, nodes);
    options.insider = insider;
    World world(options);
    EXPECT_EQ(world.run(), "") << nodes << " nodes; " << world.summary();
  });
}

TEST(ReplicationScenario, ThreeNodesStayTrueUnderDelaysCutsKillsAndJoins) { run_seeds(3); }
TEST(ReplicationScenario, ThreeNodesStayTrueBesideAnInsiderThatLiesAboutThem) { run_seeds(3, true); }
TEST(ReplicationScenario, FiveNodesStayTrueUnderDelaysCutsKillsAndJoins) { run_seeds(5); }

void run_journals(size_t nodes, bool damage, bool insider = false) {
  sim::for_each_seed([=](uint64_t seed) {
    WorldOptions options = options_for(seed + (1 << 20), nodes);
    options.journals = options.replication.tell_records = true;
    options.damage = damage;
    options.insider = insider;
    World world(options);
    EXPECT_EQ(world.run(), "") << nodes << " nodes; " << world.summary();
  });
}

TEST(ReplicationScenario, WithJournalsAFullStopLosesNothing) { run_journals(3, false); }
TEST(ReplicationScenario, WithJournalsAnInsiderThatLiesLosesNothing) { run_journals(3, false, true); }
TEST(ReplicationScenario, WithDamagedJournalsNodesStayTrueAndBecomeEqual) { run_journals(3, true); }

}  // namespace
}  // namespace kith::scenario
