#include "replication/core.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace kith::replication {
namespace {

crypto::SigningKey signer(uint8_t id) { return crypto::SigningKey::from_seed(Bytes(32, id)); }
NodeId node(uint8_t id) { return crypto::node_id(signer(id).public_key()); }
Key key(uint8_t id) {
  Key result;
  result.bytes[0] = id;
  return result;
}

// An op of this log with the key's id 1, as whoever signs it sends it.
Bytes record_of(const Replica& origin, uint64_t seq, const crypto::SigningKey& by, Bytes payload = {},
                std::string_view cluster = "") {
  Op op;
  op.dot = {origin, seq};
  op.kind = 1;
  op.key = key(1);
  op.payload = std::move(payload);
  return make_record(op, by, cluster);
}

// A store whose state of a key is the last payload in byte order, which is a lattice.
struct Store final : Source {
  std::map<Key, Bytes> states;
  void merge(const Key& at, const Bytes& state) { states[at] = std::max(states[at], state); }
  bool next(SnapshotCursor& cursor, size_t max_bytes, std::vector<StateEntry>& out) override {
    size_t bytes = 0;
    for (const auto& [at, state] : states) {
      if (cursor.begun && at <= cursor.after) continue;
      bytes += Key::kSize + state.size();
      if (bytes > max_bytes && !out.empty()) return true;
      out.push_back({StoreId::session, at, state});
      cursor.after = at;
      cursor.begun = true;
    }
    return false;
  }
  std::optional<Bytes> state_of(StoreId, const Key& at) override {
    auto found = states.find(at);
    if (found == states.end()) return std::nullopt;
    return found->second;
  }
};

struct Node {
  Store store;
  Core core;
  std::vector<Pulled> pulled;
  std::vector<AckProgress> acks;
  int caught_up = 0;

  Node(uint8_t id, MonoTime now, Config config = {}, uint64_t incarnation = 1)
      : core(config, Replica{node(id), incarnation}, signer(id), store, now) {}
  NodeId id() const { return core.self().node; }
  Dot write(uint8_t at, Bytes payload, MonoTime now) {
    store.merge(key(at), payload);
    Op op;
    op.key = key(at);
    op.kind = 1;
    op.payload = std::move(payload);
    return core.append(std::move(op), now);
  }
  void drain() {
    while (auto event = core.poll_event()) {
      if (auto* apply = std::get_if<Apply>(&*event)) store.merge(apply->op.key, apply->op.payload);
      if (auto* state = std::get_if<ApplyState>(&*event)) store.merge(state->entry.key, state->entry.state);
      if (auto* pull = std::get_if<Pulled>(&*event)) pulled.push_back(*pull);
      if (auto* ack = std::get_if<AckProgress>(&*event)) acks.push_back(*ack);
      if (std::get_if<CaughtUp>(&*event)) ++caught_up;
    }
  }
};

class CoreTest : public ::testing::Test {
 protected:
  MonoTime now{};

  void link(Node& a, Node& b) {
    a.core.peer_up(b.core.self(), now);
    b.core.peer_up(a.core.self(), now);
  }
  void unlink(Node& a, Node& b) {
    a.core.peer_down(b.id(), now);
    b.core.peer_down(a.id(), now);
  }
  // Carries messages until nobody has any; at most `limit` of them.
  size_t settle(std::vector<Node*> nodes, size_t limit = 100'000) {
    size_t carried = 0;
    for (bool moved = true; moved && carried < limit;) {
      moved = false;
      for (Node* from : nodes) {
        from->drain();
        for (Node* to : nodes) {
          for (Priority priority : {Priority::control, Priority::session, Priority::repair}) {
            while (carried < limit) {
              auto message = from->core.poll_transmit(to->id(), priority);
              if (!message) break;
              EXPECT_LE(message->payload.size(), kMaxMessage);
              ++carried;
              auto result = to->core.handle_message(from->id(), message->type, message->payload, now);
              EXPECT_TRUE(result) << result.error().message();
              to->drain();
              from->drain();
              moved = true;
            }
          }
        }
      }
    }
    return carried;
  }
  // A message as a peer that is no Core sends it.
  Result<void> tell(Node& to, NodeId from, MessageType type, const Bytes& payload) {
    auto result = to.core.handle_message(from, static_cast<uint8_t>(type), payload, now);
    to.drain();
    return result;
  }
  void claim(Node& to, NodeId from, const Replica& origin, uint64_t prefix) {
    (void)tell(to, from, MessageType::vector,
               encode(VectorMessage{true, true, {{origin, Coverage(prefix)}}}));
  }
  void relay(Node& to, NodeId from, const Replica& origin, uint64_t seq, const Bytes& record) {
    OpsWriter ops(origin);
    ops.add(seq, record);
    (void)tell(to, from, MessageType::ops, ops.take());
  }
  void pass(std::vector<Node*> nodes, Duration time) {
    for (const MonoTime end = now + time; now < end;) {
      now += 1s;
      for (Node* each : nodes) each->core.handle_timeout(now);
      settle(nodes);
    }
  }
};

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
  for (Node* each : {&a, &b, &c}) each->core.allow_founding(now);
  link(a, b);
  link(b, c);
  settle({&a, &b, &c});
  a.write(1, {5}, now);
  b.core.pull(a.id(), StoreId::session, key(1), Dot{}, now);
  auto ask = b.core.poll_transmit(a.id(), Priority::control);
  ASSERT_TRUE(a.core.handle_message(b.id(), ask->type, ask->payload, now));
  auto answer = a.core.poll_transmit(b.id(), Priority::control);
  ASSERT_TRUE(b.core.handle_message(a.id(), answer->type, answer->payload, now));
  unlink(a, b);
  pass({&b, &c}, 8s);
  EXPECT_EQ(b.core.counters().debts_written, 1u);
  EXPECT_EQ(c.store.states, b.store.states);
  EXPECT_EQ(c.store.states[key(1)], Bytes{5});
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

// ---------------------------------------------------------------- an insider

// An insider is linked to v, and wants it to miss what a writes from now on.
class InsiderTest : public CoreTest {
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
             encode(SnapshotChunk{request->request, 0, true, false, {{a.core.self(), Coverage(1000)}}, {}}));
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

TEST_F(CoreTest, APeerThatInventsLogsDoesNotCutHonestPeersOffOneAnother) {
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

TEST_F(CoreTest, WhatOnePeerBringsIsBoundedAlsoWhenItComesBack) {
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

TEST_F(CoreTest, APeerThatNeverAgreesDoesNotKeepInventedLogsForEver) {
  Config few;
  few.max_departed = 4;
  few.max_brought = 40;
  few.retire_after = 5s;
  Node a(1, now, few);
  const Replica liar{node(9), 1};
  a.core.peer_up(liar, now);
  invent(a.core, liar, 40, now);
  a.drain();
  EXPECT_GT(a.core.applied().size(), 30u);
  Node b(2, now, few);  // has none of them, and never says that it has
  a.core.peer_up(b.core.self(), now);
  pass({&a}, 10s);
  EXPECT_LE(a.core.applied().size(), 9u);
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
