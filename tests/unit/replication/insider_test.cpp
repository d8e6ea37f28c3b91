// One member lies about the others: what it can and cannot do (Core, docs/formats/replication.md rule 8).
#include "linked_nodes.h"

namespace kith::replication {
namespace {

// An insider is linked to v, and wants it to miss what a writes from now on.
class InsiderTest : public LinkedNodes {
 protected:
  Node a{1, now}, v{2, now}, w{3, now};
  const Replica h{node(9), 1};

  void SetUp() override {
    for (Node* each : {&a, &v, &w}) each->core.allow_founding(now);
    link(a, v);
    link(a, w);
    link(v, w);
    v.core.peer_up(h, now);
    for (uint8_t i = 0; i < 5; ++i) a.write(i, {1}, now);
    settle({&a, &v, &w});
  }
  uint64_t had_of_a() { return v.core.applied().at(a.core.self()).highest(); }
};

TEST_F(InsiderTest, CannotPutOpsIntoTheMouthOfAPresentNode) {
  claim(v, h.node, a.core.self(), 1000);
  for (uint64_t seq = 6; seq < 20; ++seq)
    relay(v, h.node, a.core.self(), seq, record_of(a.core.self(), seq, signer(9)));
  EXPECT_EQ(had_of_a(), 5u);
  EXPECT_GT(v.core.counters().ops_forged, 0u);
  const Dot dot = a.write(1, {9}, now);
  pass({&a, &v, &w}, 15s);  // settle() expects that no honest node refuses another's message
  EXPECT_EQ(v.store.states[key(1)], Bytes{9});
  EXPECT_EQ(a.core.acked_by(dot.seq), 2u);
}

TEST_F(InsiderTest, CannotPutOpsIntoTheMouthOfADeadNode) {
  unlink(a, v);
  const Dot dot = a.write(1, {9}, now);
  settle({&a, &w});
  unlink(a, w);
  claim(v, h.node, a.core.self(), 1000);
  relay(v, h.node, a.core.self(), dot.seq, record_of(a.core.self(), dot.seq, signer(9), {2}));
  EXPECT_FALSE(v.core.covers(dot));
  pass({&v, &w}, 30s);
  EXPECT_TRUE(v.core.covers(dot));
  EXPECT_EQ(v.store.states[key(1)], Bytes{9});
}

TEST_F(InsiderTest, CannotUseAnOpOfAnotherPlaceLifeOrCluster) {
  unlink(a, v);
  const Replica self = a.core.self();
  claim(v, h.node, self, 1000);
  claim(v, h.node, Replica{self.node, 7}, 1000);
  relay(v, h.node, self, 7, record_of(self, 6, signer(1)));
  relay(v, h.node, Replica{self.node, 7}, 6, record_of(self, 6, signer(1)));
  relay(v, h.node, self, 6, record_of(self, 6, signer(1), {}, "other"));
  EXPECT_EQ(had_of_a(), 5u);
  EXPECT_EQ(v.core.counters().ops_forged, 3u);
  relay(v, h.node, self, 6, record_of(self, 6, signer(1)));
  EXPECT_EQ(had_of_a(), 6u);
}

// Gives v a snapshot of nothing that claims 1000 writes of a.
void give_false_snapshot(Node& v, const Replica& h, const Replica& origin, MonoTime now) {
  while (auto message = v.core.poll_transmit(h.node, Priority::control)) {
    if (message->type != static_cast<uint8_t>(MessageType::snapshot_request)) continue;
    SnapshotChunk chunk;
    chunk.request = decode_snapshot_request(message->payload)->request;
    chunk.last = true;
    chunk.ahead[origin] = Coverage(1000);
    ASSERT_TRUE(
        v.core.handle_message(h.node, static_cast<uint8_t>(MessageType::snapshot), encode(chunk), now));
    v.drain();
  }
}

TEST_F(InsiderTest, CannotClaimMoreOfAPresentNodeByASnapshotThanItWrote) {
  claim(v, h.node, Replica{node(77), 1}, 3);  // it has a log that nobody else has, but not the ops
  for (int second = 0; second < 40; ++second) {
    pass({&a, &v, &w}, 1s);
    give_false_snapshot(v, h, a.core.self(), now);
  }
  ASSERT_GT(v.core.counters().snapshots_taken, 0u);
  EXPECT_EQ(had_of_a(), 5u);
  a.write(1, {9}, now);
  settle({&a, &v, &w});
  EXPECT_EQ(v.store.states[key(1)], Bytes{9});
}

TEST_F(InsiderTest, CannotMakeANodeMissAWriteThatIsAnnouncedAndNotSentYet) {
  claim(v, h.node, Replica{node(77), 1}, 3);
  std::optional<SnapshotRequest> request;
  for (int second = 0; second < 40 && !request; ++second) {
    pass({&a, &v, &w}, 1s);
    while (auto message = v.core.poll_transmit(h.node, Priority::control))
      if (message->type == static_cast<uint8_t>(MessageType::snapshot_request))
        request = decode_snapshot_request(message->payload);
  }
  ASSERT_TRUE(request);
  a.write(1, {9}, now);
  now += 1s;
  a.core.handle_timeout(now);
  while (auto message = a.core.poll_transmit(v.id(), Priority::control))
    ASSERT_TRUE(tell(v, a.id(), static_cast<MessageType>(message->type), message->payload));
  (void)tell(v, h.node, MessageType::snapshot,
             encode(SnapshotChunk{request->request, 0, true, false, {{a.core.self(), Coverage(1000)}}}));
  ASSERT_EQ(had_of_a(), 6u);
  settle({&a, &v, &w});
  EXPECT_EQ(v.store.states[key(1)], Bytes{9});
}

TEST_F(InsiderTest, CannotMakeANodeMissTheFirstWritesAfterACut) {
  unlink(a, v);
  unlink(v, w);
  claim(v, h.node, a.core.self(), 1000);
  for (int second = 0; second < 40; ++second) {
    pass({&v}, 1s);
    give_false_snapshot(v, h, a.core.self(), now);
  }
  ASSERT_EQ(had_of_a(), 1000u);  // a is away, and this cannot be told from the truth
  link(a, v);
  const Dot dot = a.write(1, {9}, now);
  settle({&a, &v});
  EXPECT_EQ(had_of_a(), dot.seq);
  EXPECT_EQ(v.store.states[key(1)], Bytes{9});
  EXPECT_EQ(a.core.acked_by(dot.seq), 1u);
}

TEST_F(InsiderTest, WhoGivesNoSnapshotIsNotAskedAgainWhileOthersWait) {
  claim(v, h.node, Replica{node(77), 1}, 3);
  pass({&a, &v, &w}, 40s);
  EXPECT_EQ(v.core.counters().snapshots_aborted, 1u);
}

using InventorTest = LinkedNodes;

// Logs of nobody, one op in each, as an insider sends them.
void invent(Core& victim, const Replica& liar, uint64_t count, MonoTime now, uint64_t first = 1) {
  auto send = [&](MessageType type, const Bytes& payload) {
    (void)victim.handle_message(liar.node, static_cast<uint8_t>(type), payload, now);
  };
  for (uint64_t life = first; life < first + count; ++life) {
    const Replica nobody{node(77), life};
    send(MessageType::vector, encode(VectorMessage{true, true, {{nobody, Coverage(1)}}}));
    OpsWriter ops(nobody);
    ops.add(1, record_of(nobody, 1, signer(77)));
    send(MessageType::ops, ops.take());
  }
}

TEST_F(InventorTest, APeerThatInventsLogsDoesNotCutHonestPeersOffOneAnother) {
  Node a(1, now), b(2, now);
  for (Node* each : {&a, &b}) each->core.allow_founding(now);
  link(a, b);
  settle({&a, &b});
  const Replica liar{node(9), 1};
  b.core.peer_up(liar, now);
  invent(b.core, liar, 4096, now);
  pass({&a, &b}, 5s);  // settle() expects that no message is refused
  const Dot dot = b.write(1, {5}, now);
  settle({&a, &b});
  EXPECT_TRUE(a.core.covers(dot));
  EXPECT_GT(b.core.counters().logs_refused, 0u);
}

TEST_F(InventorTest, WhatOnePeerBringsIsBoundedAlsoWhenItComesBack) {
  Config few;
  few.max_brought = 8;
  Node a(1, now, few);
  const Replica liar{node(9), 1};
  for (uint64_t round = 0; round < 5; ++round) {
    a.core.peer_up(liar, now);
    invent(a.core, liar, 100, now, 1 + 1000 * round);
    a.core.peer_down(liar.node, now);
    a.drain();
  }
  EXPECT_LE(a.core.applied().size(), 9u);
}

TEST_F(InventorTest, APeerThatNeverAgreesDoesNotKeepInventedLogsForEver) {
  Config few;
  few.max_departed = 4;
  few.max_brought = 40;
  few.retire_after = 5s;
  Node a(1, now, few);
  const Replica liar{node(9), 1};
  a.core.allow_founding(now);
  a.core.peer_up(liar, now);
  invent(a.core, liar, 40, now);
  a.drain();
  EXPECT_GT(a.core.applied().size(), 30u);
  Node b(2, now, few);  // has none of them, and never says that it has
  a.core.peer_up(b.core.self(), now);
  pass({&a}, 10s);
  EXPECT_LE(a.core.applied().size(), 9u);
}

// Answers that are no answers must not buy it time, while another has what is asked for.
TEST_F(InsiderTest, DoesNotKeepTheQuestionByFalseAnswers) {
  unlink(a, v);
  const Dot dot = a.write(1, {9}, now);
  settle({&a, &w});
  unlink(a, w);
  unlink(v, w);
  claim(v, h.node, a.core.self(), 1000);
  pass({&v}, 2s);
  ASSERT_EQ(v.core.counters().ranges_asked, 1u);
  link(v, w);
  for (int second = 0; second < 15; ++second) {
    relay(v, h.node, a.core.self(), dot.seq, record_of(a.core.self(), dot.seq, signer(9), {2}));
    pass({&v, &w}, 1s);
  }
  EXPECT_EQ(v.store.states[key(1)], Bytes{9});
}

TEST_F(InsiderTest, IsAskedLastOnceItWasSilent) {
  unlink(a, v);
  unlink(v, w);
  for (int life = 1; life < 40; ++life) a.write(1, Bytes(60'000, static_cast<uint8_t>(life)), now);
  const Dot last = a.write(1, {9}, now);
  settle({&a, &w});
  unlink(a, w);
  claim(v, h.node, a.core.self(), 1000);
  pass({&v}, 25s);  // neither the range nor the snapshot came
  link(v, w);
  settle({&v, &w});  // in pieces, none of which is asked of the insider
  EXPECT_TRUE(v.core.covers(last));
}

}  // namespace
}  // namespace kith::replication
