// Why somebody is not a member: what is kept, what ends it, and its bounds.
#include "cluster/absences.h"

#include <gtest/gtest.h>

namespace kith::cluster {
namespace {

using membership::DialOutcome;
using membership::DownReason;

const WallTime kNow = from_unix_ms(1'000'000);

membership::NodeRecord record(uint16_t number) {
  membership::NodeRecord out;
  out.id.bytes[0] = static_cast<uint8_t>(number >> 8);
  out.id.bytes[1] = static_cast<uint8_t>(number);
  out.name = "n" + std::to_string(number);
  out.membership = {Multiaddr::Host::ip4, "10.0.0.1", number};
  return out;
}

TEST(Absences, a_member_that_goes_is_kept_with_its_reason_until_it_is_back) {
  Absences absences;
  absences.member_up(record(1));
  absences.member_down(record(1).id, DownReason::hung, kNow);
  ASSERT_EQ(absences.nodes().size(), 1U);
  EXPECT_EQ(absences.nodes().begin()->second.name, "n1");
  EXPECT_EQ(absences.nodes().begin()->second.why, "hung");
  EXPECT_EQ(absences.nodes().begin()->second.since, kNow);
  absences.dialled(record(1).membership, DialOutcome::refused, kNow);
  absences.member_up(record(1));
  EXPECT_TRUE(absences.nodes().empty());
  EXPECT_TRUE(absences.addresses().empty());
}

TEST(Absences, an_address_keeps_the_last_outcome_and_the_number_of_tries_since_it_last_worked) {
  Absences absences;
  Multiaddr at = record(1).membership;
  absences.dialled(at, DialOutcome::timeout, kNow);
  absences.refused({at, {}, mesh::Refusal::wrong_cluster, true, "ours is eu"}, kNow + 1s);
  absences.dialled(at, DialOutcome::rejected, kNow + 1s);
  const Absences::Address& address = absences.addresses().at(at);
  EXPECT_EQ(address.why, "rejected");
  EXPECT_EQ(address.reason, "wrong_cluster");
  EXPECT_NE(address.detail.find("ours is eu"), std::string::npos);
  EXPECT_EQ(address.tries, 2U);
  EXPECT_EQ(address.since, kNow);
  EXPECT_EQ(address.last, kNow + 1s);
  absences.dialled(at, DialOutcome::refused, kNow + 2s);
  EXPECT_EQ(absences.addresses().at(at).reason, "") << "a reason outlives the outcome that it explains";
  absences.dialled(at, DialOutcome::connected, kNow + 3s);
  EXPECT_TRUE(absences.addresses().empty());
}

TEST(Absences, connections_that_were_refused_are_counted_by_where_they_came_from_and_why) {
  Absences absences;
  IpAddress stranger = IpAddress::v4(192, 0, 2, 1);
  for (int i = 0; i < 3; ++i)
    absences.refused({std::nullopt, stranger, mesh::Refusal::unknown_key, false, ""}, kNow);
  absences.refused({std::nullopt, stranger, mesh::Refusal::version, false, ""}, kNow);
  ASSERT_EQ(absences.inbound().size(), 2U);
  EXPECT_EQ(absences.inbound().at({stranger, mesh::Refusal::unknown_key}).count, 3U);
}

TEST(Absences, a_node_that_is_forgotten_goes_with_its_address) {
  Absences absences;
  absences.turned_away(record(1), kNow);
  absences.dialled(record(1).membership, DialOutcome::refused, kNow);
  EXPECT_EQ(absences.nodes().begin()->second.why, "full");
  absences.forget(record(1).id);
  EXPECT_TRUE(absences.nodes().empty());
  EXPECT_TRUE(absences.addresses().empty());
}

TEST(Absences, every_table_is_bounded_and_the_oldest_news_makes_room) {
  Absences absences;
  for (uint16_t i = 0; i < 2000; ++i) {
    WallTime now = kNow + std::chrono::seconds(i);
    absences.turned_away(record(i), now);
    absences.dialled(record(i).membership, DialOutcome::refused, now);
    IpAddress remote = IpAddress::v4(10, 1, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i));
    absences.refused({std::nullopt, remote, mesh::Refusal::unknown_key, false, ""}, now);
  }
  EXPECT_EQ(absences.nodes().size(), Absences::kMaxNodes);
  EXPECT_EQ(absences.addresses().size(), Absences::kMaxAddresses);
  EXPECT_EQ(absences.inbound().size(), Absences::kMaxRefusals);
  EXPECT_TRUE(absences.nodes().contains(record(1999).id));
  EXPECT_FALSE(absences.nodes().contains(record(0).id));
}

}  // namespace
}  // namespace kith::cluster
