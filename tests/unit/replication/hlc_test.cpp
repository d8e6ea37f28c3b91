#include "replication/hlc.h"

#include <gtest/gtest.h>

namespace kith::replication {
namespace {

const WallTime kNow = from_unix_ms(1'800'000'000'000);

TEST(Hlc, NeverGivesTheSameStampTwiceNorGoesBackWithTheWallClock) {
  Hlc clock;
  const uint64_t first = clock.tick(kNow);
  EXPECT_EQ(hlc_ms(first), unix_ms(kNow));
  EXPECT_GT(clock.tick(kNow), first);
  EXPECT_GT(clock.tick(kNow - std::chrono::hours(24)), first);
}

TEST(Hlc, IsGreaterThanWhatItObserved) {
  Hlc clock;
  const uint64_t remote = hlc_from(kNow + std::chrono::seconds(30));
  EXPECT_TRUE(clock.observe(remote, kNow));
  EXPECT_GT(clock.tick(kNow), remote);
}

TEST(Hlc, DoesNotFollowAStampOfTheYear2100) {
  Hlc clock;
  EXPECT_FALSE(clock.observe(hlc_from(from_unix_ms(4'102'444'800'000)), kNow));
  EXPECT_FALSE(clock.observe(UINT64_MAX, kNow));
  EXPECT_EQ(hlc_ms(clock.tick(kNow)), unix_ms(kNow));
}

TEST(Hlc, CarriesAFullCounterIntoTheMilliseconds) {
  Hlc clock;
  uint64_t last = clock.tick(kNow);
  for (int i = 0; i < 70'000; ++i) {
    const uint64_t next = clock.tick(kNow);
    ASSERT_GT(next, last);
    last = next;
  }
  EXPECT_EQ(hlc_ms(last), unix_ms(kNow) + 1);
}

}  // namespace
}  // namespace kith::replication
