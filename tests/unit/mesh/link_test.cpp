#include "mesh/link.h"

#include <gtest/gtest.h>

#include "wire.h"

namespace kith::mesh {
namespace {

const TestNode kAnn{.number = 1};
const TestNode kBob{.number = 2};

TEST(Link, IsEstablishedOnEachChannelAndShowsBothWhoTheOtherIs) {
  for (Channel channel : {Channel::membership, Channel::urgent, Channel::bulk}) {
    Wire wire = Wire::join(kAnn, kBob, channel);
    wire.run();
    ASSERT_TRUE(wire.both_established());
    const Established& bob = *wire.dialler_story.established;
    EXPECT_EQ(bob.peer, kBob.id());
    EXPECT_EQ(bob.key, kBob.config().key.public_key());
    EXPECT_EQ(bob.incarnation, 102u);
    EXPECT_EQ(bob.boot_nonce, 1002u);
    EXPECT_EQ(bob.record, Bytes(300, 2));
    EXPECT_EQ(bob.channel, channel);
    EXPECT_EQ(bob.version, 1);
    EXPECT_EQ(wire.acceptor_story.established->peer, kAnn.id());
    EXPECT_EQ(wire.acceptor_story.established->channel, channel);
  }
}

TEST(Link, IsEstablishedWhenBytesComeOneByOne) {
  Wire wire = Wire::join(kAnn, kBob);
  wire.step = 1;
  wire.run();
  EXPECT_TRUE(wire.both_established());
}

TEST(Link, IsEstablishedWithTheExpectedNodeAndWithEitherKeyDuringARotation) {
  Wire wire =
      Wire::join({.number = 1, .psks = {2, 1}}, {.number = 2, .psks = {1, 2}}, Channel::bulk, kBob.id());
  wire.run();
  EXPECT_TRUE(wire.both_established());
}

TEST(Link, CarriesTheLargestRecordAndClusterName) {
  LinkConfig ann = TestNode{.number = 1, .cluster = std::string(kMaxClusterName, 'c')}.config();
  LinkConfig bob = TestNode{.number = 2, .cluster = std::string(kMaxClusterName, 'c')}.config();
  ann.record = bob.record = Bytes(kMaxRecord, 7);
  Wire wire{dial(ann, {Channel::bulk, std::nullopt}), Side(bob, Port::data)};
  wire.run();
  EXPECT_TRUE(wire.both_established());
}

TEST(Link, CarriesMessagesBothWays) {
  Wire wire = Wire::join(kAnn, kBob);
  wire.run();
  wire.dialler.send(Lane::session, 7, as_bytes("to bob"));
  wire.acceptor.send(Lane::cache, 8, Bytes(kMaxMessage, 5));
  wire.dialler.send(Lane::stream, 9, {});
  wire.run();
  ASSERT_EQ(wire.acceptor_story.messages.size(), 2u);
  EXPECT_EQ(wire.acceptor_story.messages[0].type, 7);
  EXPECT_EQ(wire.acceptor_story.messages[0].lane, Lane::session);
  EXPECT_EQ(wire.acceptor_story.messages[0].payload, to_bytes("to bob"));
  EXPECT_TRUE(wire.acceptor_story.messages[1].payload.empty());
  ASSERT_EQ(wire.dialler_story.messages.size(), 1u);
  EXPECT_EQ(wire.dialler_story.messages[0].payload, Bytes(kMaxMessage, 5));
  EXPECT_EQ(wire.dialler.queued_bytes() + wire.acceptor.queued_bytes(), 0u);
}

TEST(Link, EncryptsOnlyALittleAheadSoThatControlOvertakesBulk) {
  Wire wire = Wire::join(kAnn, kBob);
  wire.run();
  wire.dialler.send(Lane::repair, 1, Bytes(kMaxMessage, 1));
  Bytes first = wire.dialler.poll_transmit();
  EXPECT_LE(first.size(), kTransmitSize + kRecordSize + 256);
  EXPECT_GE(wire.dialler.queued_bytes(Lane::repair), kMaxMessage - first.size());
  wire.acceptor.handle_input(first, kStart);
  wire.dialler.send(Lane::control, 2, as_bytes("now"));
  wire.run();
  ASSERT_EQ(wire.acceptor_story.messages.size(), 2u);
  EXPECT_EQ(wire.acceptor_story.messages[0].type, 2);
  EXPECT_EQ(wire.acceptor_story.messages[1].payload.size(), kMaxMessage);
}

TEST(Link, GoesOnAcrossKeyUpdates) {
  Wire wire = Wire::join({.number = 1, .records_per_key = 3}, {.number = 2, .records_per_key = 4});
  wire.run();
  for (int i = 0; i < 20; ++i) {
    wire.dialler.send(Lane::session, 1, Bytes(100, static_cast<uint8_t>(i)));
    wire.acceptor.send(Lane::session, 1, Bytes(20000, static_cast<uint8_t>(i)));
    wire.run();
  }
  EXPECT_EQ(wire.acceptor_story.messages.size(), 20u);
  EXPECT_EQ(wire.dialler_story.messages.size(), 20u);
}

TEST(Link, DropsMessagesUnlessItIsEstablished) {
  Wire wire = Wire::join(kAnn, kBob);
  wire.dialler.send(Lane::session, 1, as_bytes("early"));
  EXPECT_EQ(wire.dialler.queued_bytes(), 0u);
  wire.run();
  EXPECT_TRUE(wire.acceptor_story.messages.empty());
}

TEST(Link, ClosesWithReasonAndTextOnBothSides) {
  Wire wire = Wire::join(kAnn, kBob);
  wire.run();
  wire.acceptor.refuse(Refusal::duplicate, "there is one\n");
  wire.run();
  EXPECT_TRUE(wire.acceptor.closed() && wire.dialler.closed());
  EXPECT_EQ(wire.acceptor_story.reason(), Refusal::duplicate);
  EXPECT_FALSE(wire.acceptor_story.closed->by_peer);
  EXPECT_EQ(wire.dialler_story.reason(), Refusal::duplicate);
  EXPECT_TRUE(wire.dialler_story.closed->by_peer);
  EXPECT_EQ(wire.dialler_story.closed->detail, "there is one\\x0a");
  EXPECT_FALSE(wire.acceptor.poll_event());
}

TEST(Link, LetsControlMessagesGoBeforeTheGoodbyeAndNothingElse) {
  Wire wire = Wire::join(kAnn, kBob);
  wire.run();
  wire.dialler.send(Lane::cache, 1, Bytes(100000, 1));
  wire.dialler.send(Lane::control, 2, as_bytes("leaving"));
  wire.dialler.refuse(Refusal::shutting_down, "");
  EXPECT_EQ(wire.dialler.queued_bytes(), 0u);
  wire.run();
  ASSERT_EQ(wire.acceptor_story.messages.size(), 1u);
  EXPECT_EQ(wire.acceptor_story.messages[0].type, 2);
  EXPECT_EQ(wire.acceptor_story.reason(), Refusal::shutting_down);
}

TEST(Link, EndsWithoutReasonWhenTheConnectionEnds) {
  Wire wire = Wire::join(kAnn, kBob);
  wire.run();
  wire.dialler.handle_end(kStart);
  wire.run();
  ASSERT_TRUE(wire.dialler_story.closed);
  EXPECT_EQ(wire.dialler_story.reason(), Refusal::none);
  Wire early = Wire::join(kAnn, kBob);
  early.acceptor.handle_end(kStart);
  EXPECT_TRUE(early.acceptor.closed());
}

TEST(Link, GivesTheHandshakeThreeSeconds) {
  Wire wire = Wire::join(kAnn, kBob);
  EXPECT_EQ(wire.acceptor.poll_timeout(), kStart + 3s);
  wire.acceptor.handle_timeout(kStart + 2999ms);
  EXPECT_FALSE(wire.acceptor.closed());
  wire.acceptor.handle_timeout(kStart + 3s);
  wire.acceptor_story.take(wire.acceptor);
  EXPECT_EQ(wire.acceptor_story.reason(), Refusal::handshake_timeout);
  EXPECT_TRUE(wire.acceptor.poll_transmit().empty());
  wire.dialler.handle_input(Bytes{0x89}, kStart + 3s);  // a drip does not help
  wire.dialler_story.take(wire.dialler);
  EXPECT_EQ(wire.dialler_story.reason(), Refusal::handshake_timeout);
}

TEST(Link, RefusesAnotherClusterNamingBoth) {
  Wire wire = Wire::join(kAnn, {.number = 2, .cluster = "prod"});
  wire.run();
  EXPECT_EQ(wire.dialler_story.reason(), Refusal::wrong_cluster);
  EXPECT_EQ(wire.acceptor_story.reason(), Refusal::wrong_cluster);
  EXPECT_NE(wire.dialler_story.closed->detail.find("prod"), std::string::npos);
  EXPECT_NE(wire.acceptor_story.closed->detail.find("test"), std::string::npos);
  EXPECT_FALSE(wire.dialler_story.established || wire.acceptor_story.established);
}

TEST(Link, RefusesAnotherPreSharedKeyAndBothSidesSaySo) {
  Wire wire = Wire::join(kAnn, {.number = 2, .psks = {2, 3}});
  wire.run();
  EXPECT_EQ(wire.acceptor_story.reason(), Refusal::unknown_key);
  EXPECT_FALSE(wire.acceptor_story.closed->by_peer);
  EXPECT_EQ(wire.dialler_story.reason(), Refusal::unknown_key);
  EXPECT_TRUE(wire.dialler_story.closed->by_peer);
}

TEST(Link, RefusesAConnectionToTheOtherPortAndBothSidesSaySo) {
  Wire wire{dial(kAnn.config(), {Channel::urgent, std::nullopt}), Side(kBob.config(), Port::membership)};
  wire.run();
  EXPECT_EQ(wire.acceptor_story.reason(), Refusal::wrong_port);
  EXPECT_EQ(wire.dialler_story.reason(), Refusal::wrong_port);
  EXPECT_TRUE(wire.dialler_story.closed->by_peer);
}

TEST(Link, RefusesARetiredKeyByNameAndTheDiallerCanBelieveIt) {
  LinkConfig bob = kBob.config();
  const MeshKey old = MeshKey::derive(test_psk(1));
  bob.keyring = std::make_shared<const Keyring>(std::vector{MeshKey::derive(test_psk(2))},
                                                std::vector{RetiredKey{old.id, old.identity}});
  Wire wire{dial(kAnn.config(), {Channel::membership, std::nullopt}), Side(bob, Port::membership)};
  wire.run();
  EXPECT_EQ(wire.acceptor_story.reason(), Refusal::retired_key);
  EXPECT_EQ(wire.dialler_story.reason(), Refusal::retired_key);
  EXPECT_TRUE(wire.dialler_story.closed->by_peer);
  EXPECT_EQ(wire.dialler_story.closed->detail, "key " + old.id.hex());
}

TEST(Link, NamesTheKeyItWasMadeWith) {
  Wire wire{dial(TestNode{.number = 1, .psks = {1, 2}}.config(), {Channel::bulk, std::nullopt, 1}),
            Side(TestNode{.number = 2, .psks = {3, 2}}.config(), Port::data)};
  wire.run();
  ASSERT_TRUE(wire.both_established());
  EXPECT_EQ(wire.dialler_story.established->psk, MeshKey::derive(test_psk(2)).id);
  EXPECT_EQ(wire.acceptor_story.established->psk, MeshKey::derive(test_psk(2)).id);
}

TEST(Link, TellsTheAcceptorThatItRenewsAnotherLink) {
  Wire wire{dial(kAnn.config(), {Channel::bulk, std::nullopt, 0, true}), Side(kBob.config(), Port::data)};
  wire.run();
  ASSERT_TRUE(wire.both_established());
  EXPECT_TRUE(wire.dialler_story.established->renews);
  EXPECT_TRUE(wire.acceptor_story.established->renews);
}

TEST(Link, FinishesAfterAllThatWaitsAndEndsWhenBothHaveFinished) {
  Wire wire = Wire::join(kAnn, kBob);
  wire.run();
  wire.dialler.send(Lane::repair, 1, Bytes(300000, 1));
  wire.dialler.finish();
  wire.dialler.send(Lane::control, 2, as_bytes("too late"));
  wire.run();
  ASSERT_EQ(wire.acceptor_story.messages.size(), 1u);
  EXPECT_TRUE(wire.acceptor_story.finished);
  EXPECT_FALSE(wire.dialler_story.finished || wire.dialler.closed() || wire.acceptor.closed());
  wire.acceptor.send(Lane::session, 3, as_bytes("still here"));
  wire.acceptor.finish();
  wire.run();
  EXPECT_EQ(wire.dialler_story.messages.size(), 1u);
  EXPECT_TRUE(wire.dialler_story.finished);
  EXPECT_TRUE(wire.dialler.closed() && wire.acceptor.closed());
  EXPECT_EQ(wire.dialler_story.reason(), Refusal::none);
}

TEST(Link, UpdatesItsKeyEachHour) {
  Wire wire = Wire::join(kAnn, kBob);
  wire.run();
  ASSERT_EQ(wire.dialler.poll_timeout(), kStart + kKeyLifetime);
  wire.dialler.handle_timeout(kStart + kKeyLifetime);
  const Bytes update = wire.dialler.poll_transmit();
  EXPECT_FALSE(update.empty());  // the KeyUpdate
  EXPECT_EQ(wire.dialler.poll_timeout(), kStart + 2 * kKeyLifetime);
  wire.acceptor.handle_input(update, kStart);
  wire.dialler.send(Lane::session, 1, as_bytes("with the new key"));
  wire.run();
  EXPECT_EQ(wire.acceptor_story.messages.size(), 1u);
}

TEST(Link, RefusesAnotherVersionInTheClearAndTheDiallerLearnsWhy) {
  Wire wire = Wire::join(kAnn, kBob);
  wire.to_acceptor = [](Bytes& data) { data[10] = 2, data[12] = 3; };
  wire.run();
  EXPECT_EQ(wire.acceptor_story.reason(), Refusal::version);
  EXPECT_EQ(wire.acceptor_story.closed->detail, "it speaks versions 2 to 3, this node 1 to 1");
  EXPECT_EQ(wire.dialler_story.reason(), Refusal::version);
  EXPECT_TRUE(wire.dialler_story.closed->by_peer);
}

TEST(Link, RecognisesItselfAndItsClone) {
  Wire mirror = Wire::join(kAnn, kAnn);
  mirror.run();
  EXPECT_EQ(mirror.dialler_story.reason(), Refusal::self);
  EXPECT_FALSE(mirror.dialler_story.closed->by_peer);
  EXPECT_EQ(mirror.acceptor_story.reason(), Refusal::self);
  Wire twin = Wire::join(kAnn, {.number = 1, .boot_nonce = 77});
  twin.run();
  EXPECT_EQ(twin.dialler_story.reason(), Refusal::clone);
  EXPECT_EQ(twin.acceptor_story.reason(), Refusal::clone);
}

TEST(Link, RefusesAnotherNodeThanTheExpectedOne) {
  Wire wire = Wire::join(kAnn, kBob, Channel::bulk, TestNode{.number = 3}.id());
  wire.run();
  EXPECT_EQ(wire.dialler_story.reason(), Refusal::unexpected_peer);
  EXPECT_EQ(wire.acceptor_story.reason(), Refusal::unexpected_peer);
}

TEST(Refusals, HaveANameAndASentenceEach) {
  for (uint16_t number = 0; number < 300; ++number) {
    const Refusal reason = refusal_from(number);
    EXPECT_FALSE(to_string(reason).empty());
    EXPECT_FALSE(explain(reason).empty());
    EXPECT_EQ(reason == Refusal::other, number > 19) << number;
  }
}

}  // namespace
}  // namespace kith::mesh
