#include "lease/voters.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace kith::lease {
namespace {

NodeId node(uint8_t number) {
  NodeId out;
  out.bytes[0] = number;
  return out;
}
std::vector<NodeId> nodes(std::initializer_list<uint8_t> numbers) {
  std::vector<NodeId> out;
  for (uint8_t number : numbers) out.push_back(node(number));
  return out;
}
Voters voters(std::initializer_list<uint8_t> numbers) { return {{1, 1}, 1, 1, nodes(numbers)}; }
std::vector<Candidate> all_in_one_zone(uint8_t count) {
  std::vector<Candidate> out;
  for (uint8_t i = 1; i <= count; ++i) out.push_back({node(i), "z"});
  return out;
}

TEST(Voters, are_an_odd_number_of_at_most_seven) {
  EXPECT_EQ(ideal_voters(node(1), voters({1}), all_in_one_zone(1), {}).size(), 1U);
  EXPECT_EQ(ideal_voters(node(1), voters({1}), all_in_one_zone(2), {}), nodes({1}))
      << "two break more easily than one";
  EXPECT_EQ(ideal_voters(node(1), voters({1}), all_in_one_zone(4), {}).size(), 3U);
  EXPECT_EQ(ideal_voters(node(1), voters({1}), all_in_one_zone(20), {}).size(), 7U);
}

TEST(Voters, all_vote_who_may_when_a_quorum_is_asked_for) {
  EXPECT_EQ(ideal_voters(node(1), voters({1}), all_in_one_zone(4), {}, 3).size(), 4U);
}

TEST(Voters, are_spread_over_zones_and_stay_where_that_makes_no_difference) {
  std::vector<Candidate> view;
  for (uint8_t i = 1; i <= 9; ++i) view.push_back({node(i), i <= 5 ? "a" : i <= 7 ? "b" : "c"});
  auto chosen = ideal_voters(node(5), voters({5}), view, {});
  auto of = [&](uint8_t from, uint8_t to) {
    return std::count_if(chosen.begin(), chosen.end(),
                         [&](NodeId id) { return id.bytes[0] >= from && id.bytes[0] <= to; });
  };
  EXPECT_EQ(of(1, 5), 3);
  EXPECT_EQ(of(6, 7), 2);
  EXPECT_EQ(of(8, 9), 2);
  EXPECT_TRUE(std::find(chosen.begin(), chosen.end(), node(5)) != chosen.end()) << "the leader votes";
  EXPECT_EQ(ideal_voters(node(9), voters({3, 4, 9}), all_in_one_zone(9), {}).size(), 7U);
  auto three = all_in_one_zone(4);
  EXPECT_EQ(ideal_voters(node(4), voters({2, 3, 4}), three, {}), nodes({2, 3, 4}))
      << "not the smallest ones anew";
}

TEST(Voters, one_that_is_gone_for_long_makes_room_and_one_that_is_away_keeps_its_place) {
  std::vector<Candidate> view{{node(1), "z"}, {node(2), "z"}, {node(4), "z"}};
  EXPECT_EQ(ideal_voters(node(1), voters({1, 2, 3}), view, {}), nodes({1, 2, 3}));
  EXPECT_EQ(ideal_voters(node(1), voters({1, 2, 3}), view, {node(3)}), nodes({1, 2, 4}));
}

TEST(Voters, fewer_than_three_are_not_left_for_want_of_others) {
  std::vector<Candidate> view{{node(1), "z"}, {node(2), "z"}};
  EXPECT_EQ(ideal_voters(node(1), voters({1, 2, 3}), view, {node(3)}), nodes({1, 2, 3}));
  EXPECT_EQ(ideal_voters(node(1), voters({1, 2, 3, 4, 5}), view, {node(3), node(4), node(5)}).size(), 3U);
}

TEST(Voters, who_is_not_ready_is_not_made_one) {
  std::vector<Candidate> view = all_in_one_zone(3);
  view[2].ready = false;
  EXPECT_EQ(ideal_voters(node(1), voters({1}), view, {}), nodes({1}));
}

TEST(Voters, change_by_one_at_a_time_additions_first) {
  EXPECT_EQ(next_voters(voters({1, 2, 3}), nodes({1, 2, 4})), nodes({1, 2, 3, 4}));
  EXPECT_EQ(next_voters(voters({1, 2, 3, 4}), nodes({1, 2, 4})), nodes({1, 2, 4}));
  EXPECT_EQ(next_voters(voters({1, 2, 4}), nodes({1, 2, 4})), nodes({1, 2, 4}));
}

TEST(Voters, the_later_form_holds_and_the_older_lineage) {
  Voters form = voters({1});
  Voters later = form;
  ++later.version;
  EXPECT_TRUE(later.supersedes(form));
  EXPECT_FALSE(form.supersedes(later));
  EXPECT_FALSE(form.supersedes(form));
  Voters next_leader = form;
  next_leader.epoch = 2;
  next_leader.version = 1;
  EXPECT_TRUE(next_leader.supersedes(later));
  Voters older = form;
  older.lineage.founded_ms = 0;
  EXPECT_TRUE(older.supersedes(next_leader));
}

}  // namespace
}  // namespace kith::lease
