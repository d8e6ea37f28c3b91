// The cache in Redis, where servers fail, move and lie. Real servers (redis_server.h); waits poll for what
// they wait for.
#include "cache/redis_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "cache/redis_map.h"
#include "real_loops.h"
#include "redis_server.h"

namespace kith::cache {
namespace {

using runtime::Loop;
using runtime::Task;

class Lines final : public LogSink {
 public:
  bool enabled(Level) const override { return true; }
  void write(Level, std::string_view, std::string_view message, std::span<const Field> fields) override {
    const std::lock_guard lock(mutex_);
    text_ += message;
    for (const Field& field : fields) text_ += " " + std::string(field.value());
    text_ += "\n";
  }
  size_t count(std::string_view what) const {
    const std::lock_guard lock(mutex_);
    size_t found = 0;
    for (size_t at = text_.find(what); at != std::string::npos; at = text_.find(what, at + 1)) ++found;
    return found;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

RedisConfig config_for(std::vector<RedisAddress> addresses) {
  RedisConfig config;
  config.addresses = std::move(addresses);
  config.encryption.current = crypto::Secret(Bytes(32, 7));
  config.command_timeout = 20s;  // the machine may be busy
  config.connect_timeout = 10s;
  return config;
}

// A cache on two loops, called from the test's thread.
class Client {
 public:
  using Got = Result<std::optional<Bytes>>;
  using Wrote = Result<CacheWrite>;

  explicit Client(RedisConfig config) {
    auto made = make_redis_cache(loops_.ports(), std::move(config), Log(lines, "cache"));
    EXPECT_TRUE(made);
    cache_ = std::move(*made);
  }
  ~Client() { loops_.stop(); }

  Got get(const std::string& key, Duration patience = 20s) {
    return call<Got>([&](Loop& here) { return cache_->get(here, key, Dot{}, here.now() + patience); });
  }
  Wrote set(const std::string& key, Bytes value) {
    return call<Wrote>(
        [&](Loop& here) { return cache_->set(here, key, std::move(value), std::nullopt, here.now() + 20s); });
  }
  std::optional<Bytes> value(const std::string& key) {
    auto got = get(key);
    EXPECT_TRUE(got) << got.error().message();
    return got ? *got : std::nullopt;
  }
  std::string error(const std::string& key) {
    auto got = get(key);
    EXPECT_FALSE(got);
    if (got) return {};
    EXPECT_EQ(got.error().code(), Code::unavailable);
    return got.error().message();
  }
  RedisStats stats() const { return cache_->stats(); }
  RedisCache& cache() { return *cache_; }
  RealLoops& loops() { return loops_; }

  std::shared_ptr<Lines> lines = std::make_shared<Lines>();

 private:
  template <class T>
  static Task<void> keep(Task<T> task, std::optional<T>* out) {
    out->emplace(co_await std::move(task));
  }
  template <class T>
  T call(std::function<Task<T>(Loop&)> make) {
    std::optional<T> out;
    loops_.start(0, [&](Loop& here) { return keep(make(here), &out); }).wait();
    return std::move(*out);
  }

  RealLoops loops_{2};
  std::unique_ptr<RedisCache> cache_;
};

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 6000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

std::string only_key(const RedisServer& server) {
  const resp::Reply keys = server.command({"KEYS", "*"});
  EXPECT_EQ(keys.items.size(), 1u);
  return keys.items.empty() ? "" : keys.items[0].text;
}

// ---------------------------------------------------------------- what Redis gets to see

TEST(RedisCache, ShowsRedisNeitherKeysNorValues) {
  RedisServer server;
  Client client(config_for({server.address()}));
  ASSERT_TRUE(client.set("/app/oidc:abc123", to_bytes("a secret value")));
  const std::string name = only_key(server);
  EXPECT_TRUE(name.starts_with("kith:"));
  EXPECT_EQ(name.find("abc123"), std::string::npos);
  EXPECT_EQ(server.command({"GET", name}).text.find("secret"), std::string::npos);
  EXPECT_NE(server.command({"CLIENT", "LIST"}).text.find("name=kith"), std::string::npos);
}

TEST(RedisCache, TakesAValueThatWasTamperedWithForNone) {
  RedisServer server;
  Client client(config_for({server.address()}));
  ASSERT_TRUE(client.set("a", {1, 2, 3}));
  const std::string name = only_key(server);
  const std::string good = server.command({"GET", name}).text;
  std::string flipped = good;
  flipped.back() = static_cast<char>(flipped.back() ^ 1);
  const std::string plain("\0abc", 4);
  for (const std::string& bad :
       {flipped, plain, std::string(), std::string("x"), std::string(1 << 20, 'x')}) {
    server.command({"SET", name, bad});
    EXPECT_EQ(client.value("a"), std::nullopt);
  }
  EXPECT_EQ(client.stats().unreadable, 5u);
  EXPECT_EQ(client.lines->count("cannot be opened"), 1u);
  server.command({"SET", name, good});
  EXPECT_EQ(client.value("a"), (Bytes{1, 2, 3}));
}

TEST(RedisCache, TakesAValueUnderAnotherNameForNone) {
  RedisServer server;
  Client client(config_for({server.address()}));
  ASSERT_TRUE(client.set("a", {1}));
  const std::string a = only_key(server);
  const std::string stored = server.command({"GET", a}).text;
  server.command({"DEL", a});
  ASSERT_TRUE(client.set("b", {2}));
  server.command({"SET", only_key(server), stored});
  EXPECT_EQ(client.value("b"), std::nullopt);
  EXPECT_EQ(client.stats().unreadable, 1u);
}

TEST(RedisCache, TakesWhatIsNoStringOrFarTooLargeForNoneAndReplacesIt) {
  RedisServer server;
  Client client(config_for({server.address()}));
  ASSERT_TRUE(client.set("a", {1}));
  const std::string name = only_key(server);
  server.command({"DEL", name});
  server.command({"LPUSH", name, "x"});
  EXPECT_EQ(client.value("a"), std::nullopt);
  server.command({"DEL", name});
  server.command({"SETRANGE", name, std::to_string(8 << 20), "x"});
  EXPECT_EQ(client.value("a"), std::nullopt);
  EXPECT_EQ(client.value("b"), std::nullopt);  // the client goes on
  EXPECT_EQ(client.stats().unreadable, 2u);
  ASSERT_TRUE(client.set("a", {2}));
  EXPECT_EQ(client.value("a"), Bytes{2});
}

TEST(RedisCache, ReadsOldKeysUntilTheyAreTakenAway) {
  RedisServer server;
  RedisConfig first = config_for({server.address()});
  RedisConfig second = first, third = first;
  second.encryption.old.push_back(std::exchange(second.encryption.current, crypto::Secret(Bytes(32, 8))));
  third.encryption.current = second.encryption.current;
  Client before(first), during(second), after(third);
  ASSERT_TRUE(before.set("a", {1}));
  EXPECT_EQ(during.value("a"), Bytes{1});
  EXPECT_EQ(after.value("a"), std::nullopt);
  ASSERT_TRUE(during.set("a", {2}));
  EXPECT_EQ(after.value("a"), Bytes{2});
  EXPECT_EQ(before.value("a"), std::nullopt);
}

// ---------------------------------------------------------------- servers that fail

TEST(RedisCache, FailsWhileTheServerIsDeadAndRecovers) {
  RedisServer server;
  Client client(config_for({server.address()}));
  ASSERT_TRUE(client.set("a", {1}));
  server.kill();
  EXPECT_NE(client.error("a").find("refused"), std::string::npos);
  EXPECT_NE(client.error("a").find(server.address().text()), std::string::npos);
  server.start();
  EXPECT_TRUE(eventually([&] { return client.set("a", {2}).has_value(); }));
  EXPECT_EQ(client.value("a"), Bytes{2});
  EXPECT_EQ(client.lines->count("cannot be used"), 1u);
  EXPECT_EQ(client.lines->count("can be used again"), 1u);
}

TEST(RedisCache, NoticesThatItsConnectionsDiedWhileTheyWereIdle) {
  RedisServer server;
  Client client(config_for({server.address()}));
  ASSERT_TRUE(client.set("a", {1}));
  server.kill();
  server.start();
  EXPECT_EQ(client.value("a"), std::nullopt);  // not an error
  server.command({"CLIENT", "KILL", "TYPE", "normal"});
  EXPECT_EQ(client.value("a"), std::nullopt);
}

TEST(RedisCache, EndsByItsDeadlineWhenTheServerHangs) {
  RedisServer server;
  Client client(config_for({server.address()}));
  ASSERT_TRUE(client.set("a", {1}));
  server.pause(true);
  auto got = client.get("a", 100ms);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), Code::unavailable);
  got = client.get("a", 100ms);  // over a new connection, which is not answered either
  ASSERT_FALSE(got);
  server.pause(false);
  EXPECT_EQ(client.value("a"), Bytes{1});
}

TEST(RedisCache, SaysWhatIsWrongWithALogin) {
  RedisServer server({"--requirepass", "sesame"});
  RedisConfig config = config_for({server.address()});
  Client nobody(config);
  EXPECT_NE(nobody.error("a").find("NOAUTH"), std::string::npos);
  config.password = crypto::Secret("wrong");
  Client wrong(config);
  EXPECT_NE(wrong.error("a").find("WRONGPASS"), std::string::npos);
  EXPECT_EQ(wrong.lines->count("wrong"), 0u);
  config.username = "nobody";
  Client unknown(config);
  EXPECT_NE(unknown.error("a").find("WRONGPASS"), std::string::npos);
  config.username = "default";
  config.password = crypto::Secret("sesame");
  Client right(config);
  EXPECT_TRUE(right.set("a", {1}));
}

TEST(RedisCache, SaysWhatAnOldServerSaysAboutALogin) {
  RedisServer server({"--rename-command", "HELLO", "", "--requirepass", "sesame"});
  RedisConfig config = config_for({server.address()});
  config.password = crypto::Secret("wrong");
  Client wrong(config);
  EXPECT_NE(wrong.error("a").find("WRONGPASS"), std::string::npos);
}

TEST(RedisCache, SaysWhatAUserMayNotDo) {
  RedisServer server({"--user", "kith", "on", ">sesame", "~kith:*", "+get"});
  RedisConfig config = config_for({server.address()});
  config.username = "kith";
  config.password = crypto::Secret("sesame");
  Client client(config);
  EXPECT_EQ(client.value("a"), std::nullopt);
  auto written = client.set("a", {1});
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().message().find("NOPERM"), std::string::npos);
}

TEST(RedisCache, FailsWhenTheServerHasNoRoom) {
  RedisServer server({"--maxmemory", "1", "--maxmemory-policy", "noeviction"});
  Client client(config_for({server.address()}));
  auto written = client.set("a", {1});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), Code::unavailable);
  EXPECT_NE(written.error().message().find("OOM"), std::string::npos);
}

TEST(RedisCache, UsesNoMoreConnectionsThanItMay) {
  RedisServer server;
  RedisConfig config = config_for({server.address()});
  config.pool_size = 2;
  Client client(config);
  std::atomic<int> good = 0;
  struct Body {
    static Task<void> run(RedisCache& cache, Loop& here, int task, std::atomic<int>& count) {
      const std::string key = std::to_string(task);
      const MonoTime deadline = here.now() + 20s;
      const Bytes value(1);
      auto written = co_await cache.set(here, key, value, std::nullopt, deadline);
      auto got = co_await cache.get(here, key, Dot{}, deadline);
      if (written && got && *got) ++count;
    }
  };
  std::vector<std::future<void>> ends;
  ends.reserve(100);
  for (int task = 0; task < 100; ++task) {
    ends.push_back(client.loops().start(
        0, [&, task](Loop& here) { return Body::run(client.cache(), here, task, good); }));
  }
  for (auto& end : ends) end.wait();
  EXPECT_EQ(good, 100);
  const std::string list = server.command({"CLIENT", "LIST"}).text;
  size_t named = 0;
  for (size_t found = list.find("name=kith"); found != std::string::npos;
       found = list.find("name=kith", found + 1))
    ++named;
  EXPECT_EQ(named, 2u);
}

TEST(RedisCache, TriesItsAddressesInTurn) {
  RedisServer dead, alive;
  dead.kill();
  Client client(config_for({dead.address(), alive.address()}));
  ASSERT_TRUE(client.set("a", {1}));
  EXPECT_EQ(client.value("a"), Bytes{1});
  alive.kill();
  EXPECT_FALSE(client.get("a"));
  dead.start();
  EXPECT_TRUE(eventually([&] { return client.set("a", {2}).has_value(); }));
}

TEST(RedisCache, UsesThePrimaryOfItsAddressesWhicheverItIs) {
  RedisServer one, other;
  const auto follow = [](RedisServer& replica, RedisServer& primary) {
    primary.command({"REPLICAOF", "NO", "ONE"});
    replica.command({"REPLICAOF", "127.0.0.1", std::to_string(primary.address().port)});
    EXPECT_TRUE(eventually([&] {
      return replica.command({"INFO", "replication"}).text.find("master_link_status:up") != std::string::npos;
    }));
  };
  follow(one, other);
  Client client(config_for({one.address(), other.address()}));
  EXPECT_EQ(client.value("a"), std::nullopt);
  ASSERT_TRUE(client.set("a", {1}));
  EXPECT_EQ(client.value("a"), Bytes{1});
  EXPECT_TRUE(eventually([&] { return one.command({"DBSIZE"}).number == 1; }));
  follow(other, one);
  ASSERT_TRUE(client.set("a", {2}));
  EXPECT_EQ(client.value("a"), Bytes{2});
  EXPECT_EQ(one.command({"DBSIZE"}).number, 1);
}

// ---------------------------------------------------------------- clusters

// Keys named by hand, so that a test knows their slots.
RedisConfig config_for(const RedisCluster& cluster) {
  RedisConfig config = config_for(cluster.addresses());
  config.hash_keys = false;
  return config;
}
uint16_t slot_in_redis(const std::string& key) { return slot_of("kith:" + key); }

TEST(RedisCache, FindsTheMastersOfAClusterFromAnyOneOfThem) {
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

TEST(RedisCache, FindsItsWayInAClusterThatKeepsItsMapFromIt) {
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

TEST(RedisCache, ReadsAndWritesWhileASlotMoves) {
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

TEST(RedisCache, GoesOnAtTheReplicaWhenAMasterDies) {
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

TEST(RedisCache, FailsOnlyWhereANodeOfAClusterIsDead) {
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
