// The cache in a Redis Cluster, where nodes die and slots move. Real servers (redis_server.h); waits poll for
// what they wait for.
#include <gtest/gtest.h>

#include <array>
#include <atomic>

#include "cache/redis_map.h"
#include "redis_fixture.h"
#include "redis_server.h"

namespace kith::cache {
namespace {

// Keys named by hand, so that a test knows their slots.
RedisConfig config_for(const RedisCluster& cluster) {
  RedisConfig config = config_for(cluster.addresses());
  config.hash_keys = false;
  return config;
}
uint16_t slot_in_redis(const std::string& key) { return slot_of("kith:" + key); }

TEST(RedisClusterCache, FindsTheMastersOfAClusterFromAnyOneOfThem) {
  RedisCluster cluster;
  RedisConfig config = config_for(cluster);
  config.addresses.resize(1);
  Client client(config);
  std::array<int, 3> keys{};
  for (int i = 0; i < 30; ++i) {
    const std::string key = "key" + std::to_string(i);
    ASSERT_TRUE(client.set(key, {static_cast<uint8_t>(i)}));
    EXPECT_EQ(client.value(key), Bytes{static_cast<uint8_t>(i)});
    ++keys[cluster.owner_of(slot_in_redis(key))];
  }
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_GT(keys[i], 0);
    EXPECT_EQ(cluster.master(i).command({"DBSIZE"}).number, keys[i]);
  }
}

TEST(RedisClusterCache, FindsItsWayInAClusterThatKeepsItsMapFromIt) {
  RedisCluster cluster;
  for (size_t i = 0; i < 3; ++i) {
    cluster.master(i).command({"ACL", "SETUSER", "kith", "on", ">sesame", "~kith:*", "+get", "+set", "+del"});
  }
  RedisConfig config = config_for(cluster);
  config.username = "kith";
  config.password = crypto::Secret("sesame");
  Client client(config);
  for (int i = 0; i < 30; ++i) {
    const std::string key = "key" + std::to_string(i);
    ASSERT_TRUE(client.set(key, {1}));
    EXPECT_EQ(client.value(key), Bytes{1});
  }
}

// Reads and writes some keys for as long as it is told to.
struct Traffic {
  std::atomic<bool> on = true;
  std::atomic<int> rounds = 0;
  std::atomic<int> failures = 0;

  static Task<void> run(RedisCache& cache, Loop& here, std::vector<std::string> keys, Traffic& traffic) {
    for (uint8_t round = 0; traffic.on; ++round) {
      for (const std::string& key : keys) {
        Bytes value(2, round);
        const MonoTime deadline = here.now() + 20s;
        auto written = co_await cache.set(here, key, value, std::nullopt, deadline);
        auto got = co_await cache.get(here, key, Dot{}, deadline);
        EXPECT_TRUE(written) << written.error().message();
        EXPECT_TRUE(got) << got.error().message();
        if (!written || !got || *got != value) ++traffic.failures;
      }
      ++traffic.rounds;
    }
  }
};

TEST(RedisClusterCache, ReadsAndWritesWhileASlotMoves) {
  RedisCluster cluster;
  Client client(config_for(cluster));
  const std::vector<std::string> keys = {"{tag}1", "{tag}2", "{tag}3"};
  const uint16_t slot = slot_in_redis(keys[0]);
  const size_t from = cluster.owner_of(slot), to = (from + 1) % 3;
  RedisServer &source = cluster.master(from), &target = cluster.master(to);
  Traffic traffic;
  std::vector<std::future<void>> ends;
  ends.reserve(2);
  for (size_t loop = 0; loop < 2; ++loop) {
    ends.push_back(client.loops().start(loop, [&, loop](Loop& here) {
      std::vector<std::string> own;
      own.reserve(keys.size());
      for (const std::string& key : keys) own.push_back(key + (loop == 0 ? "a" : "b"));
      return Traffic::run(client.cache(), here, own, traffic);
    }));
  }
  const auto some_rounds = [&] {
    const int seen = traffic.rounds;
    EXPECT_TRUE(eventually([&] { return traffic.rounds > seen + 10; }));
  };
  some_rounds();
  const std::string number = std::to_string(slot);
  EXPECT_EQ(target.command({"CLUSTER", "SETSLOT", number, "IMPORTING", cluster.id_of(source)}).text, "OK");
  EXPECT_EQ(source.command({"CLUSTER", "SETSLOT", number, "MIGRATING", cluster.id_of(target)}).text, "OK");
  some_rounds();  // what is gone is asked for with ASK
  const std::string port = std::to_string(target.address().port);
  for (const std::string& key : keys) {
    for (const char* end : {"a", "b"})
      source.command({"MIGRATE", "127.0.0.1", port, "kith:" + key + end, "0", "5000"});
    some_rounds();
  }
  for (RedisServer* server : {&target, &source})
    EXPECT_EQ(server->command({"CLUSTER", "SETSLOT", number, "NODE", cluster.id_of(target)}).text, "OK");
  some_rounds();
  traffic.on = false;
  for (auto& end : ends) end.wait();
  EXPECT_EQ(traffic.failures, 0);
  EXPECT_EQ(source.command({"CLUSTER", "COUNTKEYSINSLOT", number}).number, 0);
  EXPECT_EQ(target.command({"CLUSTER", "COUNTKEYSINSLOT", number}).number, 6);
}

TEST(RedisClusterCache, GoesOnAtTheReplicaWhenAMasterDies) {
  RedisCluster cluster;
  const std::string key = "a";
  const size_t owner = cluster.owner_of(slot_in_redis(key));
  const auto replica = cluster.add_replica(owner);
  Client client(config_for(cluster));
  ASSERT_TRUE(client.set(key, {1}));
  EXPECT_TRUE(eventually([&] { return replica->command({"DBSIZE"}).number == 1; }));
  cluster.master(owner).kill();
  std::optional<Bytes> seen;
  EXPECT_TRUE(eventually([&] {
    auto got = client.get(key);
    if (got) seen = *got;
    return got.has_value();
  }));
  EXPECT_EQ(seen, Bytes{1});
  EXPECT_TRUE(client.set(key, {2}));
  EXPECT_EQ(client.value(key), Bytes{2});
}

TEST(RedisClusterCache, FailsOnlyWhereANodeOfAClusterIsDead) {
  RedisCluster cluster;
  for (size_t i = 0; i < 3; ++i)
    cluster.master(i).command({"CONFIG", "SET", "cluster-require-full-coverage", "no"});
  Client client(config_for(cluster));
  std::vector<std::string> keys;
  keys.reserve(30);
  for (int i = 0; i < 30; ++i) keys.push_back("key" + std::to_string(i));
  for (const std::string& key : keys) ASSERT_TRUE(client.set(key, {1}));
  cluster.master(1).kill();
  for (const std::string& key : keys)
    EXPECT_EQ(client.get(key).has_value(), cluster.owner_of(slot_in_redis(key)) != 1) << key;
}

}  // namespace
}  // namespace kith::cache
