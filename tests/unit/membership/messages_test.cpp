#include "membership/messages.h"

#include <gtest/gtest.h>

#include <set>

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

Alert some_alert() {
  Alert out;
  out.observer = {id_of(3), 4};
  out.number = 9;
  out.vote = {id_of(5), {6, 7}, Verdict::refused};
  out.signature.fill(8);
  return out;
}

DigestMessage some_digest() {
  return {true, true, 4, 7, {{id_of(2), {3, 4}}, {id_of(3), {5, 6}, Standing::down}}};
}

TEST(MembershipMessages, ComeBackFromTheirBytes) {
  auto ping = PingMessage::decode(PingMessage{7, 8, 9}.encode());
  ASSERT_TRUE(ping);
  EXPECT_EQ(ping->stamp, 7u);
  EXPECT_EQ(ping->view_hash, 8u);
  EXPECT_EQ(ping->health, 9);

  Vote vote{id_of(1), {5, 6}, Verdict::refused};
  auto votes = VotesMessage::decode(VotesMessage{{vote}}.encode());
  ASSERT_TRUE(votes);
  EXPECT_EQ(votes->votes, std::vector<Vote>{vote});

  auto alerts = AlertsMessage::decode(AlertsMessage{{some_alert()}}.encode());
  ASSERT_TRUE(alerts);
  ASSERT_EQ(alerts->alerts.size(), 1u);
  EXPECT_EQ(alerts->alerts[0].observer, some_alert().observer);
  EXPECT_EQ(alerts->alerts[0].number, 9u);
  EXPECT_EQ(alerts->alerts[0].vote, some_alert().vote);
  EXPECT_EQ(alerts->alerts[0].signature, some_alert().signature);

  auto digest = DigestMessage::decode(some_digest().encode());
  ASSERT_TRUE(digest);
  EXPECT_TRUE(digest->answer);
  EXPECT_TRUE(digest->complete);
  EXPECT_EQ(digest->first, 4);
  EXPECT_EQ(digest->last, 7);
  ASSERT_EQ(digest->heads.size(), 2u);
  EXPECT_EQ(digest->heads[0].version, (RecordVersion{3, 4}));
  EXPECT_EQ(digest->heads[1].standing, Standing::down);

  auto records = RecordsMessage::decode(RecordsMessage{true, {{1, 2}, {3}}}.encode());
  ASSERT_TRUE(records);
  EXPECT_TRUE(records->more);
  EXPECT_EQ(records->records, (std::vector<Bytes>{{1, 2}, {3}}));

  SumsMessage sums;
  sums.sums[63] = 5;
  auto sums_back = SumsMessage::decode(sums.encode());
  ASSERT_TRUE(sums_back);
  EXPECT_EQ(sums_back->sums, sums.sums);

  auto reach = ReachMessage::decode(ReachMessage{{id_of(1), 8}}.encode());
  ASSERT_TRUE(reach);
  EXPECT_EQ(reach->subject, (Replica{id_of(1), 8}));
}

TEST(MembershipMessages, AreRefusedWhenCutAnywhere) {
  expect_every_cut_refused(PingMessage{7, 8, 9});
  expect_every_cut_refused(
      VotesMessage{{{id_of(1), {5, 1}, Verdict::ok}, {id_of(2), {6, 1}, Verdict::silent}}});
  expect_every_cut_refused(AlertsMessage{{some_alert(), some_alert()}});
  expect_every_cut_refused(some_digest());
  expect_every_cut_refused(RecordsMessage{false, {{1, 2}, {3}}});
  expect_every_cut_refused(SumsMessage{});
  expect_every_cut_refused(ReachMessage{{id_of(1), 8}});
}

TEST(MembershipMessages, RefuseADigestOfARangeThatIsNone) {
  for (auto [first, last] : {std::pair{5, 4}, {0, 64}, {255, 255}}) {
    DigestMessage digest = some_digest();
    digest.first = static_cast<uint8_t>(first);
    digest.last = static_cast<uint8_t>(last);
    EXPECT_FALSE(DigestMessage::decode(digest.encode()));
  }
}

TEST(MembershipMessages, SignAllOfAnAlertButTheSignature) {
  Alert alert = some_alert();
  std::set<Bytes> texts{alert.signed_text()};
  alert.number++;
  texts.insert(alert.signed_text());
  alert.vote.verdict = Verdict::silent;
  texts.insert(alert.signed_text());
  alert.vote.about.sequence++;
  texts.insert(alert.signed_text());
  alert.observer.incarnation++;
  texts.insert(alert.signed_text());
  EXPECT_EQ(texts.size(), 5u);
  alert.signature[0] ^= 1;
  texts.insert(alert.signed_text());
  EXPECT_EQ(texts.size(), 5u);
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
  EXPECT_FALSE(AlertsMessage::decode(many));
  many.insert(many.begin(), 0);
  EXPECT_FALSE(RecordsMessage::decode(many));
  many.insert(many.begin(), 2, 0);
  EXPECT_FALSE(DigestMessage::decode(many));
}

TEST(MembershipMessages, WithARecordAboveItsLimitAreRefused) {
  EXPECT_FALSE(RecordsMessage::decode(RecordsMessage{false, {Bytes(kMaxRecordBytes + 1)}}.encode()));
}

TEST(MembershipMessages, CountAVerdictOfALaterVersionAsNone) {
  Bytes bytes = VotesMessage{{{id_of(1), {5, 1}, Verdict::ok}}}.encode();
  bytes.back() = 200;
  auto votes = VotesMessage::decode(bytes);
  ASSERT_TRUE(votes);
  EXPECT_EQ(votes->votes[0].verdict, Verdict::none);
}

}  // namespace
}  // namespace kith::membership
