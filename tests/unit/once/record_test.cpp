#include "once/record.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace kith::once {
namespace {

Replica replica(uint8_t number) {
  Replica out;
  for (size_t i = 0; i < out.node.bytes.size(); ++i)
    out.node.bytes[i] = static_cast<uint8_t>(number * 37 + i);
  out.incarnation = number;
  return out;
}
RecordId record(uint8_t number) {
  RecordId out;
  for (size_t i = 0; i < out.bytes.size(); ++i) out.bytes[i] = static_cast<uint8_t>(number * 101 + i * 7);
  return out;
}
std::vector<Member> members(std::initializer_list<std::pair<uint8_t, const char*>> list) {
  std::vector<Member> out;
  for (const auto& [number, zone] : list) out.push_back({replica(number), zone});
  return out;
}

TEST(Group, is_the_minting_node_first_and_two_deputies) {
  auto group = choose_group(record(1), replica(2), members({{1, "a"}, {2, "a"}, {3, "a"}, {4, "a"}}));
  ASSERT_EQ(group.size(), 3U);
  EXPECT_EQ(group[0], replica(2));
  EXPECT_EQ(std::set<Replica>(group.begin(), group.end()).size(), 3U);
}

TEST(Group, is_the_minting_node_alone_where_there_are_not_two_others_that_are_ready) {
  EXPECT_EQ(choose_group(record(1), replica(1), {}).size(), 1U);
  auto two = members({{1, "a"}, {2, "b"}});
  EXPECT_EQ(choose_group(record(1), replica(1), two), std::vector<Replica>{replica(1)});
  auto three = members({{1, "a"}, {2, "b"}, {3, "c"}});
  three[2].ready = false;
  EXPECT_EQ(choose_group(record(1), replica(1), three).size(), 1U);
}

TEST(Group, takes_other_zones_first) {
  auto view = members({{1, "a"}, {2, "a"}, {3, "a"}, {4, "b"}, {5, "c"}});
  for (uint8_t id = 0; id < 50; ++id) {
    auto group = choose_group(record(id), replica(1), view);
    EXPECT_EQ(std::set<Replica>(group.begin() + 1, group.end()), (std::set<Replica>{replica(4), replica(5)}));
  }
  auto two_zones = members({{1, "a"}, {2, "a"}, {3, "a"}, {4, "b"}});
  auto group = choose_group(record(1), replica(1), two_zones);
  EXPECT_TRUE(group[1] == replica(4) || group[2] == replica(4));
}

TEST(Group, gives_every_member_its_share) {
  std::vector<Member> view;
  for (uint8_t i = 1; i <= 9; ++i) view.push_back({replica(i), "a"});
  std::map<Replica, int> count;
  for (int id = 0; id < 256; ++id) {
    auto group = choose_group(record(static_cast<uint8_t>(id)), replica(1), view);
    for (size_t place = 1; place < group.size(); ++place) ++count[group[place]];
  }
  EXPECT_EQ(count.size(), 8U);
  for (const auto& [who, records] : count) EXPECT_GT(records, 256 * 2 / 8 / 3) << who.incarnation;
}

TEST(Fingerprint, is_another_one_for_another_life_of_a_node) {
  Replica life = replica(1), next = life;
  ++next.incarnation;
  EXPECT_NE(fingerprint_of(life), fingerprint_of(next));
  EXPECT_EQ(fingerprint_of(life), fingerprint_of(life));
}

}  // namespace
}  // namespace kith::once
