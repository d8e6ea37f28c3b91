// One core against scripted peers. Whole groups are in tests/scenario.
#include "once/core.h"

#include <gtest/gtest.h>

#include <memory>

namespace kith::once {
namespace {

template <class IdType>
IdType named(uint8_t number) {
  IdType out;
  out.bytes[0] = number;
  return out;
}
Replica replica(uint8_t number) { return {named<NodeId>(number), number}; }
const Replica kSelf = replica(1), kSecond = replica(2), kThird = replica(3), kOutsider = replica(9);
const RecordId kId = named<RecordId>(1);
const ProofHash kAlice = named<ProofHash>(0xa), kBob = named<ProofHash>(0xb);
const Bytes kPayload = to_bytes("who logged in");

class OnceCore : public testing::Test {
 protected:
  void restart(Config config) { core = std::make_unique<Core>(config, kSelf, 42); }
  void see(std::vector<Replica> others) {
    std::vector<Member> view{{kSelf, ""}};
    for (const Replica& other : others) view.push_back({other, ""});
    core->set_view(std::move(view), now);
  }
  void see_all() { see({kSecond, kThird, kOutsider}); }
  void pass(std::chrono::milliseconds duration) {
    for (auto step = 50ms; duration > 0ms; duration -= step) {
      step = std::min(step, duration);
      now.mono += step;
      now.wall += step;
      core->handle_timeout(now);
    }
  }
  template <class Message>
  void hear(const Replica& from, MessageType type, const Message& message) {
    EXPECT_TRUE(core->handle_message(from, static_cast<uint8_t>(type), message.encode(), now));
  }
  // What was said last to this replica, of this type; what was said to others before is left out.
  template <class Message>
  std::optional<Message> said(const Replica& to, MessageType type) {
    std::optional<Message> out;
    while (auto transmit = core->poll_transmit()) {
      if (transmit->to == to && transmit->type == static_cast<uint8_t>(type))
        out = *Message::decode(transmit->payload);
    }
    return out;
  }
  template <class Wanted>
  std::optional<Wanted> told() {
    while (auto event = core->poll_event()) {
      if (auto* wanted = std::get_if<Wanted>(&*event)) return *wanted;
    }
    return std::nullopt;
  }
  void quiet() {
    while (core->poll_transmit() || core->poll_event()) {
    }
  }

  // A record of ours: the group is we, kSecond and kThird.
  void mint(std::optional<ProofHash> required = {}) {
    see({kSecond, kThird});
    auto minted = core->mint({kId, expires, required, kPayload}, now.mono + 1s, now);
    ASSERT_TRUE(minted);
    group = *minted;
  }
  // A record of kSecond, copied to us.
  void be_deputy(std::optional<ProofHash> required = {}) {
    see_all();
    hear(kSecond, MessageType::store, Store{foreign(required)});
    for (const Replica& one : foreign().group) group.push_back(fingerprint_of(one));
    quiet();
  }
  Record foreign(std::optional<ProofHash> required = {}) {
    return {kId, {kSecond, kSelf, kThird}, expires, required, kPayload};
  }
  uint64_t redeem(ProofHash proof, Duration patience = 2s) {
    return *core->redeem({kId, group, proof}, now.mono + patience, now);
  }
  void vote(const Replica& from, Vote::Kind kind, Ballot ballot, std::optional<Accepted> found = {},
            Ballot promised = {}) {
    hear(from, MessageType::vote, VoteMessage{kId, {kind, ballot, promised, found}});
  }

  Now now{MonoTime(1h), from_unix_ms(1'700'000'000'000)};
  WallTime expires = now.wall + 60s;
  std::vector<Fingerprint> group;
  std::unique_ptr<Core> core = std::make_unique<Core>(Config{}, kSelf, 42);
};

// ---------------------------------------------------------------- minting

TEST_F(OnceCore, a_record_is_acknowledged_by_the_first_deputy_that_has_it) {
  mint();
  EXPECT_FALSE(told<Minted>().has_value());
  EXPECT_EQ(said<Store>(kThird, MessageType::store)->record.payload, kPayload);
  hear(kThird, MessageType::stored, Stored{kId, true});
  EXPECT_TRUE(told<Minted>()->acknowledged);
  hear(kSecond, MessageType::stored, Stored{kId, true});
  EXPECT_FALSE(told<Minted>().has_value()) << "told once";
  pass(5s);
  EXPECT_FALSE(core->poll_transmit().has_value()) << "everybody has it";
}

TEST_F(OnceCore, without_a_deputy_that_has_it_a_record_is_never_said_to_be_acknowledged) {
  mint();
  hear(kOutsider, MessageType::stored, Stored{kId, true});
  hear(kThird, MessageType::stored, Stored{kId, false});
  pass(900ms);
  EXPECT_TRUE(said<Store>(kSecond, MessageType::store).has_value()) << "tried again";
  EXPECT_FALSE(told<Minted>().has_value());
  pass(200ms);
  auto minted = told<Minted>();
  ASSERT_TRUE(minted);
  EXPECT_FALSE(minted->acknowledged);
  pass(10s);
  EXPECT_TRUE(said<Store>(kSecond, MessageType::store).has_value()) << "and yet the copy is still tried";
}

TEST_F(OnceCore, alone_it_redeems_its_own_records_and_says_that_nobody_else_has_them) {
  see({kSecond});
  auto minted = core->mint({kId, expires, {}, kPayload}, now.mono + 1s, now);
  ASSERT_TRUE(minted);
  EXPECT_EQ(minted->size(), 1U);
  EXPECT_FALSE(told<Minted>()->acknowledged);
  group = *minted;
  redeem(kAlice);
  EXPECT_EQ(told<Redeemed>()->payload, kPayload);
  redeem(kBob);
  EXPECT_EQ(told<Redeemed>()->outcome, Outcome::used);
}

TEST_F(OnceCore, what_has_no_room_or_no_sense_is_not_minted) {
  restart({.max_records = 2, .max_bytes = 30, .longest_life = 1h});
  auto mint_one = [&](uint8_t id, WallTime until, Bytes payload) {
    auto minted = core->mint({named<RecordId>(id), until, {}, std::move(payload)}, now.mono + 1s, now);
    return minted ? std::nullopt : std::optional(minted.error().code());
  };
  EXPECT_EQ(mint_one(1, now.wall, {}), Code::invalid);
  EXPECT_EQ(mint_one(1, now.wall + 2h, {}), Code::invalid);
  EXPECT_EQ(mint_one(1, expires, Bytes(kMaxPayload + 1)), Code::invalid);
  EXPECT_EQ(mint_one(1, expires, Bytes(31)), Code::limit);
  EXPECT_EQ(mint_one(1, expires, Bytes(10)), std::nullopt);
  EXPECT_EQ(mint_one(1, expires, Bytes(10)), Code::conflict);
  EXPECT_EQ(mint_one(2, expires, Bytes(10)), std::nullopt);
  EXPECT_EQ(mint_one(3, expires, Bytes(1)), Code::limit);
  pass(121s);
  EXPECT_EQ(core->records(), 0U);
  EXPECT_EQ(core->bytes(), 0U);
  EXPECT_EQ(core->poll_timeout(), kNever);
}

// ---------------------------------------------------------------- at the minting node

TEST_F(OnceCore, the_minting_node_redeems_in_one_round_trip_to_one_deputy) {
  mint();
  redeem(kAlice);
  auto accept = said<Accept>(kSecond, MessageType::accept);
  ASSERT_TRUE(accept);
  EXPECT_EQ(accept->proposal.ballot, (Ballot{0, 0}));
  EXPECT_EQ(accept->proposal.winner.proof, kAlice);
  EXPECT_FALSE(told<Redeemed>().has_value()) << "its own voice is no majority";
  vote(kOutsider, Vote::Kind::accepted, {0, 0});
  vote({kSecond.node, 77}, Vote::Kind::accepted, {0, 0});
  EXPECT_FALSE(told<Redeemed>().has_value()) << "nor is that of a stranger, or of another life of the deputy";
  vote(kSecond, Vote::Kind::accepted, {0, 0});
  auto redeemed = told<Redeemed>();
  EXPECT_EQ(redeemed->outcome, Outcome::won);
  EXPECT_FALSE(redeemed->again);
  EXPECT_EQ(redeemed->payload, kPayload);
}

TEST_F(OnceCore, of_those_who_come_while_it_is_not_decided_the_first_one_wins) {
  mint();
  const uint64_t alice = redeem(kAlice), bob = redeem(kBob), alice_again = redeem(kAlice);
  vote(kThird, Vote::Kind::accepted, {0, 0});
  std::map<uint64_t, Redeemed> ended;
  std::vector<Reused> reused;
  while (auto event = core->poll_event()) {
    if (auto* one = std::get_if<Redeemed>(&*event)) ended[one->request] = *one;
    if (auto* one = std::get_if<Reused>(&*event)) reused.push_back(*one);
  }
  EXPECT_EQ(ended[alice].outcome, Outcome::won);
  EXPECT_FALSE(ended[alice].again);
  EXPECT_EQ(ended[bob].outcome, Outcome::used);
  EXPECT_TRUE(ended[bob].payload.empty());
  EXPECT_EQ(ended[alice_again].outcome, Outcome::won);
  EXPECT_TRUE(ended[alice_again].again);
  ASSERT_EQ(reused.size(), 1U) << "once for each redemption";
  EXPECT_EQ(reused[0].first, kAlice);
  EXPECT_EQ(reused[0].second, kBob);
}

TEST_F(OnceCore, the_winner_wins_again_for_ten_seconds_and_is_then_told_that_it_is_used) {
  mint();
  redeem(kAlice);
  vote(kThird, Vote::Kind::accepted, {0, 0});
  quiet();
  pass(10s);
  redeem(kAlice);
  EXPECT_TRUE(told<Redeemed>()->again);
  pass(1ms);
  redeem(kAlice);
  auto reused = told<Reused>();
  ASSERT_TRUE(reused);
  EXPECT_EQ(reused->first, reused->second);
  EXPECT_EQ(told<Redeemed>()->outcome, Outcome::used);
}

TEST_F(OnceCore, a_first_attempt_that_reached_nobody_is_finished_by_the_next_one_of_that_client) {
  mint();
  redeem(kAlice, 1s);
  pass(1s);
  EXPECT_EQ(told<Redeemed>()->outcome, Outcome::no_majority);
  redeem(kAlice);
  auto prepare = said<Prepare>(kSecond, MessageType::prepare);
  ASSERT_TRUE(prepare) << "round 0 is spent";
  vote(kSecond, Vote::Kind::promised, prepare->ballot);
  vote(kSecond, Vote::Kind::accepted, prepare->ballot);
  EXPECT_EQ(told<Redeemed>()->outcome, Outcome::won);
}

TEST_F(OnceCore, a_first_attempt_that_reached_nobody_may_yet_have_won_against_another_client) {
  mint();
  redeem(kAlice, 1s);
  pass(1s);
  quiet();
  redeem(kBob);
  auto prepare = said<Prepare>(kSecond, MessageType::prepare);
  vote(kSecond, Vote::Kind::promised, prepare->ballot);
  EXPECT_EQ(said<Accept>(kSecond, MessageType::accept)->proposal.winner.proof, kAlice);
  vote(kSecond, Vote::Kind::accepted, prepare->ballot);
  EXPECT_EQ(told<Reused>()->first, kAlice);
}

TEST_F(OnceCore, a_deputy_that_misses_the_record_is_given_it_and_asked_again) {
  mint();
  quiet();
  redeem(kAlice);
  quiet();
  vote(kSecond, Vote::Kind::missing, {0, 0});
  auto store = core->poll_transmit();
  EXPECT_EQ(store->type, static_cast<uint8_t>(MessageType::store));
  EXPECT_EQ(core->poll_transmit()->type, static_cast<uint8_t>(MessageType::accept));
  vote(kSecond, Vote::Kind::missing, {0, 0});
  EXPECT_FALSE(core->poll_transmit().has_value()) << "not as fast as it can say no";
}

TEST_F(OnceCore, who_was_outbid_tries_anew_above_it) {
  mint();
  redeem(kAlice);
  quiet();
  vote(kSecond, Vote::Kind::refused, {0, 0}, {}, {4, 2});
  EXPECT_FALSE(said<Prepare>(kSecond, MessageType::prepare).has_value()) << "after a while";
  pass(50ms);
  EXPECT_EQ(said<Prepare>(kSecond, MessageType::prepare)->ballot, (Ballot{5, 0}));
}

TEST_F(OnceCore, a_record_for_one_client_is_not_used_up_by_another) {
  mint(kAlice);
  redeem(kBob);
  EXPECT_EQ(told<Redeemed>()->outcome, Outcome::wrong_proof);
  EXPECT_FALSE(said<Accept>(kSecond, MessageType::accept).has_value());
  redeem(kAlice);
  vote(kThird, Vote::Kind::accepted, {0, 0});
  EXPECT_EQ(told<Redeemed>()->outcome, Outcome::won);
}

TEST_F(OnceCore, after_its_expiry_nobody_wins_a_record_but_who_had_won_it) {
  mint();
  pass(60s);
  redeem(kAlice);
  auto prepare = said<Prepare>(kSecond, MessageType::prepare);
  ASSERT_TRUE(prepare) << "it asks who has won, and proposes nobody";
  vote(kSecond, Vote::Kind::promised, prepare->ballot);
  EXPECT_EQ(told<Redeemed>()->outcome, Outcome::expired);

  redeem(kBob);
  prepare = said<Prepare>(kSecond, MessageType::prepare);
  vote(kSecond, Vote::Kind::promised, prepare->ballot, Accepted{{1, 1}, {5, kBob, now.wall - 1s}});
  vote(kSecond, Vote::Kind::accepted, prepare->ballot);
  auto redeemed = told<Redeemed>();
  EXPECT_EQ(redeemed->outcome, Outcome::won);
  EXPECT_TRUE(redeemed->again);
  pass(61s);
  redeem(kBob);
  EXPECT_FALSE(told<Redeemed>().has_value()) << "we have forgotten; the deputies are asked";
  EXPECT_EQ(core->records(), 0U);
}

// ---------------------------------------------------------------- as a deputy

TEST_F(OnceCore, a_deputy_asks_the_minting_node_and_when_it_is_silent_decides_with_the_other_deputy) {
  be_deputy();
  const uint64_t request = redeem(kAlice);
  EXPECT_EQ(said<Redeem>(kSecond, MessageType::redeem)->nonce, request);
  pass(300ms);
  auto prepare = said<Prepare>(kThird, MessageType::prepare);
  ASSERT_TRUE(prepare);
  EXPECT_EQ(prepare->ballot, (Ballot{1, 1}));
  vote(kThird, Vote::Kind::promised, prepare->ballot);
  vote(kThird, Vote::Kind::accepted, prepare->ballot);
  EXPECT_EQ(told<Redeemed>()->outcome, Outcome::won);
}

TEST_F(OnceCore, a_deputy_votes_only_as_the_place_of_the_asker_allows) {
  be_deputy(kAlice);
  const Winner alice{1, kAlice, now.wall}, bob{2, kBob, now.wall};
  hear(kOutsider, MessageType::accept, Accept{kId, {{0, 0}, alice}});
  hear(kThird, MessageType::accept, Accept{kId, {{0, 0}, alice}});
  hear(kThird, MessageType::prepare, Prepare{kId, {1, 0}});
  hear({kSecond.node, 77}, MessageType::accept, Accept{kId, {{0, 0}, alice}});
  hear(kSecond, MessageType::accept, Accept{kId, {{0, 0}, bob}});
  EXPECT_FALSE(core->poll_transmit().has_value());
  EXPECT_EQ(core->counters().messages_refused, 5U);
  hear(kSecond, MessageType::accept, Accept{kId, {{0, 0}, alice}});
  EXPECT_EQ(said<VoteMessage>(kSecond, MessageType::vote)->vote.kind, Vote::Kind::accepted);
}

TEST_F(OnceCore, a_deputy_takes_records_of_groups_that_it_and_the_sender_are_in) {
  see_all();
  auto held = [&](const Replica& from, const Record& record) {
    hear(from, MessageType::store, Store{record});
    return said<Stored>(from, MessageType::stored)->held;
  };
  EXPECT_FALSE(held(kOutsider, foreign()));
  Record earlier_life = foreign();
  earlier_life.group[1].incarnation = 0;
  EXPECT_FALSE(held(kSecond, earlier_life)) << "what that life accepted we do not know";
  Record ours = foreign();
  std::swap(ours.group[0], ours.group[1]);
  EXPECT_FALSE(held(kSecond, ours)) << "we would have minted it";
  Record endless = foreign();
  endless.expires += 1000h;
  EXPECT_FALSE(held(kSecond, endless));
  EXPECT_TRUE(held(kThird, foreign())) << "a deputy may pass it on";
  EXPECT_TRUE(held(kSecond, foreign())) << "again";
  Record another = foreign();
  another.payload.push_back(1);
  EXPECT_FALSE(held(kSecond, another)) << "the first one stays";
  EXPECT_EQ(core->records(), 1U);
}

TEST_F(OnceCore, nobody_fills_more_than_half_of_the_room_for_others) {
  restart({.max_records = 8, .max_bytes = 80});
  see_all();
  auto held = [&](const Replica& from, uint8_t id, size_t size) {
    Record record{named<RecordId>(id), {from, kSelf, kOutsider}, expires, {}, Bytes(size)};
    hear(from, MessageType::store, Store{record});
    return said<Stored>(from, MessageType::stored)->held;
  };
  for (uint8_t id = 1; id <= 4; ++id) EXPECT_TRUE(held(kSecond, id, 1));
  EXPECT_FALSE(held(kSecond, 5, 1));
  EXPECT_TRUE(held(kThird, 6, 40));
  EXPECT_FALSE(held(kThird, 7, 1)) << "nor by bytes";
  EXPECT_EQ(core->counters().copies_refused, 2U);
}

TEST_F(OnceCore, a_clock_that_was_wrong_and_steps_back_brings_back_nothing_that_was_voted_on) {
  be_deputy();
  hear(kSecond, MessageType::accept, Accept{kId, {{0, 0}, {1, kAlice, now.wall}}});
  WallTime right = now.wall;
  now.wall += 1h;
  pass(1s);
  ASSERT_EQ(core->records(), 0U);
  now.wall = right;
  hear(kThird, MessageType::store, Store{foreign()});
  EXPECT_FALSE(said<Stored>(kThird, MessageType::stored)->held);
  hear(kThird, MessageType::prepare, Prepare{kId, {1, 2}});
  EXPECT_EQ(said<VoteMessage>(kThird, MessageType::vote)->vote.kind, Vote::Kind::missing);
  EXPECT_TRUE(core->mint({named<RecordId>(2), expires, {}, {}}, now.mono + 1s, now)) << "ours are new";
}

TEST_F(OnceCore, questions_of_one_node_do_not_take_all_places) {
  restart({.max_requests = 4});
  be_deputy();
  for (uint64_t nonce = 1; nonce <= 4; ++nonce)
    hear(kOutsider, MessageType::redeem, Redeem{kId, nonce, kAlice, 5s});
  EXPECT_EQ(core->requests(), 2U);
  hear(kOutsider, MessageType::redeem, Redeem{kId, 1, kAlice, 5s});
  EXPECT_EQ(core->requests(), 2U) << "asked again";
  EXPECT_EQ(core->counters().redemptions_dropped, 2U);
  hear(kThird, MessageType::redeem, Redeem{kId, 9, kBob, 5s});
  EXPECT_EQ(core->requests(), 3U);
  pass(5s);
  EXPECT_EQ(core->requests(), 0U);
  EXPECT_EQ(said<RedeemedMessage>(kThird, MessageType::redeemed)->outcome, Outcome::no_majority);
}

// ---------------------------------------------------------------- outside of the group

class OnceOutsider : public OnceCore {
 protected:
  OnceOutsider() {
    for (const Replica& one : members) group.push_back(fingerprint_of(one));
  }
  void answer(const Replica& from, uint64_t request, Outcome outcome) {
    hear(from, MessageType::redeemed, RedeemedMessage{request, outcome, false, kBob, {}});
  }
  const std::vector<Replica> members{kSecond, kThird, replica(4)};
};

TEST_F(OnceOutsider, it_asks_the_minting_node_then_the_deputies_and_believes_nobody_else) {
  see({kSecond, kThird, replica(4), kOutsider});
  const uint64_t request = redeem(kAlice);
  EXPECT_TRUE(said<Redeem>(kSecond, MessageType::redeem).has_value());
  pass(300ms);
  auto asked = said<Redeem>(kThird, MessageType::redeem);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->nonce, request) << "it is the same redemption";
  EXPECT_LT(asked->patience, 1700ms);
  answer(kOutsider, request, Outcome::won);
  EXPECT_FALSE(told<Redeemed>().has_value());
  answer(kSecond, request, Outcome::used);
  EXPECT_EQ(told<Reused>()->first, kBob);
  EXPECT_EQ(told<Redeemed>()->outcome, Outcome::used) << "late, and true";
  answer(kThird, request, Outcome::won);
  EXPECT_FALSE(told<Redeemed>().has_value()) << "told once";
}

TEST_F(OnceOutsider, who_is_gone_is_passed_over_at_once) {
  see({kThird, replica(4)});
  redeem(kAlice);
  EXPECT_TRUE(said<Redeem>(kThird, MessageType::redeem).has_value());
  see({replica(4)});
  EXPECT_TRUE(said<Redeem>(replica(4), MessageType::redeem).has_value());
  see({Replica{kSecond.node, 77}});
  EXPECT_FALSE(core->poll_transmit().has_value()) << "another life is no member";
}

TEST_F(OnceOutsider, a_code_is_unknown_when_a_majority_of_its_group_says_so) {
  see(members);
  const uint64_t request = redeem(kAlice);
  answer(kSecond, request, Outcome::unknown);
  answer(kSecond, request, Outcome::unknown);
  EXPECT_FALSE(told<Redeemed>().has_value()) << "the others may have it";
  EXPECT_TRUE(said<Redeem>(kThird, MessageType::redeem).has_value()) << "and are asked at once";
  answer(kThird, request, Outcome::unknown);
  EXPECT_EQ(told<Redeemed>()->outcome, Outcome::unknown);
}

TEST_F(OnceOutsider, without_an_answer_it_is_late_or_there_is_no_majority) {
  see(members);
  redeem(kAlice, 1s);
  pass(1s);
  EXPECT_EQ(told<Redeemed>()->outcome, Outcome::late);
  const uint64_t request = redeem(kAlice, 1s);
  answer(kSecond, request, Outcome::no_majority);
  EXPECT_FALSE(told<Redeemed>().has_value()) << "another one may reach a majority";
  pass(1s);
  EXPECT_EQ(told<Redeemed>()->outcome, Outcome::no_majority);
  EXPECT_EQ(core->requests(), 0U);
  EXPECT_EQ(core->poll_timeout(), kNever);
}

TEST_F(OnceOutsider, too_many_at_once_or_a_group_that_is_none_are_refused) {
  restart({.max_requests = 1});
  redeem(kAlice);
  auto second = core->redeem({kId, group, kAlice}, now.mono + 1s, now);
  EXPECT_EQ(second.error().code(), Code::limit);
  EXPECT_EQ(core->redeem({kId, {}, kAlice}, now.mono + 1s, now).error().code(), Code::invalid);
}

TEST_F(OnceOutsider, what_is_malformed_is_the_peers_fault_and_what_is_unknown_is_skipped) {
  auto bad = core->handle_message(kSecond, static_cast<uint8_t>(MessageType::store), Bytes(3), now);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().side(), Side::peer);
  EXPECT_TRUE(core->handle_message(kSecond, 0x77, Bytes(3), now));
}

}  // namespace
}  // namespace kith::once
