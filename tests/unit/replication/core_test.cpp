#include "replication/core.h"

#include "linked_nodes.h"

namespace kith::replication {
namespace {

using CoreTest = LinkedNodes;

TEST_F(CoreTest, AWriteIsAppliedByEveryPeerAndAcknowledged) {
  Node a(1, now), b(2, now), c(3, now);
  for (Node* each : {&a, &b, &c}) each->core.allow_founding(now);
  link(a, b);
  link(a, c);
  link(b, c);
  settle({&a, &b, &c});
  const Dot dot = a.write(1, {5}, now);
  EXPECT_EQ(a.core.acked_by(dot.seq), 0u);
  settle({&a, &b, &c});
  EXPECT_EQ(a.core.acked_by(dot.seq), 2u);
  EXPECT_EQ(b.store.states, a.store.states);
  EXPECT_TRUE(c.core.covers(dot));
  EXPECT_EQ(c.core.holders(dot).front(), a.id());
  EXPECT_EQ(a.acks.size(), 2u);
}

TEST_F(CoreTest, ManyWritesTravelInFewMessages) {
  Node a(1, now), b(2, now);
  a.core.allow_founding(now);
  link(a, b);
  settle({&a, &b});
  for (int i = 0; i < 1000; ++i) a.write(static_cast<uint8_t>(i), {1, 2, 3}, now);
  EXPECT_LE(settle({&a, &b}), 6u);
  EXPECT_EQ(a.core.acked_by(1000), 1u);
}

TEST_F(CoreTest, AJoiningNodeIsCaughtUpOnlyAfterItHasAll) {
  Node a(1, now), b(2, now);
  a.core.allow_founding(now);
  for (int i = 0; i < 200; ++i) a.write(static_cast<uint8_t>(i), Bytes(2000, 7), now);
  link(a, b);
  for (size_t step = 0; !b.core.caught_up(); ++step) {
    ASSERT_LT(step, 1000u);
    settle({&a, &b}, 1);
    b.drain();
    if (b.core.caught_up()) {
      EXPECT_EQ(b.store.states, a.store.states);
    }
    if (step % 20 == 19) {
      now += 1s;
      a.core.handle_timeout(now);
      b.core.handle_timeout(now);
    }
  }
  EXPECT_EQ(b.core.counters().snapshots_taken, 1u);
  EXPECT_EQ(b.caught_up, 1);
}

TEST_F(CoreTest, ANodeAloneIsCaughtUpOnlyWhenItMayFound) {
  Node a(1, now), b(2, now);
  EXPECT_FALSE(a.core.caught_up());
  link(a, b);
  pass({&a, &b}, 5s);
  EXPECT_FALSE(a.core.caught_up());  // two that know nothing do not make one that is ready
  a.core.allow_founding(now);
  settle({&a, &b});
  EXPECT_TRUE(a.core.caught_up());
  EXPECT_TRUE(b.core.caught_up());
}

TEST_F(CoreTest, SurvivorsCompleteTheTailOfADeadNode) {
  Node a(1, now), b(2, now), c(3, now);
  for (Node* each : {&a, &b, &c}) each->core.allow_founding(now);
  link(a, b);
  link(b, c);
  settle({&a, &b, &c});
  const Dot dot = a.write(1, {5}, now);  // only b hears it
  settle({&a, &b, &c});
  unlink(a, b);
  pass({&b, &c}, 3s);
  EXPECT_TRUE(c.core.covers(dot));
  EXPECT_EQ(c.store.states, b.store.states);
  EXPECT_EQ(b.core.vector_digest(), c.core.vector_digest());
  EXPECT_EQ(c.core.counters().snapshots_taken, 0u);
}

TEST_F(CoreTest, AfterACutBothSidesSendWhatTheOtherLacks) {
  Node a(1, now), b(2, now);
  for (Node* each : {&a, &b}) each->core.allow_founding(now);
  link(a, b);
  settle({&a, &b});
  unlink(a, b);
  for (uint8_t i = 0; i < 50; ++i) a.write(i, {1}, now), b.write(100 + i, {2}, now);
  link(a, b);
  settle({&a, &b});
  EXPECT_EQ(a.store.states, b.store.states);
  EXPECT_EQ(a.core.counters().ranges_asked + b.core.counters().ranges_asked, 0u);
}

TEST_F(CoreTest, WhatLeftTheRingComesBySnapshot) {
  Config small;
  small.ring.max_bytes = 2000;
  Node a(1, now, small), b(2, now, small);
  for (Node* each : {&a, &b}) each->core.allow_founding(now);
  link(a, b);
  settle({&a, &b});
  unlink(a, b);
  for (uint8_t i = 0; i < 100; ++i) a.write(i, Bytes(40, i), now);
  EXPECT_LE(a.core.bytes_held(), small.ring.max_bytes);
  link(a, b);
  pass({&a, &b}, 10s);
  EXPECT_EQ(a.store.states, b.store.states);
  EXPECT_EQ(b.core.counters().snapshots_taken, 1u);
  EXPECT_EQ(a.core.acked_by(100), 1u);
}

TEST_F(CoreTest, ADonorThatDiesMidwayIsReplaced) {
  Node a(1, now), b(2, now), c(3, now);
  for (Node* each : {&a, &b}) each->core.allow_founding(now);
  link(a, b);
  settle({&a, &b});
  for (int i = 0; i < 200; ++i) a.write(static_cast<uint8_t>(i), Bytes(3000, 7), now);
  settle({&a, &b});
  link(a, c);
  settle({&a, &c}, 12);
  ASSERT_FALSE(c.core.caught_up());
  link(b, c);
  unlink(a, c);
  unlink(a, b);
  pass({&b, &c}, 5s);
  EXPECT_TRUE(c.core.caught_up());
  EXPECT_EQ(c.store.states, b.store.states);
  EXPECT_EQ(c.core.counters().snapshots_aborted, 1u);
}

TEST_F(CoreTest, APullAnswersAtOnceAndSaysWhetherItIsNewEnough) {
  Node a(1, now), b(2, now);
  for (Node* each : {&a, &b}) each->core.allow_founding(now);
  link(a, b);
  settle({&a, &b});
  const Dot dot = a.write(1, {5}, now);
  const uint64_t request = b.core.pull(a.id(), StoreId::session, key(1), dot, now);
  auto ask = b.core.poll_transmit(a.id(), Priority::control);
  ASSERT_TRUE(ask);
  ASSERT_TRUE(a.core.handle_message(b.id(), ask->type, ask->payload, now));
  auto answer = a.core.poll_transmit(b.id(), Priority::control);
  ASSERT_TRUE(answer);
  ASSERT_TRUE(b.core.handle_message(a.id(), answer->type, answer->payload, now));
  b.drain();
  ASSERT_EQ(b.pulled.size(), 1u);
  EXPECT_EQ(b.pulled[0].request, request);
  EXPECT_TRUE(b.pulled[0].found && b.pulled[0].covers);
  EXPECT_EQ(b.store.states[key(1)], Bytes{5});
  EXPECT_FALSE(b.core.covers(dot));  // the log itself has yet to come
  b.core.pull(a.id(), StoreId::session, key(9), Dot{a.core.self(), 77}, now);
  settle({&a, &b});
  ASSERT_EQ(b.pulled.size(), 2u);
  EXPECT_FALSE(b.pulled[1].found || b.pulled[1].covers);
}

TEST_F(CoreTest, APullEndsWhenThePeerIsGoneOrSilent) {
  Node a(1, now), b(2, now);
  b.core.pull(a.id(), StoreId::session, key(1), Dot{}, now);
  b.drain();
  EXPECT_EQ(b.pulled.size(), 1u);
  link(a, b);
  b.core.pull(a.id(), StoreId::session, key(1), Dot{}, now);
  b.core.peer_down(a.id(), now);
  b.drain();
  EXPECT_EQ(b.pulled.size(), 2u);
  link(a, b);
  b.core.pull(a.id(), StoreId::session, key(1), Dot{}, now);
  now += 6s;
  b.core.handle_timeout(now);
  b.drain();
  EXPECT_EQ(b.pulled.size(), 3u);
  EXPECT_TRUE(std::none_of(b.pulled.begin(), b.pulled.end(), [](const Pulled& each) { return each.found; }));
}

TEST_F(CoreTest, StateThatOnlyAPullBroughtReachesTheOthersWhenItsOriginDies) {
  Node a(1, now), b(2, now), c(3, now);
  leave_with_pulled(a, b, c);
  pass({&b, &c}, 8s);
  EXPECT_EQ(b.core.counters().debts_written, 1u);
  EXPECT_EQ(c.store.states, b.store.states);
  EXPECT_EQ(c.store.states[key(1)], Bytes{5});
}

TEST_F(CoreTest, AMemberThatClaimsWhatItDoesNotGiveCannotPutOffWhatIsOwed) {
  Node a(1, now), b(2, now), c(3, now);
  leave_with_pulled(a, b, c);
  b.core.peer_up(Replica{node(9), 1}, now);
  for (uint8_t second = 0; second < 90; ++second) {
    claim(b, node(9), Replica{node(static_cast<uint8_t>(100 + second)), 1}, 1);
    pass({&b, &c}, 1s);
  }
  EXPECT_EQ(b.core.counters().debts_written, 1u);
  EXPECT_EQ(c.store.states[key(1)], Bytes{5});
}

// Who passed it on had it from elsewhere too, and dies before it can say so.
TEST_F(CoreTest, StateThatWasPulledOnIsNotLostWhenBothItsSourcesDie) {
  Node a(1, now), b(2, now), c(3, now), d(4, now);
  for (Node* each : {&a, &b, &c, &d}) each->core.allow_founding(now);
  link(a, b);
  link(b, c);
  link(c, d);
  settle({&a, &b, &c, &d});
  a.write(1, {5}, now);
  pull_alone(b, a, key(1));
  b.drain();
  pull_alone(c, b, key(1));
  unlink(a, b);
  unlink(b, c);
  pass({&c, &d}, 8s);
  EXPECT_EQ(d.store.states[key(1)], Bytes{5});
}

TEST_F(CoreTest, ARestartedNodeStartsANewLogAndTheOldOneIsRetiredWhenAllAgree) {
  Config few;
  few.max_departed = 1;
  few.retire_after = 5s;
  Node a(1, now, few), b(2, now, few);
  for (Node* each : {&a, &b}) each->core.allow_founding(now);
  link(a, b);
  settle({&a, &b});
  Dot first;
  for (uint64_t life = 1; life <= 4; ++life) {
    Node c(3, now, few, life);
    link(a, c);
    link(b, c);
    pass({&a, &b, &c}, 2s);
    const Dot dot = c.write(static_cast<uint8_t>(life), {1}, now);
    if (life == 1) first = dot;
    pass({&a, &b, &c}, 2s);
    unlink(a, c);
    unlink(b, c);
  }
  pass({&a, &b}, 20s);
  EXPECT_GT(a.core.counters().logs_retired, 0u);
  EXPECT_LE(a.core.applied().size(), 3u);
  EXPECT_TRUE(a.core.covers(first));
  EXPECT_EQ(a.store.states, b.store.states);
}

// ---------------------------------------------------------------- broken peers

TEST_F(CoreTest, OpsInOurOwnNameAreRefused) {
  Node a(1, now), b(2, now);
  link(a, b);
  OpsWriter forged(a.core.self());
  forged.add(1, record_of(a.core.self(), 1, signer(1)));
  EXPECT_FALSE(a.core.handle_message(b.id(), static_cast<uint8_t>(MessageType::ops), forged.take(), now));
  EXPECT_EQ(a.core.own_seq(), 0u);
}

TEST_F(CoreTest, OpsOfAThirdNodeThatWereNotAnnouncedAreNotApplied) {
  Node a(1, now), b(2, now);
  link(a, b);
  const Replica third{node(3), 1};
  OpsWriter forged(third);
  forged.add(1, record_of(third, 1, signer(3)));
  EXPECT_TRUE(a.core.handle_message(b.id(), static_cast<uint8_t>(MessageType::ops), forged.take(), now));
  EXPECT_FALSE(a.core.covers(Dot{third, 1}));
  EXPECT_EQ(a.core.counters().ops_refused, 1u);
}

TEST_F(CoreTest, AnAcknowledgementOfWhatWasNeverWrittenIsCutAtTheEndOfTheLogAndTheLinkStays) {
  Node a(1, now), b(2, now);
  link(a, b);
  a.write(1, {1}, now);
  const Bytes lie = encode(VectorMessage{true, true, {{a.core.self(), Coverage(5)}}});
  EXPECT_TRUE(tell(a, b.id(), MessageType::vector, lie));
  EXPECT_EQ(a.core.counters().false_claims, 1u);
  EXPECT_EQ(a.core.acked_by(1), 1u);
  const Dot second = a.write(2, {1}, now);
  EXPECT_EQ(a.core.acked_by(second.seq), 0u);
  // What it says it has cannot be had from elsewhere: it gets it.
  EXPECT_TRUE(tell(a, b.id(), MessageType::vector, lie));
  const auto ops = a.core.poll_transmit(b.id(), Priority::session);
  ASSERT_TRUE(ops);
  OpsReader reader(ops->payload);
  uint64_t last = 0;
  while (auto next = reader.next()) last = next->first.dot.seq;
  EXPECT_EQ(last, second.seq);
}

TEST_F(CoreTest, AnUnknownMessageTypeIsSkippedAndAnOversizedMessageRefused) {
  Node a(1, now), b(2, now);
  link(a, b);
  EXPECT_TRUE(a.core.handle_message(b.id(), 200, Bytes{1, 2}, now));
  EXPECT_FALSE(a.core.handle_message(b.id(), 1, Bytes(kMaxMessage + 1), now));
  EXPECT_TRUE(a.core.handle_message(node(9), 1, Bytes{1, 2}, now));  // not up: ignored
}

TEST_F(CoreTest, NothingIsSentWhileEventsWait) {
  Node a(1, now), b(2, now);
  a.core.allow_founding(now);
  link(a, b);
  EXPECT_FALSE(a.core.poll_transmit(b.id(), Priority::control));
  a.drain();
  EXPECT_TRUE(a.core.poll_transmit(b.id(), Priority::control));
}

}  // namespace
}  // namespace kith::replication
