// What every SessionStore must do, whatever is behind it: one suite, one factory per store. A store joins
// by adding its factory to kStores at the end.
#include "cluster/session_store.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "../scenario/cluster_node.h"
#include "crypto/hash.h"
#include "runtime/scope.h"
#include "sim/ports.h"
#include "sim/world.h"

namespace kith::cluster {
namespace {

constexpr auto kIdle = std::chrono::minutes(60);

// A store in a simulated world, ready for use. The destructor ends it in order.
class Stage {
 public:
  virtual ~Stage() = default;
  virtual SessionStore& store() = 0;
  virtual runtime::Loop& loop() = 0;  // where the caller lives
  virtual sim::World& world() = 0;
};

struct StoreKind {
  std::string name;
  std::function<std::unique_ptr<Stage>()> make;
};

class SessionStoreTest : public ::testing::TestWithParam<StoreKind> {
 protected:
  SessionStoreTest() : stage_(GetParam().make()) {}

  SessionStore& store() { return stage_->store(); }
  WallTime now() { return stage_->loop().wall_now(); }
  void pass(Duration time) { stage_->world().run_for(time); }

  SessionKey key(const std::string& name) { return *SessionKey::from(crypto::sha256(as_bytes(name))); }
  SessionRecord record(Bytes body = {1, 2, 3}) {
    return {std::move(body), now(), now() + std::chrono::hours(8), now()};
  }

  template <class T>
  static runtime::Task<void> keep(runtime::Task<T> task, std::optional<T>* out) {
    out->emplace(co_await std::move(task));
  }
  // Runs a task to its end in virtual time.
  template <class T>
  T run(runtime::Task<T> task) {
    std::optional<T> out;
    runtime::Scope scope;
    scope.spawn(keep(std::move(task), &out));
    stage_->world().run_while_not([&] { return out.has_value(); }, std::chrono::seconds(30));
    EXPECT_TRUE(out.has_value()) << "the call never ended";
    return std::move(*out);
  }
  MonoTime soon() { return stage_->loop().now() + 2s; }
  Result<SessionWrite> create(const std::string& name, SessionRecord with) {
    return run(store().create(stage_->loop(), key(name), std::move(with), AckLevel::one, soon()));
  }
  Result<SessionWrite> update(const std::string& name, Bytes body) {
    return run(store().update(stage_->loop(), key(name), std::move(body), AckLevel::one, soon()));
  }
  Result<SessionWrite> revoke(const std::string& name) {
    return run(store().revoke(stage_->loop(), key(name), EndReason::logout, now() + std::chrono::hours(8),
                              AckLevel::one, soon()));
  }
  Result<SessionWrite> mark(const store::Key& scope) {
    return run(store().mark(stage_->loop(), scope, now() + std::chrono::hours(8), AckLevel::one, soon()));
  }
  SessionRecord record_of(std::initializer_list<std::string> users) {
    SessionRecord made = record();
    for (const std::string& user : users) made.scopes.push_back(key("user " + user));
    return made;
  }
  SessionState state(const std::string& name) { return store().get(key(name), now()).state; }

  std::unique_ptr<Stage> stage_;
};

TEST_P(SessionStoreTest, KnowsNothingOfAKeyThatWasNeverWritten) {
  const SessionLookup lookup = store().get(key("a"), now());
  EXPECT_EQ(lookup.state, SessionState::unknown);
  EXPECT_EQ(lookup.record, nullptr);
}

TEST_P(SessionStoreTest, ReadsBackWhatWasCreated) {
  const SessionRecord made = record({9, 8, 7});
  ASSERT_TRUE(create("a", made));
  const SessionLookup lookup = store().get(key("a"), now());
  ASSERT_EQ(lookup.state, SessionState::live);
  EXPECT_EQ(lookup.record->body, made.body);
  EXPECT_EQ(lookup.record->created, made.created);
  EXPECT_EQ(lookup.record->expires, made.expires);
  EXPECT_EQ(store().size(), 1u);
}

TEST_P(SessionStoreTest, CoversThePositionsOfItsOwnWritesAndTheZeroPosition) {
  EXPECT_TRUE(store().covers(Dot{}));
  auto write = create("a", record());
  ASSERT_TRUE(write);
  EXPECT_TRUE(store().covers(write->position));
  const CatchUp caught = run(store().catch_up(stage_->loop(), key("a"), write->position, 10ms, true, soon()));
  EXPECT_EQ(caught.kind, CatchUp::Kind::here);
}

TEST_P(SessionStoreTest, SaysThatAPositionIsLostWhenNobodyHasIt) {
  Dot position;
  position.origin.node.bytes.fill(0x77);
  position.origin.incarnation = 3;
  position.seq = 12;
  EXPECT_FALSE(store().covers(position));
  const CatchUp caught = run(store().catch_up(stage_->loop(), key("a"), position, 10ms, true, soon()));
  EXPECT_EQ(caught.kind, CatchUp::Kind::lost);
}

TEST_P(SessionStoreTest, RefusesToCreateAKeyTwiceAndKeepsTheFirst) {
  ASSERT_TRUE(create("a", record({1})));
  auto again = create("a", record({2}));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Code::conflict);
  EXPECT_EQ(store().get(key("a"), now()).record->body, Bytes{1});
}

TEST_P(SessionStoreTest, RefusesABodyAbove64KiB) {
  EXPECT_TRUE(create("a", record(Bytes(64 << 10))));
  auto large = create("b", record(Bytes((64 << 10) + 1)));
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code(), Code::limit);
  auto grown = update("a", Bytes((64 << 10) + 1));
  ASSERT_FALSE(grown);
  EXPECT_EQ(grown.error().code(), Code::limit);
}

TEST_P(SessionStoreTest, ReplacesTheBodyAndNothingElse) {
  const SessionRecord made = record({1});
  ASSERT_TRUE(create("a", made));
  pass(1s);
  ASSERT_TRUE(update("a", {2, 2}));
  const SessionLookup lookup = store().get(key("a"), now());
  ASSERT_EQ(lookup.state, SessionState::live);
  EXPECT_EQ(lookup.record->body, (Bytes{2, 2}));
  EXPECT_EQ(lookup.record->created, made.created);
  EXPECT_EQ(lookup.record->expires, made.expires);
}

TEST_P(SessionStoreTest, DoesNotUpdateWhatIsNotLive) {
  auto unknown = update("a", {1});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), Code::not_found);
  ASSERT_TRUE(create("a", record()));
  ASSERT_TRUE(revoke("a"));
  auto ended = update("a", {1});
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code(), Code::not_found);
}

TEST_P(SessionStoreTest, EndsARevokedSessionForGood) {
  ASSERT_TRUE(create("a", record()));
  ASSERT_TRUE(revoke("a"));
  EXPECT_EQ(state("a"), SessionState::ended);
  EXPECT_TRUE(revoke("a"));
  store().touch(key("a"), now());
  EXPECT_FALSE(create("a", record()));
  EXPECT_EQ(state("a"), SessionState::ended);
}

TEST_P(SessionStoreTest, RemembersTheRevocationOfAKeyThatItDoesNotKnow) {
  ASSERT_TRUE(revoke("a"));
  EXPECT_FALSE(create("a", record()));
  EXPECT_EQ(state("a"), SessionState::ended);
}

TEST_P(SessionStoreTest, EndsASessionThatIsIdle) {
  const WallTime start = now();
  ASSERT_TRUE(create("a", record()));
  const auto quantum = store::touch_quantum(kIdle);
  EXPECT_EQ(store().get(key("a"), start + kIdle).state, SessionState::live);
  EXPECT_EQ(store().get(key("a"), start + kIdle + quantum).state, SessionState::ended);
}

TEST_P(SessionStoreTest, EndsNoSessionEarlyForAUseThatWasNotWrittenDown) {
  const WallTime start = now();
  ASSERT_TRUE(create("a", record()));
  const WallTime used = start + store::touch_quantum(kIdle) - std::chrono::seconds(1);
  store().touch(key("a"), used);
  EXPECT_EQ(store().get(key("a"), used).record->last_seen, start) << "too soon to be noted";
  EXPECT_EQ(store().get(key("a"), used + kIdle - std::chrono::seconds(1)).state, SessionState::live);
  EXPECT_EQ(store().get(key("a"), used + kIdle + std::chrono::seconds(1)).state, SessionState::ended);
}

TEST_P(SessionStoreTest, KeepsASessionThatIsTouchedAndNotPastItsAbsoluteExpiry) {
  const SessionRecord made = record();
  ASSERT_TRUE(create("a", made));
  for (WallTime at = made.created; at < made.expires; at += std::chrono::minutes(30))
    store().touch(key("a"), at);
  EXPECT_EQ(store().get(key("a"), made.expires - 1ms).state, SessionState::live);
  EXPECT_EQ(store().get(key("a"), made.expires).state, SessionState::ended);
}

TEST_P(SessionStoreTest, KnowsTheLastActivityToATwentiethOfTheIdleTime) {
  const SessionRecord made = record();
  ASSERT_TRUE(create("a", made));
  WallTime at = made.created;
  for (int i = 0; i < 40; ++i) {
    at += std::chrono::minutes(1);
    store().touch(key("a"), at);
    const WallTime seen = store().get(key("a"), at).record->last_seen;
    EXPECT_LE(seen, at);
    EXPECT_LT(at - seen, kIdle / 20);
  }
}

TEST_P(SessionStoreTest, ARecordInHandDoesNotChange) {
  ASSERT_TRUE(create("a", record({1})));
  const auto held = store().get(key("a"), now()).record;
  ASSERT_TRUE(update("a", {2}));
  ASSERT_TRUE(revoke("a"));
  EXPECT_EQ(held->body, Bytes{1});
}

TEST_P(SessionStoreTest, TellsWhoWatchesASessionThatItWasRevokedAndNobodyElse) {
  ASSERT_TRUE(create("a", record()));
  ASSERT_TRUE(create("b", record()));
  int ends = 0, others = 0, gone = 0;
  auto watch = store().watches().add(stage_->loop(), key("a"), [&] { ++ends; });
  auto other = store().watches().add(stage_->loop(), key("b"), [&] { ++others; });
  {
    auto left = store().watches().add(stage_->loop(), key("a"), [&] { ++gone; });
  }
  ASSERT_TRUE(update("a", {2}));
  pass(1s);
  EXPECT_EQ(ends, 0);
  ASSERT_TRUE(revoke("a"));
  ASSERT_TRUE(revoke("a"));
  pass(1s);
  EXPECT_EQ(ends, 1);
  EXPECT_EQ(others, 0);
  EXPECT_EQ(gone, 0);
}

TEST_P(SessionStoreTest, SaysWhyASessionWasEnded) {
  ASSERT_TRUE(create("a", record()));
  ASSERT_TRUE(revoke("a"));
  EXPECT_EQ(store().get(key("a"), now()).reason, EndReason::logout);
  ASSERT_TRUE(create("b", record()));
  const SessionLookup expired = store().get(key("b"), now() + std::chrono::hours(9));
  EXPECT_EQ(expired.state, SessionState::ended);
  EXPECT_EQ(expired.reason, EndReason::unknown);
}

TEST_P(SessionStoreTest, AMarkEndsWhatItsScopeHadAndNothingElse) {
  ASSERT_TRUE(create("a1", record_of({"alice"})));
  ASSERT_TRUE(create("a2", record_of({"bob", "alice"})));
  ASSERT_TRUE(create("b", record_of({"bob"})));
  ASSERT_TRUE(mark(key("user alice")));
  for (const char* name : {"a1", "a2"}) {
    EXPECT_EQ(state(name), SessionState::ended) << name;
    EXPECT_EQ(store().get(key(name), now()).reason, EndReason::administrator);
    EXPECT_FALSE(update(name, {1}));
  }
  EXPECT_EQ(state("b"), SessionState::live);
  ASSERT_TRUE(create("a3", record_of({"alice"})));
  EXPECT_EQ(state("a3"), SessionState::live) << "a login after the mark";
  ASSERT_TRUE(mark(store::everybody()));
  for (const char* name : {"a1", "a2", "a3", "b"}) EXPECT_EQ(state(name), SessionState::ended) << name;
  ASSERT_TRUE(create("c", record()));
  EXPECT_EQ(state("c"), SessionState::live);
}

TEST_P(SessionStoreTest, AMarkIsToldToWhoWatchesWhatItEnds) {
  ASSERT_TRUE(create("a", record_of({"alice"})));
  ASSERT_TRUE(create("b", record_of({"bob"})));
  int ends = 0, others = 0;
  auto watch = store().watches().add(stage_->loop(), key("a"), [&] { ++ends; });
  auto other = store().watches().add(stage_->loop(), key("b"), [&] { ++others; });
  ASSERT_TRUE(mark(key("user alice")));
  ASSERT_TRUE(mark(key("user alice")));
  pass(1s);
  EXPECT_EQ(ends, 1);
  EXPECT_EQ(others, 0);
}

TEST_P(SessionStoreTest, ListsAllThatItHolds) {
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(create("s" + std::to_string(i), record()));
  ASSERT_TRUE(revoke("s7"));
  size_t live = 0, ended = 0;
  for (size_t part = 0; part < SessionStore::kParts; ++part) {
    for (const SessionListing& each : store().list(part, now())) {
      each.view.state == SessionState::live ? ++live : ++ended;
      EXPECT_EQ(each.view.state == SessionState::ended, each.key == key("s7"));
    }
  }
  EXPECT_EQ(live, 49u);
  EXPECT_EQ(ended, 1u);
}

// ---------------------------------------------------------------- the stores

class LocalStage final : public Stage {
 public:
  explicit LocalStage(size_t capacity = 1000)
      : ports_(world_.start(world_.add_host("here"))), store_(make_local_session_store(capacity, kIdle)) {}
  SessionStore& store() override { return *store_; }
  runtime::Loop& loop() override { return ports_; }
  sim::World& world() override { return world_; }

 private:
  sim::World world_{1};
  sim::ProcessPorts ports_;
  std::unique_ptr<SessionStore> store_;
};

// The store of a node of two, so that `one` has somebody to ask.
class ClusterStage final : public Stage {
 public:
  ClusterStage() {
    for (ClusterNode* node : {&here_, &there_}) {
      node->idle_timeout = kIdle;
      node->start(
          {Multiaddr::from({here_.host.address, 9450}), Multiaddr::from({there_.host.address, 9450})});
    }
    const auto joined = [](const ClusterNode& node) {
      return node.ready() && node.cluster->replication().peers() == 1;
    };
    EXPECT_TRUE(world_.run_while_not([&] { return joined(here_) && joined(there_); }, 30s));
  }
  SessionStore& store() override { return here_.cluster->sessions(); }
  runtime::Loop& loop() override { return here_.ports->loop; }
  sim::World& world() override { return world_; }

 private:
  sim::World world_{1};
  ClusterNode here_{world_, "here"};
  ClusterNode there_{world_, "there"};
};

const StoreKind kStores[] = {
    {"local", [] { return std::make_unique<LocalStage>(); }},
    {"cluster", [] { return std::make_unique<ClusterStage>(); }},
};

INSTANTIATE_TEST_SUITE_P(Stores, SessionStoreTest, ::testing::ValuesIn(kStores),
                         [](const auto& each) { return each.param.name; });

// ---------------------------------------------------------------- of the local store alone

TEST(LocalSessionStore, DropsTheLeastRecentlyUsedSessionWhenItIsFull) {
  LocalStage stage(3);
  auto add = [&](uint8_t id) {
    SessionKey key;
    key.bytes.fill(id);
    const WallTime now = stage.loop().wall_now();
    SessionRecord record{Bytes{id}, now, now + std::chrono::hours(1), now};
    runtime::Scope scope;
    scope.spawn([](runtime::Task<Result<SessionWrite>> task) -> runtime::Task<void> {
      EXPECT_TRUE(co_await std::move(task));
    }(stage.store().create(stage.loop(), key, std::move(record), AckLevel::local, kNever)));
    return key;
  };
  const WallTime now = stage.loop().wall_now();
  const SessionKey one = add(1), two = add(2), three = add(3);
  EXPECT_EQ(stage.store().get(one, now).state, SessionState::live);  // and so used
  const SessionKey four = add(4);
  EXPECT_EQ(stage.store().size(), 3u);
  EXPECT_EQ(stage.store().get(two, now).state, SessionState::unknown);
  for (const SessionKey& key : {one, three, four})
    EXPECT_EQ(stage.store().get(key, now).state, SessionState::live);
}

}  // namespace
}  // namespace kith::cluster
