// The bytes of version 1 of single use, as they were recorded (tests/vectors/once.v1.txt). A code that was
// given out by this version is presented to the next one, and nodes of both are members of one group. A line
// of the file that differs is shown with what it would be now.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "once/code.h"
#include "once/messages.h"

namespace kith::once {
namespace {

// Lines "name = hex or text"; '#' begins a comment.
std::map<std::string, std::string> recorded() {
  auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() / "vectors";
  std::ifstream file(root / "once.v1.txt");
  std::map<std::string, std::string> out;
  for (std::string line; std::getline(file, line);) {
    const size_t at = line.find(" = ");
    if (!line.starts_with('#') && at != line.npos) out[line.substr(0, at)] = line.substr(at + 3);
  }
  return out;
}

struct OnceVectors : testing::Test {
  std::map<std::string, std::string> lines = recorded();

  void is(const std::string& name, const std::string& now) {
    EXPECT_EQ(lines[name], now) << name << " = " << now;
  }
  // Also read again, from the recorded bytes.
  template <class Message>
  void is_message(const std::string& name, const Message& message) {
    is(name, hex(message.encode()));
    auto read = Message::decode(unhex(lines[name]).value_or(Bytes()));
    ASSERT_TRUE(read) << name;
    EXPECT_EQ(hex(read->encode()), lines[name]);
  }

  template <class IdType>
  static IdType filled(uint8_t with) {
    IdType out;
    out.bytes.fill(with);
    return out;
  }
  static Replica replica(uint8_t with) { return {filled<NodeId>(with), uint64_t{1'700'000'000'000} + with}; }

  // The fixed inputs that the recorded bytes were made of.
  const RecordId id = filled<RecordId>(0x11);
  const ProofHash proof = filled<ProofHash>(0x22);
  const WallTime time = from_unix_ms(1'700'000'060'000);
  const std::vector<crypto::Secret> keys{crypto::Secret(Bytes(32, 0x33))};
};

TEST_F(OnceVectors, of_the_code) {
  OnceCode code{
      {fingerprint_of(replica(1)), fingerprint_of(replica(2)), fingerprint_of(replica(3))}, {}, time};
  for (size_t i = 0; i < code.random.size(); ++i) code.random[i] = static_cast<uint8_t>(i);
  is("fingerprint", fingerprint_of(replica(1)).hex());
  is("id", code.id().hex());
  is("code", code.text(keys));
  auto read = OnceCode::parse(lines["code"], keys, time);
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, code);
  code.group.resize(1);
  is("code alone", code.text(keys));
}

TEST_F(OnceVectors, of_the_messages) {
  const std::vector<Replica> group{replica(1), replica(2), replica(3)};
  const Accepted accepted{{4, 2}, {0x0102030405060708, proof, time}};
  is_message("store", Store{{id, group, time, proof, to_bytes("payload")}});
  is_message("store open", Store{{id, group, time, {}, {}}});
  is_message("stored", Stored{id, true});
  is_message("prepare", Prepare{id, {5, 1}});
  is_message("accept", Accept{id, accepted});
  is_message("vote refused", VoteMessage{id, {Vote::Kind::refused, {4, 2}, {5, 1}, {}}});
  is_message("vote missing", VoteMessage{id, {Vote::Kind::missing, {4, 2}, {}, {}}});
  is_message("vote promised", VoteMessage{id, {Vote::Kind::promised, {5, 1}, {5, 1}, accepted}});
  is_message("vote accepted", VoteMessage{id, {Vote::Kind::accepted, {5, 1}, {5, 1}, {}}});
  is_message("redeem", Redeem{id, 0x0102030405060708, proof, 2000ms});
  is_message("redeemed won", RedeemedMessage{9, Outcome::won, true, {}, to_bytes("payload")});
  is_message("redeemed used", RedeemedMessage{9, Outcome::used, false, proof, {}});
}

}  // namespace
}  // namespace kith::once
