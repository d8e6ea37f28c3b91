#include "runtime/task.h"

#include <gtest/gtest.h>

#include <memory>

#include "runtime/scope.h"
#include "runtime/sync.h"

namespace kith::runtime {
namespace {

Task<int> ready(int value) { co_return value; }

Task<void> sum_many(int count, long& total) {
  for (int i = 0; i < count; ++i) total += co_await ready(i);
}

TEST(Task, AMillionReadyChildrenDoNotGrowTheStack) {
  long total = 0;
  Scope scope;
  scope.spawn(sum_many(1'000'000, total));
  EXPECT_EQ(total, 499999500000L);
  EXPECT_EQ(scope.running(), 0u);
}

Task<void> wait_for(OneShot<int>& shot, int& seen) { seen = co_await shot.wait(); }

TEST(OneShot, HandsItsValueOverWhicheverSideComesFirst) {
  Scope scope;
  OneShot<int> early;
  early.set(1);
  early.set(2);
  int seen = 0;
  scope.spawn(wait_for(early, seen));
  EXPECT_EQ(seen, 1);
  OneShot<int> late;
  scope.spawn(wait_for(late, seen));
  EXPECT_EQ(scope.running(), 1u);
  late.set(3);
  EXPECT_EQ(seen, 3);
  EXPECT_EQ(scope.running(), 0u);
}

Task<void> until_stopped(std::stop_token stop, std::shared_ptr<int> held) {
  OneShot<int> shot;
  std::stop_callback on_stop(stop, [&shot] { shot.set(0); });
  co_await shot.wait();
  *held += 1;
}
Task<void> close_and_note(Scope& scope, bool& closed) {
  co_await scope.close();
  closed = true;
}

TEST(Scope, CloseAsksAllToStopAndCompletesAfterTheLast) {
  auto held = std::make_shared<int>(0);
  Scope scope;
  for (int i = 0; i < 3; ++i) scope.spawn(until_stopped(scope.stop_token(), held));
  OneShot<int> stubborn;
  int seen = 0;
  scope.spawn(wait_for(stubborn, seen));
  bool closed = false;
  Scope outer;
  outer.spawn(close_and_note(scope, closed));
  EXPECT_EQ(*held, 3);
  EXPECT_EQ(held.use_count(), 1);  // their frames are gone
  EXPECT_FALSE(closed);
  stubborn.set(1);
  EXPECT_TRUE(closed);
}

}  // namespace
}  // namespace kith::runtime
