// Pre-shared keys that rotate while the cluster works: links are made anew under load, members are absent,
// late, misconfigured, or restart in the middle.
#include <gtest/gtest.h>

#include "client.h"
#include "cluster_node.h"
#include "runtime/sync.h"

namespace kith {
namespace {

using cluster::AckLevel;
using cluster::SessionState;
using runtime::Task;

crypto::Secret psk(int number) {
  crypto::Digest digest = crypto::sha256(as_bytes("psk " + std::to_string(number)));
  return crypto::Secret(Bytes(digest.begin(), digest.end()));
}
KeyId name(int number) { return mesh::MeshKey::derive(psk(number)).id; }

struct Rotating : testing::Test {
  Rotating() {
    for (char letter : {'a', 'b', 'c', 'd'}) {
      nodes.push_back(std::make_unique<ClusterNode>(world, std::string(1, letter)));
      nodes.back()->rotation = {.grace = 1s, .patience = 0ns};
    }
  }
  void start(ClusterNode& node, const std::vector<int>& keys) {
    std::vector<Multiaddr> seeds;
    for (const auto& other : nodes) seeds.push_back(Multiaddr::from({other->host.address, 9450}));
    std::vector<crypto::Secret> psks;
    for (int key : keys) psks.push_back(psk(key));
    node.start(std::move(seeds), std::move(psks));
  }
  void start_all(const std::vector<int>& keys = {1}) {
    for (auto& node : nodes) start(*node, keys);
    ASSERT_TRUE(world.run_while_not([&] { return all_joined(nodes.size()); }, 20s));
  }
  void give(ClusterNode& node, int key) {
    auto given = node.cluster->reload_keys({psk(key)});
    ASSERT_TRUE(given) << given.error().message();
  }
  bool all_joined(size_t members) const {
    for (const auto& node : nodes) {
      if (!node->cluster) continue;
      if (!node->ready() || node->cluster->membership().live_members() != members ||
          node->cluster->replication().peers() != members - 1)
        return false;
    }
    return true;
  }
  // Every running node holds this key alone, and every link was made with it.
  bool all_on(int key) const {
    for (const auto& node : nodes) {
      if (!node->cluster) continue;
      if (node->cluster->keyring().size() != 1 || node->cluster->keyring().offered().id != name(key) ||
          node->cluster->keys_in_use() != std::set<KeyId>{name(key)})
        return false;
    }
    return true;
  }
  void nobody_was_lost() {
    for (const auto& node : nodes) {
      EXPECT_EQ(node->log->count("member is gone"), 0u) << node->name;
      EXPECT_EQ(node->log->count("not reachable"), 0u) << node->name;
    }
  }
  bool offers(size_t node, int key) const {
    return nodes[node]->cluster->keyring().offered().id == name(key);
  }

  sim::World world{11};
  std::vector<std::unique_ptr<ClusterNode>> nodes;
  int written = 0, not_at_level = 0, forwarded = 0, broken = 0;
  bool stop = false;

  // Sessions that every member must acknowledge, over the urgent links.
  Task<void> write_sessions() {
    while (!stop) {
      ClusterNode& node = *nodes[static_cast<size_t>(written) % nodes.size()];
      cluster::SessionRecord record = node.record("alice");
      auto write = co_await node.cluster->sessions().create(
          node.ports->loop, key_of(++written), std::move(record), AckLevel::all, world.now() + 5s);
      if (!write || !write->at_level) ++not_at_level;
      co_await runtime::sleep(node.ports->loop, 10ms);
    }
  }
  // Requests with bodies of many frames, over the bulk links.
  Task<void> forward_requests() {
    while (!stop) {
      ClusterNode& from = *nodes[static_cast<size_t>(forwarded) % nodes.size()];
      ClusterNode& to = *nodes[static_cast<size_t>(forwarded + 1) % nodes.size()];
      ++forwarded;
      std::string body(50'000, static_cast<char>('a' + forwarded % 26));
      std::string expected = to.name + " /echo " + body;
      Client client(std::move(body));
      auto done = co_await from.cluster->forwarder().forward(from.ports->loop, client, to.cluster->id(),
                                                             world.now() + 5s);
      if (!done || !client.finished || client.text != expected) ++broken;
      co_await runtime::sleep(from.ports->loop, 10ms);
    }
  }
};

TEST_F(Rotating, TenTimesUnderLoadNothingIsLostOrOutOfOrder) {
  start_all();
  runtime::Scope load;
  load.spawn(write_sessions());
  for (int i = 0; i < 3; ++i) load.spawn(forward_requests());
  for (int key = 2; key <= 11; ++key) {
    for (auto& node : nodes) {
      give(*node, key);
      world.run_for(Duration(1ms) * world.random().below(300));
    }
    ASSERT_TRUE(world.run_while_not([&] { return all_on(key); }, 60s)) << key;
  }
  stop = true;
  bool done = false;
  struct Close {
    static Task<void> run(runtime::Scope& scope, bool& flag) {
      co_await scope.close();
      flag = true;
    }
  };
  runtime::Scope closing;
  closing.spawn(Close::run(load, done));
  ASSERT_TRUE(world.run_while_not([&] { return done; }, 60s));
  EXPECT_GT(written, 500);
  EXPECT_GT(forwarded, 1000);
  EXPECT_EQ(not_at_level, 0);
  EXPECT_EQ(broken, 0);
  nobody_was_lost();
  for (const auto& node : nodes) EXPECT_GT(node->cluster->link_counters().renewed, 60u) << node->name;
}

TEST_F(Rotating, ALateMemberHoldsTheOthersBackAndLosesNothing) {
  start_all();
  for (size_t i = 0; i < 3; ++i) give(*nodes[i], 2);
  world.run_for(30s);
  for (size_t i = 0; i < 4; ++i) EXPECT_TRUE(offers(i, 1)) << i;
  EXPECT_EQ(nodes[0]->log->count("waiting until every member holds the new key"),
            3u);  // d, c, b came to know
  EXPECT_GE(nodes[0]->log->count("without=d"), 1u);
  give(*nodes[3], 2);
  EXPECT_TRUE(world.run_while_not([&] { return all_on(2); }, 20s));
  nobody_was_lost();
}

TEST_F(Rotating, AMisconfiguredMemberKeepsAllOnTheOldKeyAndIsNamed) {
  start_all();
  for (size_t i = 0; i < 3; ++i) give(*nodes[i], 2);
  give(*nodes[3], 99);
  world.run_for(30s);
  for (size_t i = 0; i < 4; ++i) EXPECT_TRUE(offers(i, 1)) << i;
  EXPECT_GE(nodes[0]->log->count("without=d"), 1u);
  EXPECT_TRUE(all_joined(4));
  give(*nodes[3], 2);
  EXPECT_TRUE(world.run_while_not([&] { return all_on(2); }, 20s));
  nobody_was_lost();
}

TEST_F(Rotating, AnAbsentMemberWithTheOldKeyAloneIsRefusedByNameOnBothSidesAndComesBackWithTheNewOne) {
  start_all();
  nodes[3]->kill();
  ASSERT_TRUE(world.run_while_not([&] { return all_joined(3); }, 10s));
  for (size_t i = 0; i < 3; ++i) give(*nodes[i], 2);
  ASSERT_TRUE(world.run_while_not([&] { return all_on(2); }, 20s));
  start(*nodes[3], {1});
  world.run_for(20s);
  EXPECT_EQ(nodes[3]->cluster->membership().live_members(), 1u);
  EXPECT_GE(nodes[3]->log->count("a peer refused our mesh connection"), 1u);
  EXPECT_GE(nodes[3]->log->count("reason=retired_key"), 1u);
  EXPECT_GE(nodes[0]->log->count("reason=retired_key"), 1u);
  give(*nodes[3], 2);
  EXPECT_TRUE(world.run_while_not([&] { return all_joined(4); }, 90s));
}

TEST_F(Rotating, MembersThatRestartInTheMiddleWithBothKeysComeBackAtOnce) {
  start_all();
  for (size_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(nodes[0]->cluster->reload_keys({psk(1)}));
    nodes[i]->kill();
    world.run_for(1s);
    start(*nodes[i], {2, 1});  // the new key first: it meets members that have only the old one
    ASSERT_TRUE(world.run_while_not([&] { return all_joined(4); }, 20s)) << i;
  }
  EXPECT_TRUE(world.run_while_not([&] { return offers(1, 2) && offers(3, 2); }, 20s));
}

TEST_F(Rotating, CookiesAreSignedWithAKeyThatEveryMemberHoldsAndReadableEverywhereAtEveryMoment) {
  start_all();
  const auto holds = [](const cluster::CookieKeys::List& keys, const crypto::Secret& key) {
    return std::any_of(keys.begin(), keys.end(), [&](const crypto::Secret& one) {
      return crypto::equal_constant_time(one.reveal(), key.reveal());
    });
  };
  std::vector<crypto::Secret> signed_with;  // every key that ever signed
  const auto look = [&] {
    for (const auto& signer : nodes) {
      const crypto::Secret key = signer->cluster->cookie_keys()->current()->front();
      if (!holds(signed_with, key)) signed_with.push_back(key);
    }
    for (const auto& reader : nodes) {
      const auto keys = reader->cluster->cookie_keys()->current();
      for (const crypto::Secret& key : signed_with) EXPECT_TRUE(holds(*keys, key)) << reader->name;
    }
  };
  for (int key = 2; key <= 5; ++key) {
    for (auto& node : nodes) {
      give(*node, key);
      for (int i = 0; i < 50; ++i) {
        look();
        world.run_for(10ms);
      }
    }
    ASSERT_TRUE(world.run_while_not([&] { return all_on(key); }, 20s));
    look();
  }
  EXPECT_EQ(signed_with.size(), 5u);
}

TEST_F(Rotating, WithAPatienceAMemberThatNeverGetsTheNewKeyIsCutOff) {
  for (auto& node : nodes) node->rotation.patience = 30s;
  start_all();
  for (size_t i = 0; i < 3; ++i) give(*nodes[i], 2);
  world.run_for(25s);
  EXPECT_TRUE(all_joined(4));
  world.run_for(60s);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(offers(i, 2));
    EXPECT_EQ(nodes[i]->cluster->membership().live_members(), 3u);
    EXPECT_EQ(nodes[i]->cluster->keyring().size(), 1u);
  }
  EXPECT_GE(nodes[3]->log->count("reason=retired_key"), 1u);
}

}  // namespace
}  // namespace kith
