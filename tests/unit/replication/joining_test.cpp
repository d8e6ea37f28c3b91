// When a node that joins may say that it has caught up.
#include "linked_nodes.h"

namespace kith::replication {
namespace {

// a and b are ready; c joins, and the test decides what reaches it first.
class JoiningTest : public LinkedNodes {
 protected:
  Node a{1, now}, b{2, now}, c{3, now};
  const Replica liar{node(9), 1};

  void SetUp() override {
    for (Node* each : {&a, &b}) each->core.allow_founding(now);
    link(a, b);
    for (uint8_t i = 0; i < 5; ++i) a.write(i, {1}, now);
    settle({&a, &b});
  }
  void carry_control(Node& from, Node& to) {
    while (auto message = from.core.poll_transmit(to.id(), Priority::control))
      ASSERT_TRUE(tell(to, from.id(), static_cast<MessageType>(message->type), message->payload));
  }
  void keeps_what_it_lacks(bool ready);
  void claim_while_joining(NodeId from, const Replica& origin, uint64_t prefix) {
    ASSERT_TRUE(
        tell(c, from, MessageType::vector, encode(VectorMessage{true, false, {{origin, Coverage(prefix)}}})));
  }
};

TEST_F(JoiningTest, WaitsForAWriteThatOnePeerHadBeforeItsWriterToldUs) {
  link(a, c);
  carry_control(a, c);
  const Dot dot = a.write(1, {9}, now);
  settle({&a, &b});
  link(b, c);
  settle({&b, &c});
  EXPECT_FALSE(c.core.caught_up());
  settle({&a, &b, &c});
  EXPECT_TRUE(c.core.caught_up());
  EXPECT_TRUE(c.core.covers(dot));
  EXPECT_EQ(c.store.states[key(1)], Bytes{9});
}

TEST_F(JoiningTest, DoesNotWaitForWhatTheWriterItselfKnowsNothingOf) {
  c.core.peer_up(liar, now);
  claim_while_joining(liar.node, a.core.self(), 1000);
  link(a, c);
  link(b, c);
  settle({&a, &b, &c});
  EXPECT_TRUE(c.core.caught_up());
  EXPECT_EQ(c.core.applied().at(a.core.self()), Coverage(5));
}

TEST_F(JoiningTest, AsksAWriterThatComesBackAnew) {
  Node d(4, now);  // nobody is ready yet
  c.core.peer_up(liar, now);
  claim_while_joining(liar.node, d.core.self(), 1000);
  link(c, d);
  settle({&c, &d});
  unlink(c, d);
  link(c, d);
  settle({&c, &d});
  ASSERT_FALSE(c.core.caught_up());
  d.core.allow_founding(now);
  pass({&c, &d}, 2s);
  EXPECT_TRUE(c.core.caught_up());
}

TEST_F(JoiningTest, KeepsLogsThatItLacksSomethingOf) { keeps_what_it_lacks(false); }
TEST_F(JoiningTest, KeepsLogsThatItWaitsForLater) { keeps_what_it_lacks(true); }

void JoiningTest::keeps_what_it_lacks(bool ready) {
  Config few;
  few.max_departed = 1;
  few.retire_after = 1s;
  Node joiner(5, now, few);
  if (ready) joiner.core.allow_founding(now);
  joiner.core.peer_up(a.core.self(), now);
  auto dead = [](uint64_t life) { return Replica{node(77), life}; };
  for (uint64_t life = 1; life <= 4; ++life) {
    claim(joiner, a.id(), dead(life), 2);
    relay(joiner, a.id(), dead(life), 1, record_of(dead(life), 1, signer(77)));
  }
  pass({&joiner}, 5s);
  EXPECT_EQ(joiner.core.caught_up(), ready);
  for (uint64_t life = 1; life <= 4; ++life) {
    relay(joiner, a.id(), dead(life), 2, record_of(dead(life), 2, signer(77)));
    EXPECT_TRUE(joiner.core.covers(Dot{dead(life), 2})) << life;
  }
}

// A slow link that takes one control message at a time: an acknowledgement is due at every turn.
TEST_F(JoiningTest, IsNotHeldUpByItsOwnAcknowledgements) {
  link(a, c);
  carry_control(c, a);
  carry_control(a, c);  // c wants a snapshot
  bool asked = false;
  for (int turn = 0; turn < 3 && !asked; ++turn) {
    a.write(1, {9}, now);
    while (auto ops = a.core.poll_transmit(c.id(), Priority::session))
      ASSERT_TRUE(tell(c, a.id(), MessageType::ops, ops->payload));
    now += 1s;
    c.core.handle_timeout(now);
    auto message = c.core.poll_transmit(a.id(), Priority::control);
    ASSERT_TRUE(message);
    asked = message->type == static_cast<uint8_t>(MessageType::snapshot_request);
  }
  EXPECT_TRUE(asked);
}

}  // namespace
}  // namespace kith::replication
