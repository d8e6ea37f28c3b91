// Clusters whose nodes have journals: full stops, power cuts, disks that fail, and what a restart costs.
#include <gtest/gtest.h>

#include <algorithm>

#include "cluster_scenario.h"

namespace kith {
namespace {

using cluster::AckLevel;
using cluster::SessionState;

const char* kFolder = "/journal";
const crypto::Secret kKey(Bytes(32, 0x51)), kNewKey(Bytes(32, 0x52));

struct JournalScenario : ClusterScenario {
  explicit JournalScenario(size_t count = 3) : ClusterScenario(count) {
    for (auto& node : nodes) {
      node->customize = [](cluster::ClusterConfig& config) {
        config.journal.directory = kFolder;
        config.journal.key = kKey;
      };
    }
  }
  void start_again() {
    for (auto& node : nodes)
      if (!node->cluster) node->start(seeds());
    ASSERT_TRUE(world.run_while_not([&] { return all_joined(nodes.size()); }, 30s));
    world.run_for(2s);
  }
  void expect_everywhere(int session, SessionState state) {
    for (auto& node : nodes) EXPECT_EQ(node->state_of(session), state) << node->name << " " << session;
  }
  void revoke(ClusterNode& node, int session, AckLevel level) {
    auto write =
        run(node.cluster->sessions().revoke(node.ports->loop, key_of(session), cluster::EndReason::logout,
                                            world.wall_now(node.host) + 24h, level, world.now() + 5s));
    ASSERT_TRUE(write);
    EXPECT_TRUE(write->at_level);
  }
  static runtime::Task<bool> leave(cluster::Cluster& cluster, MonoTime deadline) {
    co_await cluster.leave(deadline);
    co_return true;
  }
  sim::DiskState& disk(size_t node) { return nodes[node]->host.disk; }
};

TEST_F(JournalScenario, AFullStopLosesNothingOfTheLevelJournal) {
  start_all();
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(create(*nodes[i % 3], i, AckLevel::journal).at_level);
  revoke(*nodes[1], 4, AckLevel::journal);
  for (auto& node : nodes) node->kill();
  start_again();
  for (int i = 0; i < 30; ++i) expect_everywhere(i, i == 4 ? SessionState::ended : SessionState::live);
}

// What only its node had, no peer has confirmed: cut off, it writes, and is killed.
TEST_F(JournalScenario, AWriteThatOnlyItsNodeHadComesBackWithItAndGoesToAll) {
  start_all();
  for (size_t other : {1u, 2u}) {
    world.block(nodes[0]->host, nodes[other]->host);
    world.block(nodes[other]->host, nodes[0]->host);
  }
  EXPECT_TRUE(create(*nodes[0], 1, AckLevel::journal).at_level);
  nodes[0]->kill();
  world.heal();
  start_again();
  expect_everywhere(1, SessionState::live);
}

TEST_F(JournalScenario, APowerCutOfAllLosesNothingOfTheLevelFsync) {
  start_all();
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(create(*nodes[i % 3], i, AckLevel::fsync).at_level);
  for (int i = 30; i < 40; ++i) create(*nodes[i % 3], i, AckLevel::local);  // may be lost, may tear
  for (auto& node : nodes) node->power_cut();
  start_again();
  for (int i = 0; i < 30; ++i) expect_everywhere(i, SessionState::live);
}

TEST_F(JournalScenario, ARestartAsksForWhatItMissedAndForNothingElse) {
  start_all();
  for (int i = 0; i < 200; ++i) create(*nodes[0], i, AckLevel::one);
  world.run_for(100ms);
  nodes[2]->kill();
  ASSERT_TRUE(world.run_while_not([&] { return all_joined(2); }, 10s));
  for (int i = 200; i < 205; ++i) create(*nodes[0], i, AckLevel::one);
  nodes[2]->start(seeds());
  for (int i = 0; i < 200; ++i) EXPECT_EQ(nodes[2]->state_of(i), SessionState::live) << i;  // before any link
  start_again();
  expect_everywhere(204, SessionState::live);
  EXPECT_EQ(nodes[2]->cluster->replication().counters().snapshots_taken, 0u);
  EXPECT_EQ(nodes[2]->cluster->replication().counters().ops_applied, 5u);
}

TEST_F(JournalScenario, AGracefulStopOfAllLosesNothing) {
  start_all();
  for (int i = 0; i < 10; ++i) create(*nodes[i % 3], i, AckLevel::local);
  for (auto& node : nodes) {
    run(leave(*node->cluster, world.now() + 5s));
    node->stop();
  }
  start_again();
  for (int i = 0; i < 10; ++i) expect_everywhere(i, SessionState::live);
}

TEST_F(JournalScenario, WhereTheDiskIsFullTheNodeServesAndSaysThatTheLevelIsNotReached) {
  start_all();
  create(*nodes[0], 1, AckLevel::journal);
  disk(0).room = disk(0).used() + 50;  // a frame is torn
  EXPECT_FALSE(create(*nodes[0], 2, AckLevel::journal).at_level);
  EXPECT_FALSE(create(*nodes[0], 3, AckLevel::fsync).at_level);
  EXPECT_TRUE(create(*nodes[0], 4, AckLevel::one).at_level);
  EXPECT_EQ(nodes[0]->log->count("the journal cannot be written"), 1u);
  EXPECT_EQ(nodes[0]->log->count("No space left"), 1u);
  world.run_for(30s);
  EXPECT_EQ(nodes[0]->log->count("the journal cannot be written"), 1u);  // told once, tried often

  disk(0).room = SIZE_MAX;
  ASSERT_TRUE(world.run_while_not([&] { return nodes[0]->cluster->journal()->whole(); }, 10s));
  EXPECT_TRUE(create(*nodes[0], 5, AckLevel::fsync).at_level);
  // Also what the disk had not taken is there.
  for (auto& node : nodes) node->kill();
  nodes[1]->customize = nodes[2]->customize = nullptr;  // they have lost theirs
  start_again();
  for (int i = 1; i <= 5; ++i) expect_everywhere(i, SessionState::live);
}

TEST_F(JournalScenario, ADiskThatCannotBeWrittenAtTheStartIsNoReasonNotToServe) {
  for (auto& node : nodes) node->host.disk.failing = true;
  start_all();
  EXPECT_TRUE(create(*nodes[0], 1, AckLevel::one).at_level);
  EXPECT_FALSE(create(*nodes[0], 2, AckLevel::journal).at_level);
  for (auto& node : nodes) node->host.disk.failing = false;
  ASSERT_TRUE(world.run_while_not([&] { return nodes[0]->cluster->journal()->whole(); }, 10s));
  for (auto& node : nodes) node->kill();
  start_again();
  expect_everywhere(1, SessionState::live);
}

// The disk was not there when the node started, and what is on it was not read: it is left alone.
TEST_F(JournalScenario, FilesThatWereNotReadAreNotThrownAway) {
  start_all();
  create(*nodes[0], 1, AckLevel::journal);
  for (auto& node : nodes) node->kill();
  disk(0).gone = true;
  nodes[1]->customize = nodes[2]->customize = nullptr;
  start_again();
  expect_everywhere(1, SessionState::unknown);
  disk(0).gone = false;
  const auto files = disk(0).files;
  create(*nodes[0], 2, AckLevel::one);
  world.run_for(10s);
  EXPECT_EQ(disk(0).files, files);
  EXPECT_NE(nodes[0]->cluster->journal()->failing().find("restart it"), std::string::npos);
  nodes[0]->kill();
  start_again();
  expect_everywhere(1, SessionState::live);
  expect_everywhere(2, SessionState::live);
}

TEST_F(JournalScenario, ADiskThatIsFullForLongGetsNoMoreFiles) {
  start_all();
  create(*nodes[0], 1, AckLevel::journal);
  disk(0).room = disk(0).used() + 50;
  create(*nodes[0], 2, AckLevel::journal);
  world.run_for(10s);
  const size_t files = disk(0).files.size();
  world.run_for(60s);
  EXPECT_EQ(disk(0).files.size(), files);
}

// Snapshots take the place of older files, and their number is bounded, while the node restarts and writes.
TEST_F(JournalScenario, RestartsDoNotMakeTheFilesMore) {
  start_all();
  int session = 0;
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 5; ++i) create(*nodes[0], session++, AckLevel::journal);
    nodes[0]->kill();
    start_again();
  }
  EXPECT_LE(disk(0).files.size(), 12u);
  EXPECT_TRUE(std::any_of(disk(0).files.begin(), disk(0).files.end(), [](const auto& file) {
    return file.first.find("snapshot-") != std::string::npos;
  }));
  for (int i = 0; i < session; ++i) expect_everywhere(i, SessionState::live);
}

// Any byte of any file: no crash, no session that is not one, nothing ended that lives again, and what one
// disk has lost the others bring.
TEST_F(JournalScenario, ADamagedByteAnywhereIsMadeUpForByTheOthers) {
  start_all();
  for (int i = 0; i < 4; ++i) create(*nodes[0], i, AckLevel::journal);
  revoke(*nodes[0], 2, AckLevel::all);
  world.run_for(2s);
  nodes[0]->kill();
  ASSERT_TRUE(world.run_while_not([&] { return all_joined(2); }, 10s));
  const std::map<std::string, std::shared_ptr<sim::DiskState::File>> kept = disk(0).files;
  size_t total = disk(0).used(), step = std::max<size_t>(total / 40, 1);
  for (size_t at = 0; at < total; at += step) {
    size_t left = at;
    disk(0).files.clear();
    for (const auto& [path, file] : kept) {
      auto copy = std::make_shared<sim::DiskState::File>(*file);
      if (left < copy->written.size()) copy->written[left] ^= 0xff;
      left = left < copy->written.size() ? SIZE_MAX : left - (left == SIZE_MAX ? 0 : copy->written.size());
      disk(0).files[path] = copy;
    }
    start_again();
    for (int i = 0; i < 4; ++i) expect_everywhere(i, i == 2 ? SessionState::ended : SessionState::live);
    nodes[0]->kill();
    ASSERT_TRUE(world.run_while_not([&] { return all_joined(2); }, 10s));
  }
}

TEST_F(JournalScenario, AKeyIsChangedByOneRestartAndAWrongOneIsRefused) {
  start_all();
  create(*nodes[0], 1, AckLevel::journal);
  nodes[0]->kill();
  auto with = [&](crypto::Secret key, std::vector<crypto::Secret> old) {
    return [key, old](cluster::ClusterConfig& config) {
      config.journal.directory = kFolder;
      config.journal.key = key;
      config.journal.old_keys = old;
    };
  };
  nodes[0]->customize = with(kNewKey, {});
  auto refused = nodes[0]->try_start(seeds());
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("is sealed with the key"), std::string::npos)
      << refused.error().message();
  EXPECT_EQ(refused.error().message().find("5151"), std::string::npos);

  nodes[0]->customize = with(kNewKey, {kKey});
  nodes[0]->start(seeds());
  EXPECT_EQ(nodes[0]->state_of(1), SessionState::live);
}

TEST_F(JournalScenario, AFileUnderAnotherNameIsNoneOfThisJournal) {
  start_all();
  create(*nodes[0], 1, AckLevel::journal);
  nodes[0]->kill();
  start_again();
  create(*nodes[0], 2, AckLevel::journal);
  nodes[0]->kill();
  auto& files = disk(0).files;
  ASSERT_GE(files.size(), 2u);
  std::swap(files.begin()->second, std::next(files.begin())->second);
  start_again();
  EXPECT_GE(nodes[0]->log->count("it is another file"), 1u);
  for (int i : {1, 2}) expect_everywhere(i, SessionState::live);
}

// The clock went back a day: this life is later than the one before all the same.
TEST_F(JournalScenario, AClockThatWentBackMakesNoEarlierLife) {
  start_all();
  create(*nodes[0], 1, AckLevel::journal);
  const uint64_t before = nodes[0]->cluster->replication().self().incarnation;
  nodes[0]->kill();
  nodes[0]->host.wall_offset = -24h;
  start_again();
  EXPECT_GT(nodes[0]->cluster->replication().self().incarnation, before);
  EXPECT_TRUE(create(*nodes[0], 2, AckLevel::all).at_level);
  expect_everywhere(1, SessionState::live);
}

}  // namespace
}  // namespace kith
