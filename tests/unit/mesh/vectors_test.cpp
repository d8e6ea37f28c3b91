// The bytes of version 1 of the mesh, as they were recorded (tests/vectors/mesh.v1.txt). This version writes
// them and reads them; a later one that speaks version 1 too must still do both. A line of the file that
// differs is shown with what it would be now: that is the moment to raise kMaxVersion, not to edit the file.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "base/codec.h"
#include "wire.h"

namespace kith::mesh {
namespace {

// Lines "name = hex"; '#' begins a comment.
std::map<std::string, std::string> recorded() {
  auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() / "vectors";
  std::ifstream file(root / "mesh.v1.txt");
  std::map<std::string, std::string> out;
  for (std::string line; std::getline(file, line);) {
    const size_t at = line.find(" = ");
    if (!line.starts_with('#') && at != line.npos) out[line.substr(0, at)] = line.substr(at + 3);
  }
  return out;
}

struct Vectors : testing::Test {
  std::map<std::string, std::string> lines = recorded();

  Bytes bytes(const std::string& name) {
    auto found = lines.find(name);
    EXPECT_TRUE(found != lines.end()) << name << " is not recorded";
    return found == lines.end() ? Bytes() : unhex(found->second).value_or(Bytes());
  }
  void is(const std::string& name, ByteView now) {
    EXPECT_EQ(hex(bytes(name)), hex(now)) << name << " = " << hex(now);
  }

  // The fixed inputs that the recorded bytes were made of.
  const crypto::Secret psk{Bytes(kPskSize, 0x11)};
  const MeshKey key = MeshKey::derive(psk);
  const crypto::SigningKey node = crypto::SigningKey::from_seed(Bytes(32, 0x22));
  Opening opening() {
    Opening out{.dialler = Preamble{.kind = Preamble::Kind::dialler, .channel = 2}.encode(),
                .acceptor = Preamble{.kind = Preamble::Kind::acceptor, .channel = 2}.encode()};
    out.challenge.fill(0x33);
    return out;
  }
  Transcript transcript() { return {.exporter = crypto::Secret(Bytes(32, 0x55)), .opening = opening()}; }
  Hello hello(bool renews) {
    NodeId expected;
    expected.bytes.fill(0x66);
    return {.cluster = "main",
            .key = node.public_key(),
            .incarnation = 1'700'000'000'123,
            .boot_nonce = 0x0102030405060708,
            .expected = expected,
            .record = to_bytes("a record"),
            .renews = renews};
  }
};

TEST_F(Vectors, OfThePreambles) {
  is("preamble dialler membership", Preamble{.kind = Preamble::Kind::dialler, .channel = 1}.encode());
  is("preamble dialler urgent", opening().dialler);
  is("preamble dialler bulk", Preamble{.kind = Preamble::Kind::dialler, .channel = 3}.encode());
  is("preamble acceptor urgent", opening().acceptor);
  is("preamble refusal version", Preamble{.kind = Preamble::Kind::refusal, .flags_or_reason = 2}.encode());
  is("preamble refusal wrong_port", Preamble{.kind = Preamble::Kind::refusal, .flags_or_reason = 3}.encode());
  is("preamble refusal unknown_key",
     Preamble{.kind = Preamble::Kind::refusal, .flags_or_reason = 4}.encode());
  is("preamble refusal retired_key",
     Preamble{.kind = Preamble::Kind::refusal, .flags_or_reason = 18}.encode());
}

TEST_F(Vectors, OfKeysProofAndRefusal) {
  is("key membership", key.membership.reveal());
  is("key data", key.data.reveal());
  is("key identity", key.identity.reveal());
  is("key name", key.id.view());
  const Proof proof = make_proof(key, opening(), Bytes(16, 0x44));
  is("proof", proof);
  const Keyring retired({MeshKey::derive(crypto::Secret(Bytes(kPskSize, 0x77)))}, {{key.id, key.identity}});
  const auto mac = retired.refuse_retired(opening(), proof);
  ASSERT_TRUE(mac);
  is("retired mac", *mac);
}

TEST_F(Vectors, OfHello) {
  for (bool renews : {false, true}) {
    for (Role role : {Role::dialler, Role::acceptor}) {
      const std::string name = std::string("hello ") + (role == Role::dialler ? "dialler" : "acceptor") +
                               (renews ? " renews" : "");
      is(name, hello(renews).encode(node, role, transcript()));
      auto received = ReceivedHello::decode(bytes(name));
      ASSERT_TRUE(received);
      EXPECT_TRUE(received->verify(role, transcript()));
      EXPECT_EQ(received->hello().cluster, "main");
      EXPECT_EQ(received->hello().incarnation, 1'700'000'000'123u);
      EXPECT_EQ(received->hello().record, to_bytes("a record"));
      EXPECT_EQ(received->hello().renews, renews);
    }
  }
}

TEST_F(Vectors, OfFrames) {
  is("frame ready", link_frame(2, {}));
  Bytes refuse{static_cast<uint8_t>(Refusal::banned)};
  Writer(refuse).string("go away");
  is("frame refuse", link_frame(3, refuse));
  is("frame finished", link_frame(4, {}));
  SendQueue queue;
  queue.push(Lane::repair, 9, Bytes(3, 0x99));
  queue.push(Lane::control, 1, {});
  queue.push(Lane::stream, 0x42, to_bytes("data"));
  is("frames of three lanes", queue.next_record());
  queue.push(Lane::cache, 7, Bytes(kMaxFramePayload + 1, 0x07));
  const Bytes first = queue.next_record();
  is("head of a fragment", ByteView(first).first(kFrameHeader));
  is("last fragment", queue.next_record());

  FrameReader reader;
  reader.allow_messages();
  reader.feed(bytes("frames of three lanes"));
  for (auto [lane, type, size] : {std::tuple{0, 1, 0}, {2, 0x42, 4}, {4, 9, 3}}) {
    auto got = reader.next();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->lane, lane);
    EXPECT_EQ(got->type, type);
    EXPECT_EQ(got->payload.size(), static_cast<size_t>(size));
  }
}

// A node of the next version meets the recorded one: what it says first, and the version they agree on.
TEST_F(Vectors, AnEntranceAnswersTheRecordedDiallerAndAdmitsItsRecordedProof) {
  Challenge challenge;
  challenge.fill(0x33);
  Entrance entrance(Port::data, challenge);
  const Keyring keyring({MeshKey::derive(psk)});
  const Bytes preamble = bytes("preamble dialler urgent");
  ByteView input = preamble;
  entrance.handle_input(input, keyring);
  Bytes answer = bytes("preamble acceptor urgent");
  append(answer, challenge);
  EXPECT_EQ(hex(entrance.poll_transmit()), hex(answer));
  const Bytes proof = bytes("proof");
  input = proof;
  entrance.handle_input(input, keyring);
  ASSERT_TRUE(entrance.done() && !entrance.refused());
  EXPECT_EQ(entrance.take().version, 1);
}

TEST_F(Vectors, ADiallerTakesTheRecordedAnswerAndTheRecordedRefusal) {
  LinkConfig config = TestNode{}.config();
  config.keyring = std::make_shared<const Keyring>(Keyring({MeshKey::derive(psk)}));
  Link link = Link::dial(config, {Channel::urgent, std::nullopt}, Bytes(16, 0x44), kStart);
  EXPECT_EQ(hex(link.poll_transmit()), hex(bytes("preamble dialler urgent")));
  link.handle_input(bytes("preamble acceptor urgent"), kStart);
  link.handle_input(Bytes(16, 0x33), kStart);
  const Bytes said = link.poll_transmit();
  ASSERT_GT(said.size(), kProofSize);
  EXPECT_EQ(hex(ByteView(said).first(kProofSize)), hex(bytes("proof")));
  Bytes refusal = bytes("preamble refusal retired_key");
  append(refusal, bytes("retired mac"));
  link.handle_input(refusal, kStart);
  Side side(std::move(link));
  Story story;
  story.take(side);
  EXPECT_EQ(story.reason(), Refusal::retired_key);
}

// From the first byte: the smaller of the highest versions, or a refusal with the reason "version".
TEST_F(Vectors, VersionsAreNegotiatedFromTheFirstBytes) {
  const auto offer = [](uint16_t low, uint16_t high) {
    return Preamble{.kind = Preamble::Kind::dialler, .channel = 1, .min_version = low, .max_version = high};
  };
  EXPECT_EQ(common_version(offer(1, 1), offer(1, 9)), 1);
  EXPECT_EQ(common_version(offer(1, 3), offer(2, 5)), 3);
  EXPECT_EQ(common_version(offer(1, 1), offer(2, 5)), std::nullopt);
  EXPECT_EQ(common_version(offer(3, 3), offer(1, 2)), std::nullopt);
  for (auto [low, high, refused] : {std::tuple{1, 7, false}, {0, 1, false}, {2, 2, true}, {0, 0, true}}) {
    Entrance entrance(Port::membership, Challenge{});
    const PreambleBytes theirs = offer(static_cast<uint16_t>(low), static_cast<uint16_t>(high)).encode();
    ByteView input = theirs;
    entrance.handle_input(input, Keyring({MeshKey::derive(psk)}));
    EXPECT_EQ(entrance.refused(), refused) << low << " to " << high;
    EXPECT_EQ(entrance.poll_transmit()[8], refused ? 3 : 2);
  }
}

}  // namespace
}  // namespace kith::mesh
