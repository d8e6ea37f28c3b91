#include "membership/messages.h"

#include <gtest/gtest.h>

#include "base/codec.h"

namespace kith::membership {
namespace {

NodeId id_of(uint8_t byte) {
  NodeId id;
  id.bytes.fill(byte);
  return id;
}

template <class Message>
void expect_every_cut_refused(const Message& message) {
  Bytes good = message.encode();
  ASSERT_TRUE(Message::decode(good));
  for (size_t size = 0; size < good.size(); ++size) {
    auto cut = Message::decode(ByteView(good).first(size));
    ASSERT_FALSE(cut) << size;
    EXPECT_EQ(cut.error().code(), Code::protocol);
    EXPECT_EQ(cut.error().side(), Side::peer);
  }
}

TEST(MembershipMessages, ComeBackFromTheirBytes) {
  auto ping = PingMessage::decode(PingMessage{7, 8, 9}.encode());
  ASSERT_TRUE(ping);
  EXPECT_EQ(ping->stamp, 7u);
  EXPECT_EQ(ping->view_hash, 8u);
  EXPECT_EQ(ping->health, 9);

  auto votes = VotesMessage::decode(VotesMessage{{{id_of(1), 5, Verdict::refused}}}.encode());
  ASSERT_TRUE(votes);
  ASSERT_EQ(votes->votes.size(), 1u);
  EXPECT_EQ(votes->votes[0].subject, id_of(1));
  EXPECT_EQ(votes->votes[0].incarnation, 5u);
  EXPECT_EQ(votes->votes[0].verdict, Verdict::refused);

  auto digest = DigestMessage::decode(DigestMessage{true, {{id_of(2), {3, 4}}}}.encode());
  ASSERT_TRUE(digest);
  EXPECT_TRUE(digest->answer);
  ASSERT_EQ(digest->heads.size(), 1u);
  EXPECT_EQ(digest->heads[0].version, (RecordVersion{3, 4}));

  auto records = RecordsMessage::decode(RecordsMessage{{Bytes{1, 2}, Bytes{3}}}.encode());
  ASSERT_TRUE(records);
  EXPECT_EQ(records->records, (std::vector<Bytes>{{1, 2}, {3}}));
}

TEST(MembershipMessages, AreRefusedWhenCutAnywhere) {
  expect_every_cut_refused(PingMessage{7, 8, 9});
  expect_every_cut_refused(VotesMessage{{{id_of(1), 5, Verdict::ok}, {id_of(2), 6, Verdict::silent}}});
  expect_every_cut_refused(DigestMessage{true, {{id_of(2), {3, 4}}, {id_of(3), {5, 6}}}});
  expect_every_cut_refused(RecordsMessage{{Bytes{1, 2}, Bytes{3}}});
}

TEST(MembershipMessages, MayBeLongerInALaterVersion) {
  Bytes ping = PingMessage{7, 8, 9}.encode();
  ping.push_back(1);
  EXPECT_TRUE(PingMessage::decode(ping));
}

TEST(MembershipMessages, WithTooManyEntriesAreRefusedBeforeAnythingIsAllocated) {
  Bytes many;
  Writer(many).varint(kMaxSubjects + 1);
  EXPECT_FALSE(VotesMessage::decode(many));
  EXPECT_FALSE(RecordsMessage::decode(many));
  many.insert(many.begin(), 0);
  EXPECT_FALSE(DigestMessage::decode(many));
}

TEST(MembershipMessages, WithARecordAboveItsLimitAreRefused) {
  EXPECT_FALSE(RecordsMessage::decode(RecordsMessage{{Bytes(kMaxRecordBytes + 1)}}.encode()));
}

TEST(MembershipMessages, CountAVerdictOfALaterVersionAsNone) {
  Bytes bytes = VotesMessage{{{id_of(1), 5, Verdict::ok}}}.encode();
  bytes.back() = 200;
  auto votes = VotesMessage::decode(bytes);
  ASSERT_TRUE(votes);
  EXPECT_EQ(votes->votes[0].verdict, Verdict::none);
}

}  // namespace
}  // namespace kith::membership
