// What strangers, eavesdroppers, men in the middle and members gone bad may try on a link.
#include <gtest/gtest.h>

#include <random>

#include "base/codec.h"
#include "mesh/link.h"
#include "wire.h"

namespace kith::mesh {
namespace {

const TestNode kAnn{.number = 1};
const TestNode kBob{.number = 2};
const TestNode kEve{.number = 3};  // has the PSK, but only her own node key

Hello hello_of(const TestNode& node) {
  LinkConfig config = node.config();
  return {.cluster = config.cluster,
          .key = config.key.public_key(),
          .incarnation = config.incarnation,
          .boot_nonce = config.boot_nonce,
          .record = config.record};
}

Side acceptor() { return Side(kBob.config(), Port::membership); }
Side dialler() { return dial(kAnn.config(), {Channel::membership, std::nullopt}); }

Refusal reason_of(Side& link) {
  Story story;
  story.take(link);
  return story.reason();
}

TEST(LinkAttack, ForeignProtocolsAreRefusedAtTheirFirstWrongByteWithoutAnAnswer) {
  for (std::string_view foreign :
       {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01", "SSH-2.0-x\r\n", "\x89KITH\n"}) {
    Side link = acceptor();
    link.handle_input(as_bytes(foreign), kStart);
    EXPECT_TRUE(link.poll_transmit().empty());
    EXPECT_EQ(reason_of(link), Refusal::foreign_protocol);
    Side caller = dialler();
    caller.handle_input(as_bytes(foreign), kStart);
    EXPECT_EQ(reason_of(caller), Refusal::foreign_protocol);
  }
}

TEST(LinkAttack, ARefusalInTheClearIsBelievedForVersionAndPortOnly) {
  for (uint16_t number = 0; number < 300; ++number) {
    Side link = dialler();
    Preamble refusal{.kind = Preamble::Kind::refusal, .flags_or_reason = number};
    link.handle_input(refusal.encode(), kStart);
    const Refusal reason = reason_of(link);
    EXPECT_TRUE(reason == (number == 2   ? Refusal::version
                           : number == 3 ? Refusal::wrong_port
                                         : Refusal::malformed));
  }
}

TEST(LinkAttack, AfterTheProofOnlyAnUnknownKeyIsBelievedInTheClear) {
  for (uint16_t number = 0; number < 300; ++number) {
    Side link = dialler();
    link.handle_input(Preamble{.kind = Preamble::Kind::acceptor, .channel = 1}.encode(), kStart);
    link.handle_input(Bytes(16, 5), kStart);
    Bytes refusal;
    append(refusal, Preamble{.kind = Preamble::Kind::refusal, .flags_or_reason = number}.encode());
    append(refusal, Bytes(kRefusalMacSize, 1));  // nobody who has no key can make it
    for (uint8_t byte : refusal) link.handle_input(ByteView(&byte, 1), kStart);
    EXPECT_EQ(reason_of(link), number == 4 ? Refusal::unknown_key : Refusal::malformed) << number;
  }
}

TEST(LinkAttack, ACapturedConversationCannotBeReplayedToEitherSide) {
  Bytes from_dialler, from_acceptor;
  Wire wire = Wire::join(kAnn, kBob);
  wire.to_acceptor = [&](Bytes& data) { append(from_dialler, data); };
  wire.to_dialler = [&](Bytes& data) { append(from_acceptor, data); };
  wire.run();
  ASSERT_TRUE(wire.both_established());
  Side bob = acceptor();
  bob.handle_input(from_dialler, kStart);
  EXPECT_FALSE(bob.established());
  EXPECT_TRUE(bob.closed());
  Side ann = dialler();
  ann.handle_input(from_acceptor, kStart);
  EXPECT_FALSE(ann.established());
  EXPECT_TRUE(ann.closed());
}

TEST(LinkAttack, AReflectionIsRefused) {
  Side ann = dialler();
  Bytes own = ann.poll_transmit();
  ann.handle_input(own, kStart);
  EXPECT_EQ(reason_of(ann), Refusal::malformed);

  // The preamble made to look like an answer, and what follows it reflected: the proof too, or TLS alone.
  for (size_t from : {size_t{0}, kProofSize}) {
    Side again = dialler();
    own = again.poll_transmit();
    own[8] = 2;
    again.handle_input(own, kStart);
    again.handle_input(test_challenge(), kStart);
    own = again.poll_transmit();
    again.handle_input(ByteView(own).subspan(from), kStart);
    EXPECT_TRUE(again.closed());
    EXPECT_EQ(reason_of(again), Refusal::tls_failure);
  }
}

TEST(LinkAttack, AReflectedProofIsNone) {
  // Eve answers a node's dial with that node's own challenge, and its proof is handed back to it.
  Side ann_dials = dialler();
  Side ann_accepts(kAnn.config(), Port::membership);
  ann_accepts.handle_input(ann_dials.poll_transmit(), kStart);
  ann_dials.handle_input(ann_accepts.poll_transmit(), kStart);
  ann_accepts.handle_input(ann_dials.poll_transmit(), kStart);
  Wire mirror{std::move(ann_dials), std::move(ann_accepts)};
  mirror.run();
  EXPECT_FALSE(mirror.both_established());
  EXPECT_EQ(mirror.dialler_story.reason(), Refusal::self);  // inside TLS it meets its own node key
}

TEST(LinkAttack, AHelloReflectedByAKeyHolderIsRefused) {
  for (Role role : {Role::dialler, Role::acceptor}) {
    Side victim = role == Role::dialler ? acceptor() : dialler();
    Insider eve(victim, role, kEve);
    Bytes hello = eve.heard_hello();
    ASSERT_FALSE(hello.empty());
    eve.say(link_frame(1, hello));
    EXPECT_FALSE(victim.established());
    EXPECT_EQ(reason_of(victim), Refusal::bad_signature);  // signed for the other role
  }
}

TEST(LinkAttack, AKeyHolderInTheMiddleCannotRelayTheHelloOfAnother) {
  Side ann = dialler();
  Side bob = acceptor();
  Insider to_ann(ann, Role::acceptor, kEve);
  Insider to_bob(bob, Role::dialler, kEve);
  to_bob.say(link_frame(1, to_ann.heard_hello()));
  to_ann.say(link_frame(1, to_bob.heard_hello()));
  EXPECT_EQ(reason_of(ann), Refusal::bad_signature);
  EXPECT_EQ(reason_of(bob), Refusal::bad_signature);
}

TEST(LinkAttack, AKeyHolderCannotPoseAsAnotherNode) {
  Side bob = acceptor();
  Insider eve(bob, Role::dialler, kEve);
  eve.say(link_frame(1, hello_of(kAnn).encode(kEve.config().key, Role::dialler, eve.transcript())));
  EXPECT_EQ(reason_of(bob), Refusal::bad_signature);
}

TEST(LinkAttack, AKeyHolderWithItsOwnKeyIsItself) {
  Side bob = acceptor();
  Insider eve(bob, Role::dialler, kEve);
  eve.say(link_frame(1, hello_of(kEve).encode(kEve.config().key, Role::dialler, eve.transcript())));
  EXPECT_FALSE(bob.established());
  eve.say(link_frame(2, {}));
  EXPECT_TRUE(bob.established());
  Story story;
  story.take(bob);
  EXPECT_EQ(story.established->peer, kEve.id());
}

TEST(LinkAttack, NothingGoesBeforeTheProofOrOutOfOrder) {
  const auto own_hello = [](const Insider& eve) {
    return link_frame(1, hello_of(kEve).encode(kEve.config().key, eve.role(), eve.transcript()));
  };
  const auto after = [](Bytes first, const Bytes& second) {
    append(first, second);
    return first;
  };
  const Bytes ready = link_frame(2, {});
  const std::vector<std::function<Bytes(const Insider&)>> kLines = {
      [&](const Insider&) { return ready; },
      [&](const Insider&) {
        return Bytes{0x00, 1, 0, 0};
      },  // a message at once
      [&](const Insider& eve) {
        return after(own_hello(eve), Bytes{0x00, 1, 0, 0});
      },  // before READY
      [&](const Insider& eve) { return after(own_hello(eve), own_hello(eve)); },
      [&](const Insider& eve) {
        return after(own_hello(eve), link_frame(2, Bytes{1}));
      },  // READY with payload
      [&](const Insider& eve) { return after(after(own_hello(eve), ready), ready); },
      [&](const Insider& eve) { return after(after(own_hello(eve), ready), own_hello(eve)); },
      [&](const Insider&) { return link_frame(9, {}); },
      [&](const Insider&) { return link_frame(1, {}); },
      [&](const Insider&) { return link_frame(3, {}); },
      [&](const Insider&) {
        return link_frame(3, Bytes{1, 0xff, 0xff, 3});
      },  // text beyond its limit
  };
  for (size_t i = 0; i < kLines.size(); ++i) {
    for (Role role : {Role::dialler, Role::acceptor}) {
      Side victim = role == Role::dialler ? acceptor() : dialler();
      Insider eve(victim, role, kEve);
      eve.say(kLines[i](eve));
      EXPECT_TRUE(victim.closed()) << i;
      EXPECT_EQ(reason_of(victim), Refusal::malformed) << i;
    }
  }
}

TEST(LinkAttack, AnUnknownReasonReadsAsOther) {
  Side bob = acceptor();
  Insider eve(bob, Role::dialler, kEve);
  eve.say(link_frame(3, Bytes{99, 2, '\x1b', '"'}));
  Story story;
  story.take(bob);
  EXPECT_EQ(story.reason(), Refusal::other);
  EXPECT_EQ(story.closed->detail.find('\x1b'), std::string::npos);
}

TEST(LinkAttack, EveryByteOfAHelloCountsAndNoneCrashes) {
  const Transcript transcript{.exporter = crypto::Secret(Bytes(32, 1)), .opening = {}};
  const Bytes good = hello_of(kEve).encode(kEve.config().key, Role::dialler, transcript);
  ASSERT_TRUE(ReceivedHello::decode(good)->verify(Role::dialler, transcript));
  ASSERT_FALSE(ReceivedHello::decode(good)->verify(Role::acceptor, transcript));
  ASSERT_FALSE(ReceivedHello::decode(good)->verify(
      Role::dialler, Transcript{.exporter = crypto::Secret(Bytes(32, 1)), .opening = {.dialler = {1}}}));
  std::mt19937 random(1);
  for (size_t at = 0; at < good.size(); ++at) {
    Bytes bad = good;
    bad[at] ^= static_cast<uint8_t>(1u << (random() % 8));
    auto received = ReceivedHello::decode(bad);
    EXPECT_FALSE(received && received->verify(Role::dialler, transcript));
    EXPECT_FALSE(ReceivedHello::decode(ByteView(good).first(at)));
  }
}

TEST(LinkAttack, AHelloMayHaveFieldsOfLaterVersions) {
  Transcript transcript;
  Bytes body;
  Writer writer(body);
  writer.string("test");
  writer.raw(kEve.config().key.public_key());
  writer.u64(1);
  writer.u64(2);
  writer.id(NodeId{});
  writer.bytes(Bytes(3, 3));
  writer.u8(0);
  writer.raw(as_bytes("a later field"));
  Bytes payload;
  Writer outer(payload);
  outer.bytes(body);
  outer.raw(Bytes(64, 0));
  auto received = ReceivedHello::decode(payload);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->hello().cluster, "test");
  EXPECT_FALSE(received->verify(Role::dialler, transcript));
}

TEST(LinkAttack, EveryFlippedByteOfTheHandshakeIsNoticedByItsReceiver) {
  size_t sizes[2] = {0, 0};
  {
    Wire wire = Wire::join(kAnn, kBob);
    wire.to_acceptor = [&](Bytes& data) { sizes[0] += data.size(); };
    wire.to_dialler = [&](Bytes& data) { sizes[1] += data.size(); };
    wire.run();
    ASSERT_TRUE(wire.both_established());
  }
  // The legacy version in the header of the first TLS record is "ignored for all purposes" (RFC 8446
  // section 5.1); its low byte alone changes nothing.
  const size_t kIgnored[2] = {kPreambleSize + kProofSize + 2, kPreambleSize + sizeof(Challenge) + 2};
  std::mt19937 random(2);
  for (int direction : {0, 1}) {
    for (size_t at = 0; at < sizes[direction]; ++at) {
      if (at == kIgnored[direction]) continue;
      Wire wire = Wire::join(kAnn, kBob);
      size_t passed = 0;
      const uint8_t flip = static_cast<uint8_t>(1u << (random() % 8));
      auto change = [&](Bytes& data) {
        if (at >= passed && at - passed < data.size()) data[at - passed] ^= flip;
        passed += data.size();
      };
      (direction == 0 ? wire.to_acceptor : wire.to_dialler) = change;
      wire.run();
      const Side& receiver = direction == 0 ? wire.acceptor : wire.dialler;
      EXPECT_FALSE(receiver.established())
          << "direction " << direction << " byte " << at << " flip " << int{flip};
    }
  }
}

TEST(LinkAttack, ATruncatedHandshakeNeverEstablishes) {
  Bytes from_dialler;
  Wire wire = Wire::join(kAnn, kBob);
  wire.to_acceptor = [&](Bytes& data) { append(from_dialler, data); };
  wire.run();
  for (size_t size = 0; size < from_dialler.size(); size += 7) {
    Side bob = acceptor();
    bob.handle_input(ByteView(from_dialler).first(size), kStart);
    bob.handle_end(kStart);
    EXPECT_TRUE(bob.closed());
  }
}

TEST(LinkAttack, NoMoreThanFourKilobytesAreReadBeforeTlsIsComplete) {
  Wire wire = Wire::join(kAnn, kBob);
  wire.to_acceptor = [](Bytes& data) {
    if (data[0] == 0x89) return;
    data.resize(kProofSize);
    // A handshake record of 16000 bytes that never ends.
    append(data, Bytes{0x16, 0x03, 0x01, 0x3e, 0x80, 0x01, 0x00, 0x3e, 0x7c, 0x03, 0x03});
    data.resize(kProofSize + kMaxTlsHandshake + 1, 0x41);
  };
  wire.run();
  EXPECT_EQ(wire.acceptor_story.reason(), Refusal::frame_limit);
}

TEST(LinkAttack, RandomBytesNeverCrashOrEstablish) {
  std::mt19937 random(3);
  const auto noise = [&](size_t max) {
    Bytes bytes(random() % max);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    return bytes;
  };
  for (int round = 0; round < 300; ++round) {
    Side bob = acceptor();
    Side ann = dialler();
    Preamble preamble{.kind = Preamble::Kind::dialler, .channel = 1};
    if (round % 2 == 0) bob.handle_input(preamble.encode(), kStart);
    preamble.kind = Preamble::Kind::acceptor;
    if (round % 2 == 0) ann.handle_input(preamble.encode(), kStart);
    for (int i = 0; i < 5; ++i) {
      bob.handle_input(noise(2000), kStart);
      ann.handle_input(noise(2000), kStart);
      (void)bob.poll_transmit();
      (void)ann.poll_transmit();
    }
    EXPECT_FALSE(bob.established() || ann.established());
  }
}

TEST(LinkAttack, BytesAfterTheEndChangeNothing) {
  Wire wire = Wire::join(kAnn, kBob);
  wire.run();
  wire.acceptor.refuse(Refusal::banned, "");
  wire.run();
  wire.acceptor.handle_input(Bytes(100, 1), kStart);
  wire.acceptor.handle_end(kStart);
  wire.acceptor.handle_timeout(kStart + 1h);
  wire.acceptor.refuse(Refusal::duplicate, "");
  EXPECT_FALSE(wire.acceptor.poll_event());
  EXPECT_TRUE(wire.acceptor.poll_transmit().empty());
}

}  // namespace
}  // namespace kith::mesh
