// One core against scripted voters. Whole clusters are in tests/scenario.
#include "lease/core.h"

#include <gtest/gtest.h>

#include <memory>

namespace kith::lease {
namespace {

NodeId node(uint8_t number) {
  NodeId out;
  out.bytes[0] = number;
  return out;
}
const NodeId kSelf = node(2), kOther = node(1), kThird = node(3);
const WallTime kWall = from_unix_ms(5'000);

class LeaseCore : public testing::Test {
 protected:
  void restart(Config config) { core = std::make_unique<Core>(config, kSelf, 42, now); }
  void see(std::vector<Candidate> view) { core->set_view(std::move(view), now); }
  void see_all() { see({{kOther, "a"}, {kSelf, "b"}, {kThird, "c"}}); }
  void pass(Duration duration) {
    for (MonoTime end = now + duration; now < end;) {
      now += 10ms;
      core->handle_timeout(now, kWall);
    }
  }
  void hear(const NodeId& from, Claim claim) {
    EXPECT_TRUE(core->handle_message(from, static_cast<uint8_t>(MessageType::claim), claim.encode(), now));
  }
  void hear(const NodeId& from, Answer answer) {
    EXPECT_TRUE(core->handle_message(from, static_cast<uint8_t>(MessageType::answer), answer.encode(), now));
  }
  Claim claim_of(uint64_t epoch, Claim::Kind kind = Claim::Kind::seek) { return {kind, epoch, 77, voters}; }
  // What it last said to the node, of that kind.
  template <class Message>
  std::optional<Message> said(const NodeId& to, MessageType type) {
    std::optional<Message> out;
    while (auto transmit = core->poll_transmit()) {
      if (transmit->to != to || transmit->type != static_cast<uint8_t>(type)) continue;
      auto message = Message::decode(transmit->payload);
      EXPECT_TRUE(message);
      out = *message;
    }
    return out;
  }
  std::optional<Answer> answered(const NodeId& to) { return said<Answer>(to, MessageType::answer); }
  std::optional<Claim> claimed(const NodeId& to) { return said<Claim>(to, MessageType::claim); }
  // Another node's grant for what the core last claimed.
  void grant(const NodeId& from) {
    auto claim = claimed(from);
    ASSERT_TRUE(claim);
    hear(from, Answer{Answer::Verdict::granted, claim->epoch, claim->stamp, claim->voters});
  }

  MonoTime now{1h};
  std::unique_ptr<Core> core = std::make_unique<Core>(Config{}, kSelf, 42, now);
  Voters voters{{1, 1}, 1, 1, {kOther, kSelf, kThird}};
};

TEST_F(LeaseCore, alone_it_founds_a_lineage_and_leads) {
  see({{kSelf, ""}});
  pass(1900ms);
  EXPECT_FALSE(core->leads(now));
  pass(500ms);
  EXPECT_TRUE(core->leads(now));
  EXPECT_GE(core->epoch(), 5'000U) << "an epoch is at least the wall clock";
  EXPECT_EQ(core->leader(now), kSelf);
  EXPECT_FALSE(core->leads(now + 3s)) << "without being confirmed";
  auto event = core->poll_event();
  ASSERT_TRUE(event);
  EXPECT_TRUE(event->self);
}

TEST_F(LeaseCore, a_voter_that_starts_grants_nothing_for_the_length_of_a_lease) {
  see_all();
  hear(kOther, claim_of(2));
  EXPECT_EQ(answered(kOther)->verdict, Answer::Verdict::refused);
  pass(3s);
  hear(kOther, claim_of(2));
  EXPECT_EQ(answered(kOther)->verdict, Answer::Verdict::refused) << "clocks may differ a little";
  pass(100ms);
  hear(kOther, claim_of(2));
  auto answer = answered(kOther);
  EXPECT_EQ(answer->verdict, Answer::Verdict::granted);
  EXPECT_EQ(answer->stamp, 77U);
  EXPECT_EQ(answer->epoch, 2U);
}

TEST_F(LeaseCore, a_voter_grants_to_one_at_a_time_until_that_lease_has_run_out_or_is_given_back) {
  see_all();
  hear(kOther, claim_of(2));
  pass(3100ms);
  hear(kOther, claim_of(2));
  hear(kThird, claim_of(9));
  EXPECT_EQ(answered(kThird)->verdict, Answer::Verdict::refused);
  pass(1500ms);
  hear(kOther, claim_of(2));  // renewed
  pass(2900ms);
  hear(kThird, claim_of(9));
  EXPECT_EQ(answered(kThird)->verdict, Answer::Verdict::refused);
  hear(kOther, claim_of(3, Claim::Kind::release));  // of another epoch: late, or early
  hear(kThird, claim_of(9));
  EXPECT_EQ(answered(kThird)->verdict, Answer::Verdict::refused);
  hear(kOther, claim_of(2, Claim::Kind::release));
  hear(kThird, claim_of(9));
  EXPECT_EQ(answered(kThird)->verdict, Answer::Verdict::granted);
  pass(3s);
  hear(kOther, claim_of(8));
  EXPECT_EQ(answered(kOther)->verdict, Answer::Verdict::refused) << "an epoch below one that was granted";
}

TEST_F(LeaseCore, a_promise_holds_in_another_lineage_too) {
  see_all();
  hear(kOther, claim_of(2));
  pass(3100ms);
  hear(kOther, claim_of(2));
  ASSERT_EQ(answered(kOther)->verdict, Answer::Verdict::granted);
  Claim older = claim_of(9);
  older.voters.lineage.founded_ms = 0;
  hear(kThird, older);
  EXPECT_EQ(answered(kThird)->verdict, Answer::Verdict::refused);
  EXPECT_EQ(core->voters()->lineage.founded_ms, 0U) << "and yet the older lineage is taken";
}

TEST_F(LeaseCore, who_is_behind_is_told_the_voters_and_who_is_ahead_is_believed) {
  see_all();
  hear(kOther, claim_of(2));
  Claim later = claim_of(2);
  ++later.voters.version;
  later.voters.nodes = {kOther, kSelf};
  hear(kOther, later);
  EXPECT_EQ(core->voters(), later.voters);
  (void)answered(kThird);
  pass(3100ms);
  hear(kThird, claim_of(7));
  auto answer = answered(kThird);
  EXPECT_EQ(answer->verdict, Answer::Verdict::refused);
  EXPECT_EQ(answer->voters, later.voters);
}

TEST_F(LeaseCore, it_leads_with_a_majority_and_counts_from_when_it_asked) {
  see_all();
  hear(kOther, claim_of(2));  // learns the voters
  pass(3200ms);
  ASSERT_TRUE(core->epoch() > 2);
  EXPECT_FALSE(core->leads(now)) << "with its own grant alone";
  auto claim = claimed(kThird);
  ASSERT_TRUE(claim);
  MonoTime asked{Duration(static_cast<int64_t>(claim->stamp))};
  now += 200ms;
  hear(kThird, Answer{Answer::Verdict::granted, claim->epoch, claim->stamp, claim->voters});
  EXPECT_TRUE(core->leads(now));
  EXPECT_TRUE(core->leads(asked + 2900ms));
  EXPECT_LE(core->confirmed(), asked);
  EXPECT_GE(core->confirmed(), asked - 100ms);
  EXPECT_FALSE(core->leads(asked + 2950ms)) << "before the voter's own count has run out";
  EXPECT_EQ(core->voters()->epoch, core->epoch()) << "its first act is to put its epoch on the voters";
}

TEST_F(LeaseCore, a_grant_that_nobody_asked_for_counts_nothing) {
  see_all();
  hear(kOther, claim_of(2));
  pass(3200ms);
  auto claim = claimed(kThird);
  ASSERT_TRUE(claim);
  Answer early{Answer::Verdict::granted, claim->epoch, 1, claim->voters};
  hear(kThird, early);
  Answer future{Answer::Verdict::granted, claim->epoch, claim->stamp + 3'600'000'000'000, claim->voters};
  hear(kThird, future);
  Answer other_epoch{Answer::Verdict::granted, claim->epoch - 1, claim->stamp, claim->voters};
  hear(kThird, other_epoch);
  hear(node(9), Answer{Answer::Verdict::granted, claim->epoch, claim->stamp, claim->voters});  // no voter
  EXPECT_FALSE(core->leads(now));
}

TEST_F(LeaseCore, a_quorum_above_the_majority_is_asked_for) {
  restart({.quorum = 3});
  see_all();
  hear(kOther, claim_of(2));
  pass(3200ms);
  grant(kThird);
  EXPECT_FALSE(core->leads(now));
  pass(300ms);
  grant(kOther);
  EXPECT_TRUE(core->leads(now));
}

TEST_F(LeaseCore, who_resigns_gives_back_what_it_holds_and_seeks_no_more) {
  see_all();
  hear(kOther, claim_of(2));
  pass(3200ms);
  grant(kThird);
  ASSERT_TRUE(core->leads(now));
  uint64_t epoch = core->epoch();
  core->resign(now);
  EXPECT_FALSE(core->leads(now));
  auto last = claimed(kOther);
  EXPECT_EQ(last->kind, Claim::Kind::release);
  EXPECT_EQ(last->epoch, epoch);
  pass(10s);
  EXPECT_FALSE(claimed(kOther).has_value());
  hear(kOther, {Claim::Kind::seek, epoch + 1, 77, *core->voters()});
  EXPECT_EQ(answered(kOther)->verdict, Answer::Verdict::granted) << "it still votes";
}

TEST_F(LeaseCore, who_hears_of_a_leader_says_who_it_is_until_its_lease_has_run_out) {
  see_all();
  hear(kOther, claim_of(2, Claim::Kind::hold));
  EXPECT_EQ(core->leader(now), kOther);
  EXPECT_EQ(core->leader_epoch(now), 2U);
  EXPECT_FALSE(core->leads(now));
  pass(3100ms);
  EXPECT_EQ(core->leader(now), std::nullopt);
}

TEST_F(LeaseCore, a_leaders_word_confirms_a_majority_of_a_lease_ago) {
  see_all();
  EXPECT_EQ(core->confirmed(), MonoTime::min());
  hear(kOther, claim_of(2));
  EXPECT_EQ(core->confirmed(), MonoTime::min()) << "who seeks has no majority yet";
  hear(kOther, claim_of(2, Claim::Kind::hold));
  const MonoTime heard = now;
  EXPECT_EQ(core->confirmed(), heard - 3s);
  pass(1s);
  EXPECT_EQ(core->confirmed(), heard - 3s);
  hear(kOther, claim_of(2, Claim::Kind::release));
  EXPECT_EQ(core->confirmed(), heard - 3s) << "that it has gone takes nothing back";
}

}  // namespace
}  // namespace kith::lease
