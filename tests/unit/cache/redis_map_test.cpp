#include "cache/redis_map.h"

#include <gtest/gtest.h>

namespace kith::cache {
namespace {

using resp::Reply;
using Type = Reply::Type;

const RedisAddress kAsked{"10.0.0.1", 7000};

Reply number(int64_t value) { return {.type = Type::integer, .number = value}; }
Reply text(std::string value) { return {.type = Type::bulk, .text = std::move(value)}; }
Reply list(std::vector<Reply> items) { return {.type = Type::array, .items = std::move(items)}; }
Reply range(int64_t first, int64_t last, Reply host, int64_t port) {
  return list({number(first), number(last), list({std::move(host), number(port), text("id"), list({})})});
}
Reply error(std::string words) { return {.type = Type::error, .text = std::move(words)}; }

TEST(RedisMap, FindsTheSlotsThatTheSpecificationNames) {
  EXPECT_EQ(slot_of("123456789"), 0x31C3);
  EXPECT_EQ(slot_of(""), 0);
  EXPECT_EQ(slot_of("foo"), 12182);
  EXPECT_EQ(slot_of(std::string("\xff\0", 2)), slot_of(std::string("{\xff\0}", 4)));
}

TEST(RedisMap, HashesTheTagOfAKey) {
  EXPECT_EQ(slot_of("{user1000}.following"), slot_of("user1000"));
  EXPECT_EQ(slot_of("foo{bar}{zap}"), slot_of("bar"));
  EXPECT_EQ(slot_of("foo{{bar}}zap"), slot_of("{bar"));
  EXPECT_NE(slot_of("foo{}{bar}"), slot_of("bar"));
  EXPECT_NE(slot_of("foo{bar"), slot_of("bar"));
}

TEST(RedisMap, ReadsTheRangesOfACluster) {
  auto ranges = parse_slots(
      list({range(0, 5460, text("10.0.0.2"), 7001), range(5461, 16383, text("r.example"), 6379)}), kAsked);
  ASSERT_TRUE(ranges);
  ASSERT_EQ(ranges->size(), 2u);
  EXPECT_EQ((*ranges)[0].last, 5460);
  EXPECT_EQ((*ranges)[1].master, (RedisAddress{"r.example", 6379}));
}

TEST(RedisMap, TakesTheHostThatWasAskedForOneThatIsNotKnown) {
  for (const Reply& host : {Reply{}, text(""), text("?")}) {
    auto ranges = parse_slots(list({range(0, 1, host, 7001)}), kAsked);
    ASSERT_TRUE(ranges);
    EXPECT_EQ((*ranges)[0].master, (RedisAddress{"10.0.0.1", 7001}));
  }
}

TEST(RedisMap, RefusesAMapThatMakesNoSense) {
  const std::vector<Reply> maps = {text("x"),
                                   list({number(1)}),
                                   list({list({number(0), number(1)})}),
                                   list({range(0, 16384, text("a"), 1)}),
                                   list({range(-1, 1, text("a"), 1)}),
                                   list({range(2, 1, text("a"), 1)}),
                                   list({range(0, 1, text("a"), 0)}),
                                   list({range(0, 1, text("a"), 65536)}),
                                   list({range(0, 1, text("a b"), 1)}),
                                   list({range(0, 1, number(1), 1)}),
                                   list({list({text("0"), number(1), list({text("a"), number(1)})})})};
  for (const Reply& map : maps) EXPECT_FALSE(parse_slots(map, kAsked));
  std::vector<Reply> many;
  for (int i = 0; i <= static_cast<int>(kMaxRedisNodes); ++i) many.push_back(range(i, i, text("a"), 1 + i));
  EXPECT_FALSE(parse_slots(list(many), kAsked));
}

TEST(RedisMap, ReadsRedirections) {
  auto moved = parse_redirect(error("MOVED 3999 127.0.0.1:6381"), kAsked);
  ASSERT_TRUE(moved);
  EXPECT_FALSE(moved->ask);
  EXPECT_EQ(moved->slot, 3999);
  EXPECT_EQ(moved->to, (RedisAddress{"127.0.0.1", 6381}));
  auto ask = parse_redirect(error("ASK 1 ::1:6381"), kAsked);
  ASSERT_TRUE(ask);
  EXPECT_TRUE(ask->ask);
  EXPECT_EQ(ask->to, (RedisAddress{"::1", 6381}));
  auto same = parse_redirect(error("MOVED 1 :7009"), kAsked);
  ASSERT_TRUE(same);
  EXPECT_EQ(same->to, (RedisAddress{"10.0.0.1", 7009}));
}

TEST(RedisMap, FollowsNothingElse) {
  for (const char* words : {"MOVED", "MOVED 1", "MOVED x a:1", "MOVED 16384 a:1", "MOVED 1 a", "MOVED 1 a:0",
                            "MOVED 1 a:65536", "MOVED 1 a:1 b", "MOVED 1 a/b:1", "ERR 1 a:1", "moved 1 a:1"})
    EXPECT_FALSE(parse_redirect(error(words), kAsked)) << words;
  EXPECT_FALSE(parse_redirect(text("MOVED 1 a:1"), kAsked));
}

}  // namespace
}  // namespace kith::cache
