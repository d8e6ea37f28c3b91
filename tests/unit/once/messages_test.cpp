// The bytes of docs/formats/once.md.
#include "once/messages.h"

#include <gtest/gtest.h>

namespace kith::once {
namespace {

template <class IdType>
IdType filled(uint8_t with) {
  IdType out;
  out.bytes.fill(with);
  return out;
}
Record record() {
  return {filled<RecordId>(0x11),
          {{filled<NodeId>(1), 10}, {filled<NodeId>(2), 20}, {filled<NodeId>(3), 30}},
          from_unix_ms(1'700'000'000'000),
          filled<ProofHash>(0x22),
          to_bytes("payload")};
}
const Winner kWinner{7, filled<ProofHash>(0x33), from_unix_ms(1'700'000'000'001)};
const Vote kPromise{Vote::Kind::promised, {5, 1}, {5, 1}, Accepted{{4, 2}, kWinner}};

// Comes back as it was, also with fields of a later version behind it; cut anywhere it is malformed.
template <class Message>
Message travels(const Message& message, size_t least) {
  Bytes bytes = message.encode();
  for (size_t size = 0; size < least; ++size) {
    auto cut = Message::decode(ByteView(bytes).first(size));
    EXPECT_FALSE(cut) << size;
    EXPECT_TRUE(cut || cut.error().side() == Side::peer);
  }
  append(bytes, "of a later version");
  auto back = Message::decode(bytes);
  EXPECT_TRUE(back && back->encode() == message.encode());
  return back ? *back : Message{};
}

TEST(OnceMessages, come_back_as_they_were_and_later_fields_are_skipped) {
  auto whole = [](const auto& message) { return travels(message, message.encode().size()); };
  EXPECT_EQ(whole(Store{record()}).record, record());
  Record open = record();
  open.required.reset();
  open.payload.clear();
  EXPECT_EQ(whole(Store{open}).record, open);
  EXPECT_TRUE(whole(Stored{filled<RecordId>(1), true}).held);
  EXPECT_EQ(whole(Prepare{filled<RecordId>(1), {kMaxRound, 2}}).ballot, (Ballot{kMaxRound, 2}));
  EXPECT_EQ(whole(Accept{filled<RecordId>(1), {{0, 0}, kWinner}}).proposal.winner, kWinner);
  EXPECT_EQ(whole(VoteMessage{filled<RecordId>(1), kPromise}).vote, kPromise);
  EXPECT_EQ(whole(Redeem{filled<RecordId>(1), 9, filled<ProofHash>(2), 1500ms}).patience, 1500ms);
  auto told = whole(RedeemedMessage{9, Outcome::won, true, filled<ProofHash>(2), to_bytes("payload")});
  EXPECT_EQ(told.outcome, Outcome::won);
  EXPECT_TRUE(told.again);
  EXPECT_EQ(told.payload, to_bytes("payload"));
}

TEST(OnceMessages, beyond_a_limit_or_with_an_unknown_word_are_malformed) {
  Record twice = record();
  twice.group[2] = twice.group[0];
  EXPECT_FALSE(Store::decode(Store{twice}.encode())) << "two of three would be one";
  Record large = record();
  large.payload.assign(kMaxPayload, 1);
  EXPECT_TRUE(Store::decode(Store{large}.encode()));
  large.payload.push_back(1);
  EXPECT_FALSE(Store::decode(Store{large}.encode()));

  const auto id = filled<RecordId>(1);
  EXPECT_FALSE(Prepare::decode(Prepare{id, {0, 1}}.encode())) << "round 0 is not prepared";
  EXPECT_FALSE(Prepare::decode(Prepare{id, {kMaxRound + 1, 1}}.encode()));
  EXPECT_FALSE(Prepare::decode(Prepare{id, {1, 3}}.encode())) << "no place of a group";
  EXPECT_FALSE(Accept::decode(Accept{id, {{0, 1}, kWinner}}.encode())) << "round 0 is the minting node's";
  Bytes vote = VoteMessage{id, kPromise}.encode();
  vote[32] = 4;
  EXPECT_FALSE(VoteMessage::decode(vote));
  Bytes stored = Stored{id, true}.encode();
  stored[32] = 2;
  EXPECT_FALSE(Stored::decode(stored));
  EXPECT_FALSE(RedeemedMessage::decode(RedeemedMessage{9, Outcome::late, false, {}, {}}.encode()));
  Bytes told = RedeemedMessage{9, Outcome::won, false, {}, {}}.encode();
  told[8] = 7;
  EXPECT_FALSE(RedeemedMessage::decode(told));
  Bytes patience = Redeem{id, 9, {}, 60s}.encode();
  EXPECT_TRUE(Redeem::decode(patience));
  patience.back() = 1;
  EXPECT_FALSE(Redeem::decode(patience));
}

TEST(OnceMessages, of_a_node_whose_clock_is_far_off_are_well_formed) {
  Winner early = kWinner, late = kWinner;
  early.at = from_unix_ms(-5);
  late.at = WallTime::max();
  EXPECT_TRUE(Accept::decode(Accept{{}, {{0, 0}, early}}.encode()));
  EXPECT_TRUE(Accept::decode(Accept{{}, {{0, 0}, late}}.encode()));
}

}  // namespace
}  // namespace kith::once
