// What the conformance suite does not ask of every cache: when memory is short.
#include "cache/local_cache.h"

#include <gtest/gtest.h>

#include "runtime/scope.h"

namespace kith::cache {
namespace {

class StillLoop final : public runtime::Loop {
 public:
  MonoTime now() const override { return now_; }
  WallTime wall_now() const override { return {}; }
  void post(std::function<void()>) override {}
  runtime::Timer call_at(MonoTime, std::function<void()>) override { return nullptr; }
  bool on_this_thread() const override { return true; }

  MonoTime now_{};
};

class LocalCacheTest : public ::testing::Test {
 protected:
  template <class T>
  static runtime::Task<void> keep(runtime::Task<T> task, std::optional<T>* out) {
    out->emplace(co_await std::move(task));
  }
  template <class T>
  T run(runtime::Task<T> task) {
    std::optional<T> out;
    runtime::Scope scope;
    scope.spawn(keep(std::move(task), &out));
    return std::move(*out);
  }
  bool has(Cache& cache, const std::string& key) {
    return run(cache.get(loop_, key, Dot{}, kNever))->has_value();
  }
  Result<CacheWrite> set(Cache& cache, const std::string& key, Bytes value,
                         std::optional<Duration> ttl = {}) {
    return run(cache.set(loop_, key, std::move(value), ttl, kNever));
  }
  StillLoop loop_;
};

TEST_F(LocalCacheTest, DropsWhatWasUsedLeastRecently) {
  auto cache = make_local_cache(40 << 10);
  const Bytes value(10 << 10);
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(set(*cache, key, value));
  EXPECT_TRUE(has(*cache, "a"));  // and so used
  ASSERT_TRUE(set(*cache, "d", value));
  EXPECT_TRUE(has(*cache, "a"));
  EXPECT_FALSE(has(*cache, "b"));
  EXPECT_TRUE(has(*cache, "c"));
  EXPECT_TRUE(has(*cache, "d"));
}

TEST_F(LocalCacheTest, CountsKeysAndBookKeeping) {
  auto cache = make_local_cache(16 << 10);
  size_t kept = 0;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(set(*cache, std::string(100, 'k') + std::to_string(i), {}));
  for (int i = 0; i < 1000; ++i) kept += has(*cache, std::string(100, 'k') + std::to_string(i)) ? 1 : 0;
  EXPECT_LT(kept, 100u);
  EXPECT_GT(kept, 40u);
}

TEST_F(LocalCacheTest, GivesRoomBackThatAReplacedOrRemovedValueTook) {
  auto cache = make_local_cache(40 << 10);
  ASSERT_TRUE(set(*cache, "small", {1}));
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(set(*cache, "large", Bytes(30 << 10)));
    ASSERT_TRUE(run(cache->remove(loop_, "large", kNever)));
    ASSERT_TRUE(set(*cache, "large", Bytes(20 << 10)));
  }
  EXPECT_TRUE(has(*cache, "small"));
}

TEST_F(LocalCacheTest, RefusesWhatDoesNotFitAtAll) {
  auto cache = make_local_cache(4 << 10);
  auto written = set(*cache, "a", Bytes(5 << 10));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), Code::limit);
  EXPECT_TRUE(set(*cache, "a", Bytes(3 << 10)));
}

TEST_F(LocalCacheTest, ForgetsAtTheMoment) {
  auto cache = make_local_cache(1 << 20);
  ASSERT_TRUE(set(*cache, "a", {1}, 1s));
  loop_.now_ += 1s - Duration(1);
  EXPECT_TRUE(has(*cache, "a"));
  loop_.now_ += Duration(1);
  EXPECT_FALSE(has(*cache, "a"));
}

}  // namespace
}  // namespace kith::cache
