// The whole cluster driver (links with TLS, membership, replication, sessions, forwarding) on simulated
// hosts: the same code that runs on sockets, on virtual time.
#include <gtest/gtest.h>

#include <algorithm>

#include "client.h"
#include "cluster_scenario.h"
#include "crypto/hash.h"

namespace kith {
namespace {

using cluster::AckLevel;
using cluster::CatchUp;
using cluster::Cluster;
using cluster::SessionState;
using runtime::Task;

const crypto::Secret kOtherPsk(Bytes(32, 0x43));

TEST_F(ClusterScenario, ThreeNodesFormOneClusterAndASessionMadeOnOneIsOnAll) {
  start_all();
  auto write = create(*nodes[0], 1);
  EXPECT_TRUE(write.at_level);
  world.run_for(100ms);
  for (auto& node : nodes) {
    EXPECT_EQ(node->state_of(1), SessionState::live);
    EXPECT_TRUE(node->cluster->sessions().covers(write.position));
  }
}

TEST_F(ClusterScenario, AnAcknowledgedSessionSurvivesItsNodeAndComesBackToItWhenItRestarts) {
  start_all();
  create(*nodes[0], 1);
  nodes[0]->kill();
  ASSERT_TRUE(world.run_while_not([&] { return all_joined(2); }, 10s));
  world.run_for(2s);
  EXPECT_EQ(nodes[1]->state_of(1), SessionState::live);
  EXPECT_EQ(nodes[2]->state_of(1), SessionState::live);
  create(*nodes[1], 2);
  nodes[0]->start(seeds());
  EXPECT_FALSE(nodes[0]->ready());
  ASSERT_TRUE(world.run_while_not([&] { return nodes[0]->ready(); }, 20s));
  EXPECT_EQ(nodes[0]->state_of(1), SessionState::live);
  EXPECT_EQ(nodes[0]->state_of(2), SessionState::live);
}

TEST_F(ClusterScenario, ARevokedSessionIsDeadEverywhere) {
  start_all();
  create(*nodes[0], 1);
  world.run_for(100ms);
  int told = 0;
  std::vector<cluster::SessionWatches::Watch> watches;
  for (auto& node : nodes)
    watches.push_back(
        node->cluster->sessions().watches().add(node->ports->loop, key_of(1), [&told] { ++told; }));
  auto revoked = run(nodes[2]->cluster->sessions().revoke(
      nodes[2]->ports->loop, key_of(1), cluster::EndReason::logout, world.wall_now(nodes[2]->host) + 24h,
      AckLevel::all, world.now() + 5s));
  ASSERT_TRUE(revoked);
  EXPECT_TRUE(revoked->at_level);
  for (auto& node : nodes) EXPECT_EQ(node->state_of(1), SessionState::ended);
  world.run_for(100ms);
  EXPECT_EQ(told, 3);
  for (auto& node : nodes)
    EXPECT_EQ(node->cluster->sessions().get(key_of(1), world.wall_now(node->host)).reason,
              cluster::EndReason::logout);
}

TEST_F(ClusterScenario, ANodeThatIsBehindPullsFromTheOriginOrNamesIt) {
  start_all();
  // The write has not left the origin when the other node hears of its position.
  auto write = run(nodes[0]->cluster->sessions().create(
      nodes[0]->ports->loop, key_of(1), nodes[0]->record("bob"), AckLevel::local, world.now() + 5s));
  ASSERT_TRUE(write);
  auto& there = *nodes[1];
  EXPECT_FALSE(there.cluster->sessions().covers(write->position));
  auto named = run(there.cluster->sessions().catch_up(there.ports->loop, key_of(1), write->position, 0s,
                                                      false, world.now() + 2s));
  EXPECT_EQ(named.kind, CatchUp::Kind::elsewhere);
  EXPECT_EQ(named.node, nodes[0]->cluster->id());
  auto pulled = run(there.cluster->sessions().catch_up(there.ports->loop, key_of(1), write->position, 0s,
                                                       true, world.now() + 2s));
  EXPECT_EQ(pulled.kind, CatchUp::Kind::here);
  EXPECT_EQ(there.state_of(1), SessionState::live);
}

TEST_F(ClusterScenario, AWrongKeyOrClusterNameNeverBecomesAMember) {
  nodes[0]->start(seeds());
  nodes[1]->start(seeds(), {kOtherPsk});
  nodes[2]->start(seeds(), {kPsk}, "other");
  world.run_for(30s);
  for (auto& node : nodes) EXPECT_EQ(node->cluster->membership().live_members(), 1u);
  EXPECT_GT(nodes[0]->cluster->link_counters().refused_by_us.size() +
                nodes[0]->cluster->link_counters().refused_by_peer.size(),
            0u);
}

TEST_F(ClusterScenario, SeveralKeysAreAcceptedAtOnce) {
  nodes[0]->start(seeds(), {kPsk, kOtherPsk});
  nodes[1]->start(seeds(), {kOtherPsk, kPsk});
  nodes[2]->start(seeds(), {kPsk, kOtherPsk});
  EXPECT_TRUE(world.run_while_not([&] { return all_joined(3); }, 20s));
}

TEST_F(ClusterScenario, ASplitHealsAndBothSidesHaveEverything) {
  start_all();
  world.split({&nodes[0]->host}, {&nodes[1]->host, &nodes[2]->host});
  world.run_for(10s);
  (void)run(nodes[0]->cluster->sessions().create(nodes[0]->ports->loop, key_of(1), nodes[0]->record("left"),
                                                 AckLevel::one, world.now() + 1s));
  create(*nodes[1], 2);
  const auto losses = [&] {
    size_t sum = 0;
    for (auto& node : nodes) sum += node->log->count("not reachable");
    return sum;
  };
  const size_t before = losses();
  world.heal();
  ASSERT_TRUE(world.run_while_not([&] { return all_joined(3); }, 90s));
  world.run_for(3s);
  EXPECT_LE(losses() - before, 4u) << "a link that the other side has ended keeps no new one away";
  for (auto& node : nodes) {
    EXPECT_EQ(node->state_of(1), SessionState::live) << node->name;
    EXPECT_EQ(node->state_of(2), SessionState::live) << node->name;
  }
}

// The path between two members is bad, one way or both, and everybody else hears both: what the two write
// goes round it, and they are linked again when the path is good.
TEST_F(ClusterScenario, ANodeThatIsCutOffKnowsThatItIsNotFreshAndTheOthersAre) {
  start_all();
  auto fresh = [&](size_t node) { return nodes[node]->cluster->fresh(world.now()); };
  ASSERT_TRUE(world.run_while_not([&] { return fresh(0) && fresh(1) && fresh(2); }, 10s));
  for (size_t other : {1u, 2u}) {
    world.block(nodes[0]->host, nodes[other]->host);
    world.block(nodes[other]->host, nodes[0]->host);
  }
  const MonoTime cut = world.now();
  ASSERT_TRUE(world.run_while_not([&] { return !fresh(0); }, 15s));
  EXPECT_LE(world.now() - cut, 10s);
  EXPECT_GE(world.now() - cut, 5s);
  world.run_for(10s);
  EXPECT_FALSE(fresh(0));
  EXPECT_TRUE(fresh(1) && fresh(2));
  world.heal();
  ASSERT_TRUE(world.run_while_not([&] { return fresh(0); }, 15s));

  world.pause(*nodes[1]->process);  // as long as it is away nobody can tell it anything
  world.run_for(20s);
  EXPECT_FALSE(fresh(1));
  world.resume(*nodes[1]->process);
  EXPECT_TRUE(world.run_while_not([&] { return fresh(1); }, 15s));
}

TEST_F(ClusterScenario, WhatABadPathKeepsApartGoesRoundItAndNobodyIsRemoved) {
  start_all();
  ClusterNode &a = *nodes[0], &b = *nodes[1];
  for (bool both_ways : {false, true}) {
    world.block(a.host, b.host);
    if (both_ways) world.block(b.host, a.host);
    world.run_for(15s);
    const int first = both_ways ? 3 : 1;
    create(a, first);
    create(b, first + 1);
    EXPECT_TRUE(world.run_while_not(
        [&] {
          return b.state_of(first) == SessionState::live && a.state_of(first + 1) == SessionState::live;
        },
        3s));
    EXPECT_EQ(a.cluster->replication().peers(), 1u) << "no link is kept that loses what it is given";
    world.heal();
    EXPECT_TRUE(world.run_while_not([&] { return all_joined(3); }, 5s));
  }
  for (const auto& node : nodes) EXPECT_EQ(node->log->count("member is gone"), 0u) << node->name;
}

TEST_F(ClusterScenario, AWriteOfTheLevelZoneWaitsForAnotherZoneAndForOneMemberWhereThereIsNone) {
  nodes[0]->zone = nodes[1]->zone = "here";
  nodes[2]->zone = "there";
  start_all();
  ClusterNode& a = *nodes[0];
  EXPECT_TRUE(create(a, 1, AckLevel::zone).at_level);
  EXPECT_EQ(nodes[2]->state_of(1), SessionState::live);
  world.pause(*nodes[2]->process);
  auto late = run(a.cluster->sessions().create(a.ports->loop, key_of(2), a.record("alice"), AckLevel::zone,
                                               world.now() + 300ms));
  ASSERT_TRUE(late);
  EXPECT_FALSE(late->at_level) << "one of the same zone is not enough";
  EXPECT_EQ(nodes[1]->state_of(2), SessionState::live) << "and it stands all the same";
  EXPECT_EQ(a.cluster->unacknowledged_writes(), 0u);
  ASSERT_TRUE(world.run_while_not([&] { return a.cluster->replication().peers() == 1; }, 30s));
  EXPECT_TRUE(create(a, 3, AckLevel::zone).at_level);
  EXPECT_TRUE(create(a, 4, AckLevel::zone).at_level);
  EXPECT_EQ(a.log->count("no member of another zone"), 1u) << "said once";
  EXPECT_EQ(a.cluster->unacknowledged_writes(), 2u) << "and counted";
  world.resume(*nodes[2]->process);
  ASSERT_TRUE(world.run_while_not([&] { return all_joined(3); }, 30s));
  EXPECT_TRUE(create(a, 5, AckLevel::zone).at_level);
  EXPECT_EQ(nodes[2]->state_of(5), SessionState::live);
}

// It crashed several times lately: the others hear it, and avoid it for a while.
TEST_F(ClusterScenario, AMemberThatIsDampedKeepsItsDataLinks) {
  start_all();
  ClusterNode& c = *nodes[2];
  for (int crash = 0; crash < 3; ++crash) {
    c.kill();
    world.run_for(1s);
    c.start(seeds());
    ASSERT_TRUE(world.run_while_not([&] { return all_joined(3); }, 20s));
  }
  const auto members = nodes[0]->cluster->membership().members();
  ASSERT_TRUE(std::any_of(members.begin(), members.end(), [](const auto& one) { return one.damped; }));
  world.run_for(10s);
  EXPECT_TRUE(all_joined(3));
  create(c, 1, AckLevel::all);
  EXPECT_EQ(nodes[0]->state_of(1), SessionState::live);
}

TEST_F(ClusterScenario, AGracefulLeaveHandsOverTheLastWriteAndIsNoCrash) {
  start_all();
  (void)run(nodes[0]->cluster->sessions().create(nodes[0]->ports->loop, key_of(1), nodes[0]->record("last"),
                                                 AckLevel::local, world.now() + 1s));
  struct Leave {
    static Task<bool> run(Cluster& cluster, MonoTime deadline) {
      co_await cluster.leave(deadline);
      co_return true;
    }
  };
  run(Leave::run(*nodes[0]->cluster, world.now() + 3s));
  ASSERT_TRUE(world.run_while_not([&] { return nodes[1]->cluster->membership().live_members() == 2; }, 5s));
  EXPECT_EQ(nodes[1]->state_of(1), SessionState::live);
  EXPECT_EQ(nodes[2]->state_of(1), SessionState::live);
}

TEST_F(ClusterScenario, ARequestIsForwardedOneHopWithItsBodyAndAnswer) {
  start_all();
  std::string body(700'000, 'x');
  body += "end";
  Client client(body);
  auto outcome = run(nodes[1]->cluster->forwarder().forward(nodes[1]->ports->loop, client,
                                                            nodes[0]->cluster->id(), world.now() + 5s));
  EXPECT_TRUE(outcome);
  EXPECT_EQ(client.answer.status, 200);
  EXPECT_EQ(client.answer.headers.get("X-By"), "b");
  EXPECT_EQ(client.text, "a /echo " + body);
  EXPECT_TRUE(client.finished);
  EXPECT_EQ(nodes[0]->echo->served, 1);
}

TEST_F(ClusterScenario, ARequestThatWasTakenAndNotAnsweredIsToldFromOneThatWasNotTaken) {
  start_all();
  Client client("", "/too-many-headers");
  auto outcome = run(nodes[1]->cluster->forwarder().forward(nodes[1]->ports->loop, client,
                                                            nodes[0]->cluster->id(), world.now() + 5s));
  EXPECT_EQ(nodes[0]->echo->served, 1);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code(), Code::closed);
  EXPECT_FALSE(client.started());
}

// Each OPEN that is refused makes an answer, and the insider takes none of them.
TEST_F(ClusterScenario, AMemberThatTakesNoAnswersIsCutOffBeforeTheyFillTheMemory) {
  nodes[0]->max_bulk_queue = 1 << 20;
  start_all();
  Cluster& victim = *nodes[0]->cluster;
  const NodeId insider = nodes[1]->cluster->id();
  const size_t peers = victim.replication().peers();
  Bytes bad_open;
  Writer(bad_open).varint(5);
  for (int i = 0; i < 20'000 && victim.replication().peers() == peers; ++i)
    victim.hub().handle_message(insider, static_cast<uint8_t>(cluster::ForwardType::open), bad_open);
  EXPECT_EQ(victim.replication().peers(), peers - 1);
  ASSERT_TRUE(world.run_while_not([&] { return victim.replication().peers() == peers; }, 20s));
}

TEST_F(ClusterScenario, ForwardingToANodeThatJustDiedFailsSoThatTheCallerCanAnswer) {
  start_all();
  NodeId dead = nodes[0]->cluster->id();
  nodes[0]->kill();
  Client client("");
  auto outcome =
      run(nodes[1]->cluster->forwarder().forward(nodes[1]->ports->loop, client, dead, world.now() + 2s));
  EXPECT_FALSE(outcome);
  EXPECT_FALSE(client.started());
}

}  // namespace
}  // namespace kith
