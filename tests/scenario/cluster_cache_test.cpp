// Caches of a cluster in the simulator: what is decided at a key's home, and what is published.
#include <gtest/gtest.h>

#include "cache/cluster_cache.h"
#include "cache/executor.h"
#include "cache/pubsub.h"
#include "cluster_scenario.h"

namespace kith {
namespace {

using cache::Args;
using cluster::AckLevel;

struct CacheScenario : ClusterScenario {
  explicit CacheScenario(size_t count = 3) : ClusterScenario(count) { executors.resize(count); }

  void start_caches() {
    start_all();
    world.run_for(500ms);  // all have heard that all are ready
    for (size_t i = 0; i < nodes.size(); ++i) serve(i);
  }
  void serve(size_t i) {
    cluster::ReplicatedCache& cache = nodes[i]->cluster->cache();
    cache::Executor::serve(cache);
    executors[i] = std::make_unique<cache::Executor>(cache, "shared", AckLevel::local);
  }
  void kill(size_t i) {
    executors[i].reset();
    nodes[i]->kill();
  }

  runtime::Task<Bytes> asked(size_t node, std::vector<std::string> words, bool together = false) {
    cache::Batch batch;
    const std::vector<std::string_view> args(words.begin(), words.end());
    batch.add(0, args);
    co_return co_await executors[node]->run(nodes[node]->ports->loop, std::move(batch), resp::Protocol::resp2,
                                            together, {});
  }
  std::string ask(size_t node, std::vector<std::string> words) {
    return to_string(run(asked(node, std::move(words))));
  }
  NodeId home(size_t node, std::string_view key) {
    return nodes[node]->cluster->cache().home_of(store::key_of(cache::space_of("shared", 0), key));
  }
  size_t index_of(NodeId id) const {
    for (size_t i = 0; i < nodes.size(); ++i)
      if (nodes[i]->cluster && nodes[i]->cluster->id() == id) return i;
    return nodes.size();
  }
  static runtime::Task<bool> leave(cluster::Cluster& cluster, MonoTime deadline) {
    co_await cluster.leave(deadline);
    co_return true;
  }
  uint64_t content(size_t node) {
    return nodes[node]->cluster->cache().table().content_hash(world.wall_now(nodes[node]->host));
  }
  void block_both(size_t a, size_t b) {
    world.block(nodes[a]->host, nodes[b]->host);
    world.block(nodes[b]->host, nodes[a]->host);
  }

  std::vector<std::unique_ptr<cache::Executor>> executors;
};

TEST_F(CacheScenario, AllNodesAgreeOnTheHomeOfEachKeyAndShareThem) {
  start_caches();
  std::map<NodeId, int> keys;
  for (int i = 0; i < 300; ++i) {
    const std::string key = "k" + std::to_string(i);
    EXPECT_EQ(home(0, key), home(1, key));
    EXPECT_EQ(home(0, key), home(2, key));
    ++keys[home(0, key)];
  }
  ASSERT_EQ(keys.size(), 3u);
  for (const auto& [node, count] : keys) EXPECT_GT(count, 60);
}

TEST_F(CacheScenario, CountersOfAllNodesAtOnceAddUp) {
  start_caches();
  std::vector<std::optional<Bytes>> answers(90);
  runtime::Scope scope;
  for (size_t i = 0; i < answers.size(); ++i)
    scope.spawn(keep(asked(i % 3, {"INCR", "n" + std::to_string(i / 30)}), answers[i]));
  ASSERT_TRUE(world.run_while_not([&] { return scope.running() == 0; }, 30s));
  std::map<std::string, std::set<std::string>> seen;
  for (size_t i = 0; i < answers.size(); ++i)
    seen["n" + std::to_string(i / 30)].insert(to_string(*answers[i]));
  for (const auto& [key, replies] : seen) EXPECT_EQ(replies.size(), 30u) << key << ": each value once";
  for (size_t node = 0; node < 3; ++node) EXPECT_EQ(ask(node, {"INCRBY", "n1", "0"}), ":30\r\n");
}

// The home knows what this node wrote before it decides, although it was told over another road.
TEST_F(CacheScenario, AClientSeesItsOwnWritesWhereverTheyAreDecided) {
  start_caches();
  for (int i = 0; i < 50; ++i) {
    const std::string key = "k" + std::to_string(i);
    EXPECT_EQ(ask(0, {"SET", key, "7"}), "+OK\r\n");
    EXPECT_EQ(ask(0, {"INCR", key}), ":8\r\n") << key;
    EXPECT_EQ(ask(0, {"GET", key}), "$1\r\n8\r\n") << key;
    EXPECT_EQ(ask(0, {"SET", key, "1", "NX"}), "$-1\r\n");
  }
}

// A transaction is carried out at the home of its first key, and finds there what other homes have decided.
TEST_F(CacheScenario, ATransactionKnowsWhatItsClientWasToldByOtherHomes) {
  start_caches();
  std::array<std::string, 3> keys;
  for (int i = 0; keys[0].empty() || keys[1].empty() || keys[2].empty(); ++i)
    keys[index_of(home(0, std::to_string(i)))] = std::to_string(i);
  // What the home of keys[1] writes reaches the home of keys[2] late.
  world.block(nodes[1]->host, nodes[2]->host);
  EXPECT_EQ(ask(0, {"INCR", keys[1]}), ":1\r\n");
  cache::Batch batch;
  const std::vector<std::string_view> first = {"INCR", keys[2]}, second = {"INCR", keys[1]};
  batch.add(0, first);
  batch.add(0, second);
  std::optional<Bytes> answer;
  runtime::Scope scope;
  scope.spawn(keep(
      executors[0]->run(nodes[0]->ports->loop, std::move(batch), resp::Protocol::resp2, true, {}), answer));
  world.run_for(200ms);
  EXPECT_FALSE(answer);
  world.heal();
  ASSERT_TRUE(world.run_while_not([&] { return answer.has_value(); }, 10s));
  EXPECT_EQ(to_string(*answer), ":1\r\n:2\r\n");
}

TEST_F(CacheScenario, WhenAHomeDiesAnotherDecidesAndNothingThatWasConfirmedIsLost) {
  start_caches();
  for (int i = 0; i < 30; ++i) EXPECT_EQ(ask(0, {"INCR", "k" + std::to_string(i)}), ":1\r\n");
  world.run_for(100ms);
  kill(2);
  // Until that is known, who asks it is told that it may be done; then others are asked.
  ASSERT_TRUE(world.run_while_not([&] { return all_joined(2); }, 20s));
  for (int i = 0; i < 30; ++i) EXPECT_EQ(ask(1, {"INCR", "k" + std::to_string(i)}), ":2\r\n");
}

TEST_F(CacheScenario, AHomeThatDoesNotAnswerIsAnErrorThatSaysSo) {
  start_caches();
  std::string key;
  for (int i = 0; key.empty(); ++i)
    if (index_of(home(0, std::to_string(i))) == 1) key = std::to_string(i);
  block_both(0, 1);
  block_both(2, 1);
  const std::string answer = ask(0, {"INCR", key});
  EXPECT_TRUE(answer.starts_with("-UNCERTAIN ")) << answer;
  ASSERT_TRUE(world.run_while_not([&] { return index_of(home(0, key)) != 1; }, 20s));
  EXPECT_EQ(ask(0, {"INCR", key}).substr(0, 1), ":");
}

TEST_F(CacheScenario, SidesOfASplitBecomeOneWithTheLaterWrites) {
  start_caches();
  block_both(0, 1);
  block_both(0, 2);
  ASSERT_TRUE(world.run_while_not(
      [&] {
        return nodes[0]->cluster->membership().live_members() == 1 &&
               nodes[1]->cluster->membership().live_members() == 2;
      },
      30s));
  ask(0, {"SET", "a", "zero"});
  ask(0, {"SET", "only", "zero"});
  world.run_for(1s);
  ask(1, {"SET", "a", "one"});
  EXPECT_EQ(ask(1, {"FLUSHALL"}), "+OK\r\n");
  ask(1, {"SET", "after", "one"});
  world.heal();
  ASSERT_TRUE(world.run_while_not([&] { return all_joined(3); }, 60s));
  world.run_for(5s);
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_EQ(content(node), content(0));
    EXPECT_EQ(ask(node, {"GET", "a"}), "$-1\r\n");
    EXPECT_EQ(ask(node, {"GET", "only"}), "$-1\r\n");
    EXPECT_EQ(ask(node, {"GET", "after"}), "$3\r\none\r\n");
  }
}

TEST_F(CacheScenario, ANodeThatComesHasAllAndIsNotAskedBefore) {
  start_caches();
  for (int i = 0; i < 200; ++i) ask(0, {"SET", std::to_string(i), "v"});
  world.run_for(100ms);
  kill(2);
  ASSERT_TRUE(world.run_while_not([&] { return all_joined(2); }, 20s));
  nodes[2]->start(seeds());
  serve(2);
  EXPECT_FALSE(executors[2]->ready());
  ASSERT_TRUE(world.run_while_not([&] { return all_joined(3); }, 20s));
  for (int i = 0; i < 200; ++i) EXPECT_EQ(ask(2, {"GET", std::to_string(i)}), "$1\r\nv\r\n");
}

TEST_F(CacheScenario, WhatAMemberAsksThatIsMalformedIsRefusedAndTheLinkStays) {
  start_caches();
  auto send = [&](Bytes request) {
    cluster::ReplicatedCache& cache = nodes[0]->cluster->cache();
    return run(cache.calls().ask(nodes[1]->cluster->id(), cluster::Service::cache_commands,
                                 std::move(request), world.now() + 5s));
  };
  EXPECT_EQ(send({}).error().code(), Code::protocol);
  EXPECT_EQ(send(Bytes(100, 0xff)).error().code(), Code::protocol);
  Bytes unknown;
  Writer out(unknown);
  out.string("shared");
  out.u8(2);
  out.u8(0);
  out.varint(1000);  // ms
  out.varint(0);     // nothing is known
  cache::Batch batch;
  const std::vector<std::string_view> args = {"NOSUCH", "x"};
  batch.add(0, args);
  out.raw(batch.view());
  EXPECT_EQ(send(unknown).error().code(), Code::protocol);
  auto nobody = run(nodes[0]->cluster->cache().calls().ask(nodes[1]->cluster->id(), cluster::Service{99}, {},
                                                           world.now() + 5s));
  EXPECT_EQ(nobody.error().code(), Code::unavailable);
  auto large =
      run(nodes[0]->cluster->cache().calls().ask(nodes[1]->cluster->id(), cluster::Service::cache_commands,
                                                 Bytes(cluster::Calls::kMaxRequest + 1), world.now() + 5s));
  EXPECT_EQ(large.error().code(), Code::limit);
  EXPECT_TRUE(all_joined(3));
  EXPECT_EQ(ask(0, {"INCR", "n"}), ":1\r\n");
}

// Each node counts for itself how often another went down, and none for itself.
TEST_F(CacheScenario, AllAgreeOnHomesAlsoOfAMemberThatWentDownOften) {
  start_all();
  for (int crash = 0; crash < 3; ++crash) {
    nodes[2]->kill();
    world.run_for(1s);
    nodes[2]->start(seeds());
    ASSERT_TRUE(world.run_while_not([&] { return all_joined(3); }, 20s));
  }
  world.run_for(500ms);
  const auto members = nodes[0]->cluster->membership().members();
  ASSERT_TRUE(std::any_of(members.begin(), members.end(), [](const auto& one) { return one.damped; }));
  for (int i = 0; i < 100; ++i) {
    const std::string key = "k" + std::to_string(i);
    EXPECT_EQ(home(0, key), home(1, key));
    EXPECT_EQ(home(0, key), home(2, key));
  }
}

// Both go over one link.
TEST_F(CacheScenario, AWriteDoesNotWaitBehindWhatIsPublished) {
  start_all();
  constexpr size_t kWords = 100, kSize = 30 << 10;
  size_t heard = 0;
  nodes[1]->cluster->cache().calls().hear(cluster::Service::publish, [&](NodeId, ByteView) { ++heard; });
  world.block(nodes[0]->host, nodes[1]->host);
  for (size_t i = 0; i < kWords; ++i)
    nodes[0]->cluster->cache().calls().tell(nodes[1]->cluster->id(), cluster::Service::publish, Bytes(kSize));
  create(*nodes[0], 1, AckLevel::local);
  world.run_for(50ms);
  world.heal();
  ASSERT_TRUE(world.run_while_not([&] { return nodes[1]->state_of(1) == cluster::SessionState::live; }, 10s));
  EXPECT_LT(heard, kWords / 2);
  ASSERT_TRUE(world.run_while_not([&] { return heard == kWords; }, 10s));
}

// Words, of which nobody asks what became of them, are dropped; nothing else is.
TEST_F(CacheScenario, AMemberThatTakesNothingIsToldNoMoreThanSoMuch) {
  start_all();
  size_t heard = 0;
  nodes[1]->cluster->cache().calls().hear(cluster::Service::publish, [&](NodeId, ByteView) { ++heard; });
  world.block(nodes[0]->host, nodes[1]->host);
  for (size_t i = 0; i < 1000; ++i)
    nodes[0]->cluster->cache().calls().tell(nodes[1]->cluster->id(), cluster::Service::publish,
                                            Bytes(10 << 10));
  world.heal();
  create(*nodes[0], 1, AckLevel::all);
  world.run_for(2s);
  EXPECT_GT(heard * (10 << 10), cluster::Calls::kMaxQueue - (1 << 20));
  EXPECT_LE(heard * (10 << 10), cluster::Calls::kMaxQueue + (1 << 20));
}

TEST_F(CacheScenario, WhatIsPublishedReachesTheSubscribersOfAllNodesInOrder) {
  start_all();
  std::vector<std::unique_ptr<cache::PubSub>> hubs;
  std::vector<std::vector<std::string>> got(3);
  std::vector<cache::PubSub::Box> boxes;
  for (size_t i = 0; i < 3; ++i) {
    hubs.push_back(std::make_unique<cache::PubSub>(nodes[i]->cluster->cache()));
    boxes.push_back(std::make_shared<cache::Mailbox>(
        nodes[i]->ports->loop, [&got, i](const cache::Publication& publication, const std::string* pattern) {
          got[i].push_back((pattern ? *pattern + " " : "") + publication.channel + "=" + publication.payload);
        }));
  }
  hubs[1]->subscribe("shared", "news", boxes[1]);
  hubs[2]->subscribe_pattern("shared", "n*", boxes[2]);
  hubs[2]->subscribe("other", "news", boxes[2]);
  EXPECT_EQ(hubs[0]->publish("shared", {"news", "1"}), 0u);
  EXPECT_EQ(hubs[1]->publish("shared", {"news", "own"}), 1u);
  world.run_for(100ms);
  for (int i = 2; i < 10; ++i) hubs[0]->publish("shared", {"news", std::to_string(i)});
  world.run_for(100ms);
  ASSERT_EQ(got[1].size(), 10u);
  EXPECT_EQ(got[1].back(), "news=9");
  EXPECT_TRUE(std::is_sorted(got[1].begin() + 2, got[1].end()));
  ASSERT_EQ(got[2].size(), 10u);
  EXPECT_EQ(got[2].back(), "n* news=9");
  EXPECT_TRUE(got[0].empty());
  hubs[1]->unsubscribe("shared", "news", boxes[1]);
  hubs[0]->publish("shared", {"news", "late"});
  world.run_for(100ms);
  EXPECT_EQ(got[1].size(), 10u);
  for (auto& node : nodes) node->kill();  // before what they tell of goes
}

TEST_F(CacheScenario, AModesCacheReadsWhatWasWrittenElsewhereByItsPosition) {
  start_all();
  std::vector<std::unique_ptr<cache::Cache>> caches;
  for (auto& node : nodes)
    caches.push_back(cache::make_cluster_cache(node->cluster->cache(), "shared", AckLevel::local));
  for (int i = 0; i < 20; ++i) {
    auto write = run(caches[0]->set(nodes[0]->ports->loop, "k", Bytes{static_cast<uint8_t>(i)}, std::nullopt,
                                    world.now() + 1s));
    ASSERT_TRUE(write);
    auto read = run(caches[1]->get(nodes[1]->ports->loop, "k", write->position, world.now() + 1s));
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, Bytes{static_cast<uint8_t>(i)});
  }
  Dot never = {nodes[0]->cluster->replication().self(), 1'000'000};
  EXPECT_EQ(run(caches[1]->get(nodes[1]->ports->loop, "k", never, world.now() + 1s)).error().code(),
            Code::timeout);
}

}  // namespace
}  // namespace kith
