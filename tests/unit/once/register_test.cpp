#include "once/register.h"

#include <gtest/gtest.h>

namespace kith::once {
namespace {

ProofHash proof(uint8_t number) {
  ProofHash out;
  out.bytes[0] = number;
  return out;
}
Winner winner(uint8_t number) { return {number, proof(number), from_unix_ms(number)}; }

TEST(Acceptor, takes_the_minting_nodes_first_value_without_a_promise) {
  Acceptor acceptor;
  EXPECT_EQ(acceptor.accept({0, 0}, winner(1)).kind, Vote::Kind::accepted);
  EXPECT_EQ(acceptor.accept({0, 0}, winner(1)).kind, Vote::Kind::accepted) << "asked again";
  EXPECT_EQ(acceptor.accept({0, 0}, winner(2)).kind, Vote::Kind::refused) << "another one under this ballot";
}

TEST(Acceptor, refuses_what_is_below_its_promise_and_says_what_it_promised) {
  Acceptor acceptor;
  EXPECT_EQ(acceptor.prepare({3, 1}).kind, Vote::Kind::promised);
  Vote refused = acceptor.accept({0, 0}, winner(1));
  EXPECT_EQ(refused.kind, Vote::Kind::refused);
  EXPECT_EQ(refused.promised, (Ballot{3, 1}));
  EXPECT_EQ(acceptor.prepare({3, 0}).kind, Vote::Kind::refused);
  EXPECT_EQ(acceptor.prepare({3, 1}).kind, Vote::Kind::promised) << "asked again";
  EXPECT_EQ(acceptor.accept({3, 2}, winner(2)).kind, Vote::Kind::accepted) << "a promise is no reservation";
  EXPECT_EQ(acceptor.accept({3, 1}, winner(1)).kind, Vote::Kind::refused) << "acceptance promises too";
}

TEST(Acceptor, tells_what_it_accepted_with_each_later_promise) {
  Acceptor acceptor;
  EXPECT_FALSE(acceptor.prepare({1, 1}).found.has_value());
  (void)acceptor.accept({1, 1}, winner(1));
  EXPECT_EQ(acceptor.prepare({2, 2}).found, (Accepted{{1, 1}, winner(1)}));
}

TEST(Proposal, counts_each_place_once_and_only_answers_to_its_own_ballot_and_step) {
  Proposal proposal({1, 1}, 2);
  Vote promise{Vote::Kind::promised, {1, 1}, {1, 1}, {}};
  EXPECT_FALSE(proposal.count(1, promise));
  EXPECT_FALSE(proposal.count(1, promise)) << "the same one again";
  EXPECT_FALSE(proposal.count(2, {Vote::Kind::promised, {1, 2}, {1, 2}, {}})) << "of another ballot";
  EXPECT_FALSE(proposal.count(2, {Vote::Kind::accepted, {1, 1}, {1, 1}, {}})) << "of a later step";
  EXPECT_TRUE(proposal.count(2, promise));
  proposal.propose(winner(1));
  EXPECT_FALSE(proposal.has_answered(1));
  EXPECT_FALSE(proposal.count(0, promise)) << "of the step before";
  Vote accepted{Vote::Kind::accepted, {1, 1}, {1, 1}, {}};
  EXPECT_FALSE(proposal.count(1, accepted));
  EXPECT_TRUE(proposal.count(0, accepted));
  EXPECT_EQ(proposal.value(), winner(1));
}

TEST(Proposal, goes_on_with_the_latest_value_that_it_found_and_not_with_its_own) {
  Proposal proposal({5, 1}, 2);
  (void)proposal.count(0, {Vote::Kind::promised, {5, 1}, {5, 1}, Accepted{{1, 2}, winner(2)}});
  (void)proposal.count(1, {Vote::Kind::promised, {5, 1}, {5, 1}, Accepted{{0, 0}, winner(3)}});
  proposal.propose(winner(9));
  EXPECT_EQ(proposal.value(), winner(2));
}

// The minting node without promises against a deputy, in several orders, with any of the messages lost.
TEST(Register, two_proposers_never_choose_two_values) {
  for (unsigned lost = 0; lost < (1U << 12); ++lost) {
    for (unsigned order = 0; order < 8; ++order) {
      Acceptor acceptors[3];
      std::optional<Winner> chosen[2];
      auto gets_through = [&, bit = 0U]() mutable { return ((lost >> (bit++ % 12)) & 1U) == 0; };
      auto accept = [&](size_t who, Proposal& proposal) {
        for (size_t place = 0; place < 3; ++place) {
          if (!gets_through()) continue;
          if (proposal.count(place, acceptors[place].accept(proposal.ballot(), proposal.value())))
            chosen[who] = proposal.value();
        }
      };
      Proposal first({0, 0}, 2), second({1, 1}, 2);
      first.propose(winner(1));
      if ((order & 1U) != 0) accept(0, first);
      bool promised = false;
      for (size_t place = 0; place < 3; ++place) {
        if ((order & 2U) != 0 && place == 1) accept(0, first);
        if (gets_through()) promised = second.count(place, acceptors[place].prepare(second.ballot()));
      }
      if ((order & 4U) != 0) accept(0, first);
      if (promised) {
        second.propose(winner(2));
        accept(1, second);
      }
      accept(0, first);
      EXPECT_TRUE(!chosen[0] || !chosen[1] || *chosen[0] == *chosen[1]) << lost << " " << order;
    }
  }
}

}  // namespace
}  // namespace kith::once
