#include "cluster/waiters.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "platform/runtime.h"
#include "runtime/scope.h"

namespace kith::cluster {
namespace {

using runtime::Task;

struct Room {
  explicit Room(runtime::Loop& its_loop) : loop(its_loop) {}
  Task<void> stay(uint64_t number, MonoTime deadline) {
    const bool woken = co_await waiters.wait(loop, number, deadline, scope.stop_token());
    (woken ? left : given_up).push_back(number);
    if (woken && again == number) scope.spawn(stay(number, deadline));
  }
  void up_to(uint64_t number) {
    waiters.wake_while([number](uint64_t each) { return each <= number; });
  }
  runtime::Loop& loop;
  Waiters waiters;
  std::vector<uint64_t> left, given_up;
  uint64_t again = 0;
  runtime::Scope scope;
};

template <class Body>
void run(Body body) {
  platform::Runtime runtime(0);
  struct Main {
    static Task<void> task(platform::Runtime& r, Body make) {
      Room room(r.control());
      co_await make(room);
      co_await room.scope.close();
      EXPECT_TRUE(room.waiters.empty());
      r.control().post([&r] { r.stop(); });
    }
  };
  runtime::Scope scope;
  runtime.control().post([&] { scope.spawn(Main::task(runtime, body)); });
  runtime.control().run();
}

using Numbers = std::vector<uint64_t>;

Task<void> in_order(Room& room) {
  for (const uint64_t number : {5, 2, 9, 2, 7}) room.scope.spawn(room.stay(number, kNever));
  room.up_to(1);
  EXPECT_EQ(room.left, Numbers{});
  room.up_to(5);
  EXPECT_EQ(room.left, (Numbers{2, 2, 5}));
  room.up_to(7);
  EXPECT_EQ(room.left, (Numbers{2, 2, 5, 7})) << "and nobody twice";
  room.waiters.wake_all();
  EXPECT_EQ(room.left, (Numbers{2, 2, 5, 7, 9}));
  co_return;
}
TEST(Waiters, OnlyThoseUpToTheNumberAreWokenInItsOrder) { run(in_order); }

// It looked, and its condition did not hold.
Task<void> again(Room& room) {
  for (const uint64_t number : {1, 2}) room.scope.spawn(room.stay(number, kNever));
  room.again = 1;
  room.waiters.wake_all();
  EXPECT_EQ(room.left, (Numbers{1, 2})) << "once for each wake";
  room.waiters.wake_all();
  EXPECT_EQ(room.left, (Numbers{1, 2, 1}));
  room.again = 0;
  co_return;
}
TEST(Waiters, WhoWaitsAnewIsWokenWithTheNext) { run(again); }

Task<void> deadlines(Room& room) {
  room.scope.spawn(room.stay(1, room.loop.now() + 5ms));
  room.scope.spawn(room.stay(1, kNever));
  co_await runtime::sleep(room.loop, 30ms);
  EXPECT_EQ(room.given_up, Numbers{1});
  room.scope.spawn(room.stay(2, kNever));
  co_await room.scope.close();
  std::sort(room.given_up.begin(), room.given_up.end());
  EXPECT_EQ(room.given_up, (Numbers{1, 1, 2})) << "stop ends the wait";
}
TEST(Waiters, GiveUpAtTheirDeadlinesAndWhenTheyAreToStop) { run(deadlines); }

}  // namespace
}  // namespace kith::cluster
