#include "platform/name_cache.h"

#include <gtest/gtest.h>

#include "runtime/scope.h"

namespace kith::platform {
namespace {

using runtime::Family;
using Answer = Result<NameCache::Addresses>;

// Time and timers by hand.
struct ManualLoop final : runtime::Loop {
  struct Entry final : runtime::TimerHandle {
    Entry(ManualLoop& of, MonoTime at, std::function<void()> call) : loop(of), when(at), fn(std::move(call)) {
      loop.timers.push_back(this);
    }
    ~Entry() override { std::erase(loop.timers, this); }
    ManualLoop& loop;
    MonoTime when;
    std::function<void()> fn;
  };
  MonoTime now() const override { return time; }
  WallTime wall_now() const override { return {}; }
  void post(std::function<void()> fn) override { fn(); }
  runtime::Timer call_at(MonoTime when, std::function<void()> fn) override {
    return std::make_unique<Entry>(*this, when, std::move(fn));
  }
  bool on_this_thread() const override { return true; }
  void advance(Duration by) {
    time += by;
    for (size_t i = 0; i < timers.size();) {
      Entry* entry = timers[i++];
      if (entry->when > time) continue;
      std::function<void()> fn = std::move(entry->fn);
      std::erase(timers, entry);
      i = 0;
      fn();
    }
  }
  MonoTime time{1h};
  std::vector<Entry*> timers;
};

struct ManualPool final : runtime::Pool {
  bool submit(std::function<void()> work, runtime::Loop&, std::function<void()> done) override {
    if (full) return false;
    jobs.emplace_back(std::move(work), std::move(done));
    return true;
  }
  void run() {
    for (auto& [work, done] : std::exchange(jobs, {})) {
      work();
      done();
    }
  }
  std::vector<std::pair<std::function<void()>, std::function<void()>>> jobs;
  bool full = false;
};

Answer invent(const std::string& host, Family) {
  if (host == "none") return Error(Code::unreachable, "no such name");
  return NameCache::Addresses{IpAddress::v4(192, 0, 2, 1)};
}

class Names : public testing::Test {
 protected:
  static runtime::Task<void> keep(runtime::Task<Answer> task, std::optional<Answer>& out) {
    out.emplace(co_await std::move(task));
  }
  std::optional<Answer>& ask(std::string host, MonoTime deadline = kNever) {
    answers.push_back(std::make_unique<std::optional<Answer>>());
    scope.spawn(keep(cache.get(std::move(host), Family::any, deadline), *answers.back()));
    return *answers.back();
  }

  ManualLoop loop;
  ManualPool pool;
  NameCache cache{loop, pool, invent};
  std::vector<std::unique_ptr<std::optional<Answer>>> answers;
  runtime::Scope scope;
};

TEST_F(Names, AskedForAtOnceAreLookedUpOnce) {
  auto& one = ask("app");
  auto& two = ask("app");
  ask("other");
  EXPECT_EQ(pool.jobs.size(), 2u);
  EXPECT_FALSE(one || two);
  pool.run();
  ASSERT_TRUE(one && two);
  EXPECT_EQ((*one)->front(), IpAddress::v4(192, 0, 2, 1));
  EXPECT_TRUE(*two);
}

TEST_F(Names, AreKeptForAShortTimeAndFailuresForAShorterOne) {
  ask("app");
  ask("none");
  pool.run();
  loop.advance(NameCache::kKeepFailure - 1ms);
  EXPECT_TRUE(ask("app"));
  EXPECT_EQ(ask("none")->error().code(), Code::unreachable);
  EXPECT_TRUE(pool.jobs.empty());
  loop.advance(1ms);
  EXPECT_TRUE(ask("app"));
  EXPECT_FALSE(ask("none"));
  loop.advance(NameCache::kKeepAnswer);
  EXPECT_FALSE(ask("app"));
  EXPECT_EQ(pool.jobs.size(), 2u);
  pool.run();
}

TEST_F(Names, ThatTakeTooLongServeTheNextWhoAsks) {
  auto& hasty = ask("app", loop.now() + 2s);
  loop.advance(2s);
  ASSERT_TRUE(hasty);
  EXPECT_EQ(hasty->error().code(), Code::timeout);
  auto& patient = ask("app");
  EXPECT_EQ(pool.jobs.size(), 1u);
  pool.run();
  EXPECT_TRUE(patient);
}

TEST_F(Names, AreRefusedWhenThePoolIsFullAndAskedForAgainLater) {
  pool.full = true;
  EXPECT_EQ(ask("app")->error().code(), Code::limit);
  pool.full = false;
  auto& later = ask("app");
  pool.run();
  EXPECT_TRUE(later);
}

TEST_F(Names, BeyondTheTableAreLookedUpEachTime) {
  for (size_t i = 0; i < NameCache::kMaxNames; ++i) ask("n" + std::to_string(i));
  pool.run();
  ask("one more");
  ask("one more");
  EXPECT_EQ(pool.jobs.size(), 2u);
  pool.run();
  loop.advance(NameCache::kKeepAnswer);
  ask("one more");
  ask("one more");
  EXPECT_EQ(pool.jobs.size(), 1u) << "old names give way";
  pool.run();
}

}  // namespace
}  // namespace kith::platform
