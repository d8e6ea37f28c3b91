// The cache in Redis, where servers fail and lie. Real servers (redis_server.h); waits poll for what
// they wait for.
#include <gtest/gtest.h>

#include <atomic>

#include "redis_fixture.h"
#include "redis_server.h"

namespace kith::cache {
namespace {

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

}  // namespace
}  // namespace kith::cache
