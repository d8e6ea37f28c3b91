// What every Cache must do, whatever is behind it: one suite, one stage per kind (cache_stages.cpp). A cache
// joins by adding its stage to kCaches at the end. Those in Redis meet real servers; what is theirs alone is
// in redis_cache_test.cpp.
#include "cache/cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>

#include "cache_stage.h"

namespace kith::cache {
namespace {

using runtime::Loop;
using runtime::Task;

struct CacheKind {
  std::string name;
  std::function<std::unique_ptr<Stage>()> make;
  friend void PrintTo(const CacheKind& kind, std::ostream* out) { *out << kind.name; }
};

class CacheTest : public ::testing::TestWithParam<CacheKind> {
 protected:
  using Got = Result<std::optional<Bytes>>;
  using Wrote = Result<CacheWrite>;

  CacheTest() : stage_(GetParam().make()) {
    static std::atomic<int> serial = 0;
    space_ = "/test/" + std::to_string(++serial);
  }

  template <class T>
  static Task<void> keep(Task<T> task, std::optional<T>* out) {
    out->emplace(co_await std::move(task));
  }
  template <class T>
  T call(std::function<Task<T>(Loop&)> make) {
    std::optional<T> out;
    stage_->run({{0, [&](Loop& here) { return keep(make(here), &out); }}});
    EXPECT_TRUE(out.has_value()) << "the call never ended";
    return std::move(*out);
  }
  // Keys of this test alone: servers are shared.
  std::string named(std::string_view key) const { return key_in(space_, key); }

  Got get(const std::string& key) {
    return call<Got>([&](Loop& here) { return stage_->cache().get(here, named(key), Dot{}, soon(here)); });
  }
  Wrote set(const std::string& key, Bytes value, std::optional<Duration> ttl = {}) {
    return call<Wrote>(
        [&](Loop& here) { return stage_->cache().set(here, named(key), std::move(value), ttl, soon(here)); });
  }
  Wrote remove(const std::string& key) {
    return call<Wrote>([&](Loop& here) { return stage_->cache().remove(here, named(key), soon(here)); });
  }
  static MonoTime soon(Loop& here) { return here.now() + 10s; }

  // The value; nullopt for a miss, and a failed test for an error.
  std::optional<Bytes> value(const std::string& key) {
    auto got = get(key);
    EXPECT_TRUE(got) << got.error().message();
    return got ? *got : std::nullopt;
  }
  bool gone_in_the_end(const std::string& key) {
    for (int i = 0; i < 3000; ++i) {
      if (!value(key)) return true;
      stage_->pass(10ms);
    }
    return false;
  }

  std::unique_ptr<Stage> stage_;
  std::string space_;
};

TEST_P(CacheTest, KnowsNothingOfAKeyThatWasNeverWritten) { EXPECT_EQ(value("a"), std::nullopt); }

TEST_P(CacheTest, ReadsBackWhatWasWritten) {
  auto written = set("a", {1, 2, 3});
  ASSERT_TRUE(written) << written.error().message();
  EXPECT_TRUE(written->at_level);
  EXPECT_EQ(value("a"), (Bytes{1, 2, 3}));
  EXPECT_EQ(value("b"), std::nullopt);
}

TEST_P(CacheTest, ReplacesWhatIsThere) {
  ASSERT_TRUE(set("a", {1, 2, 3}));
  ASSERT_TRUE(set("a", {4}));
  EXPECT_EQ(value("a"), Bytes{4});
}

TEST_P(CacheTest, RemovesWhatIsThereAndWhatIsNot) {
  ASSERT_TRUE(set("a", {1}));
  EXPECT_TRUE(remove("a"));
  EXPECT_EQ(value("a"), std::nullopt);
  EXPECT_TRUE(remove("a"));
  EXPECT_TRUE(remove("never written"));
}

TEST_P(CacheTest, TellsAnEmptyValueFromNone) {
  ASSERT_TRUE(set("a", {}));
  EXPECT_EQ(value("a"), Bytes{});
}

TEST_P(CacheTest, TakesAnyBytesAsKeyAndValue) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  for (const std::string& key :
       {all, std::string("\r\n"), std::string("a{b}c"), std::string("\0", 1), std::string()}) {
    ASSERT_TRUE(set(key, to_bytes(all + key)));
    EXPECT_EQ(value(key), to_bytes(all + key));
  }
}

TEST_P(CacheTest, TellsKeysApartThatAreAlike) {
  const std::string long_key(900, 'k');
  ASSERT_TRUE(set(long_key + "1", {1}));
  ASSERT_TRUE(set(long_key + "2", {2}));
  ASSERT_TRUE(set("K", {3}));
  EXPECT_EQ(value(long_key + "1"), Bytes{1});
  EXPECT_EQ(value(long_key + "2"), Bytes{2});
  EXPECT_EQ(value("k"), std::nullopt);
}

TEST_P(CacheTest, TakesKeysAndValuesUpToTheirLimits) {
  Bytes large(kMaxValue);
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<uint8_t>(i * 7);
  const std::string key(kMaxKey - named("").size(), 'k');
  ASSERT_TRUE(set(key, large));
  EXPECT_EQ(value(key), large);

  large.push_back(0);
  auto written = set("a", large);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), Code::limit);
  written = set(key + "k", {1});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), Code::limit);
  EXPECT_EQ(value(key + "k"), std::nullopt);
}

TEST_P(CacheTest, RefusesATimeToLiveThatIsNone) {
  for (const Duration ttl : {Duration(0), Duration(-1s)}) {
    auto written = set("a", {1}, ttl);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code(), Code::invalid);
  }
  EXPECT_EQ(value("a"), std::nullopt);
}

TEST_P(CacheTest, ForgetsAValueWhenItsTimeIsOver) {
  ASSERT_TRUE(set("for an hour", {1}, std::chrono::hours(1)));
  ASSERT_TRUE(set("for a moment, then for good", {1}, 50ms));
  ASSERT_TRUE(set("for a moment, then for good", {2}));
  ASSERT_TRUE(set("for good, then for a moment", {3}));
  ASSERT_TRUE(set("for good, then for a moment", {4}, 50ms));
  ASSERT_TRUE(set("for the shortest time", {5}, Duration(1)));
  EXPECT_TRUE(gone_in_the_end("for good, then for a moment"));
  EXPECT_TRUE(gone_in_the_end("for the shortest time"));
  EXPECT_EQ(value("for an hour"), Bytes{1});
  EXPECT_EQ(value("for a moment, then for good"), Bytes{2});
}

TEST_P(CacheTest, TakesTheLongestTimeToLive) {
  ASSERT_TRUE(set("a", {1}, Duration::max()));
  EXPECT_EQ(value("a"), Bytes{1});
}

TEST_P(CacheTest, KeepsNamespacesApart) {
  const auto in = [&](std::string_view name_space) {
    return call<Got>([&](Loop& here) {
      return stage_->cache().get(here, key_in(space_ + std::string(name_space), "a"), Dot{}, soon(here));
    });
  };
  ASSERT_TRUE(call<Wrote>([&](Loop& here) {
    return stage_->cache().set(here, key_in(space_ + "/oidc", "a"), Bytes{1}, std::nullopt, soon(here));
  }));
  EXPECT_EQ(*in("/oidc"), Bytes{1});
  EXPECT_EQ(*in("/saml"), std::nullopt);
}

// Each of many tasks writes, reads and removes keys of its own, and one that all of them share.
Task<void> churn(Cache& cache, Loop& here, std::string space, int task, std::atomic<int>& good) {
  const MonoTime deadline = here.now() + 30s;
  for (int round = 0; round < 10; ++round) {
    std::string own = space + ":" + std::to_string(task) + "." + std::to_string(round);
    std::string shared = space + ":shared";
    const Bytes value(static_cast<size_t>(task * 97 + round), static_cast<uint8_t>(round));
    auto written = co_await cache.set(here, own, value, std::nullopt, deadline);
    auto common =
        co_await cache.set(here, shared, Bytes(100, static_cast<uint8_t>(task)), std::nullopt, deadline);
    auto got = co_await cache.get(here, own, Dot{}, deadline);
    auto seen = co_await cache.get(here, shared, Dot{}, deadline);
    auto removed = co_await cache.remove(here, own, deadline);
    auto after = co_await cache.get(here, own, Dot{}, deadline);
    EXPECT_TRUE(written) << written.error().message();
    if (!written || !common || !got || !seen || !removed || !after) continue;
    const bool whole = *seen && (*seen)->size() == 100 && **seen == Bytes(100, (*seen)->front());
    if (*got == value && whole && !*after) ++good;
  }
}

TEST_P(CacheTest, IsUsedFromAllLoopsAtOnce) {
  std::atomic<int> good = 0;
  std::vector<std::pair<size_t, Make>> tasks;
  tasks.reserve(40);
  for (int task = 0; task < 40; ++task) {
    tasks.emplace_back(static_cast<size_t>(task) % stage_->loops(), [this, task, &good](Loop& here) {
      return churn(stage_->cache(), here, space_, task, good);
    });
  }
  stage_->run(std::move(tasks));
  EXPECT_EQ(good, 400);
}

TEST_P(CacheTest, ShowsEveryLoopWhatAnyHasWritten) {
  ASSERT_TRUE(set("a", {1}));
  for (size_t loop = 0; loop < stage_->loops(); ++loop) {
    std::optional<Got> got;
    stage_->run({{loop, [&](Loop& here) {
                    return keep(stage_->cache().get(here, named("a"), Dot{}, soon(here)), &got);
                  }}});
    ASSERT_TRUE(got && *got);
    EXPECT_EQ(**got, Bytes{1});
  }
}

// ---------------------------------------------------------------- the caches

const CacheKind kCaches[] = {
    {"local", local_stage},
    {"cluster", cluster_stage},
    {"redis", redis_stage},
    {"redis_unsealed", unsealed_redis_stage},
    {"redis_tls_acl", secured_redis_stage},
    {"redis_old", old_redis_stage},
    {"redis_cluster", redis_cluster_stage},
};

INSTANTIATE_TEST_SUITE_P(Caches, CacheTest, ::testing::ValuesIn(kCaches),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace kith::cache
