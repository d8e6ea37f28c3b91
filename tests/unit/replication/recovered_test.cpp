// Cores that go on where an earlier life ended.
#include "linked_nodes.h"

namespace kith::replication {
namespace {

class RecoveredTest : public LinkedNodes {
 protected:
  // What a node would have read from its disk.
  static Recovered left_by(const Node& node) {
    Recovered out;
    out.applied = node.core.applied();
    out.partial = node.core.partial();
    return out;
  }
};

TEST_F(RecoveredTest, ItHasWhatItHadBeforeAnyLinkAndAsksForTheRestByNumber) {
  Node a(1, now), b(2, now);
  for (Node* each : {&a, &b}) each->core.allow_founding(now);
  link(a, b);
  for (uint8_t i = 0; i < 20; ++i) a.write(i, {i}, now);
  settle({&a, &b});
  unlink(a, b);
  const Dot missed = a.write(20, {20}, now);

  Node again(2, now, {}, 2);
  again.store = b.store;
  again.core.recover(left_by(b), now);
  again.drain();
  EXPECT_TRUE(again.core.covers(Dot{a.core.self(), 20}));
  EXPECT_FALSE(again.core.covers(missed));
  link(a, again);
  pass({&a, &again}, 3s);
  EXPECT_TRUE(again.core.caught_up());
  EXPECT_TRUE(again.core.covers(missed));
  EXPECT_EQ(again.core.counters().snapshots_taken, 0u);
  EXPECT_EQ(again.core.counters().ops_applied, 1u);
}

// Nobody speaks of a log that was retired, so what it lacks of it, it cannot know.
TEST_F(RecoveredTest, WhereLogsWereRetiredItTakesASnapshotBeforeItIsCaughtUp) {
  Config few;
  few.max_departed = 0;
  few.retire_after = 1s;
  Node a(1, now, few), b(2, now), c(3, now);
  for (Node* each : {&a, &b, &c}) each->core.allow_founding(now);
  link(a, b);
  settle({&a, &b});
  unlink(a, b);
  link(a, c);
  c.write(1, {7}, now);
  settle({&a, &c});
  unlink(a, c);
  Node d(4, now, few);
  d.core.allow_founding(now);
  link(a, d);
  pass({&a, &d}, 10s);
  ASSERT_GT(a.core.counters().logs_retired, 0u);
  ASSERT_TRUE(a.core.partial());

  Node again(2, now, {}, 2);
  again.core.recover(left_by(b), now);
  again.drain();
  link(a, again);
  pass({&a, &again}, 5s);
  EXPECT_TRUE(again.core.caught_up());
  EXPECT_EQ(again.core.counters().snapshots_taken, 1u);
  EXPECT_EQ(again.store.states[key(1)], Bytes{7});
}

TEST_F(RecoveredTest, ItsOwnOldLogGoesToThoseWhoLackIt) {
  Node a(1, now), b(2, now);
  for (Node* each : {&a, &b}) each->core.allow_founding(now);
  const Dot alone = b.write(1, {7}, now);
  Recovered left = left_by(b);
  left.keep(alone, record_of(alone.origin, alone.seq, signer(2), {7}));

  Node again(2, now, {}, 2);
  again.store = b.store;
  again.core.recover(std::move(left), now);
  again.core.allow_founding(now);
  link(a, again);
  pass({&a, &again}, 5s);
  EXPECT_TRUE(a.core.covers(alone));
  EXPECT_EQ(a.store.states[key(1)], Bytes{7});
}

TEST_F(RecoveredTest, WhatMayBeInNoLogIsWrittenOnceThereIsSomebodyToTell) {
  for (bool all : {true, false}) {
    Node a(1, now), b(2, now);
    b.store.merge(key(1), {7});
    Recovered left;
    left.owes_all = all;
    if (!all) left.owes = {{StoreId::session, key(1)}};
    b.core.recover(std::move(left), now);
    EXPECT_TRUE(b.core.owes());
    for (Node* each : {&a, &b}) each->core.allow_founding(now);
    pass({&b}, 10s);
    EXPECT_TRUE(b.core.owes());
    link(a, b);
    pass({&a, &b}, 10s);
    EXPECT_FALSE(b.core.owes());
    EXPECT_EQ(a.store.states[key(1)], Bytes{7});
  }
}

TEST_F(RecoveredTest, RecordsAreKeptUpToTheSizeOfARing) {
  Recovered left;
  const size_t size = RingLimits{}.max_bytes / 4;
  for (uint64_t seq = 1; seq <= 6; ++seq) left.keep(Dot{{node(1), 1}, seq}, Bytes(size));
  ASSERT_EQ(left.records.size(), 4u);
  EXPECT_EQ(left.records.front().first.seq, 3u);
}

}  // namespace
}  // namespace kith::replication
