// The bytes of docs/formats/lease.md.
#include "lease/messages.h"

#include <gtest/gtest.h>

namespace kith::lease {
namespace {

Voters voters(size_t count) {
  Voters out{{0x0102030405060708, 9}, 10, 11, {}};
  for (size_t i = 0; i < count; ++i) {
    out.nodes.emplace_back();
    out.nodes.back().bytes[0] = static_cast<uint8_t>(i + 1);
  }
  return out;
}

TEST(LeaseMessages, the_bytes_are_those_of_the_format) {
  Bytes bytes = Claim{Claim::Kind::hold, 2, 3, voters(1)}.encode();
  Bytes expected = {1, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0,  0, 0, 0, 0, 8, 7, 6, 5,
                    4, 3, 2, 1, 9, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 11,
                    0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(bytes, expected);
}

TEST(LeaseMessages, come_back_as_they_were_and_later_fields_are_skipped) {
  Claim claim{Claim::Kind::release, 7, 8, voters(8)};
  Bytes bytes = claim.encode();
  append(bytes, "of a later version");
  auto back = Claim::decode(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->kind, claim.kind);
  EXPECT_EQ(back->epoch, 7U);
  EXPECT_EQ(back->stamp, 8U);
  EXPECT_EQ(back->voters, claim.voters);
  auto answer = Answer::decode(Answer{Answer::Verdict::notice, 1, 0, voters(3)}.encode());
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->verdict, Answer::Verdict::notice);
}

TEST(LeaseMessages, what_is_malformed_is_the_peers_fault) {
  Bytes good = Claim{Claim::Kind::seek, 7, 8, voters(3)}.encode();
  for (size_t size = 0; size < good.size(); ++size) {
    auto cut = Claim::decode(ByteView(good).first(size));
    ASSERT_FALSE(cut) << size;
    EXPECT_EQ(cut.error().side(), Side::peer);
  }
  Bytes kind = good;
  kind[0] = 3;
  EXPECT_FALSE(Claim::decode(kind));
  EXPECT_FALSE(Claim::decode(Claim{Claim::Kind::seek, kMaxEpoch + 1, 8, voters(3)}.encode()));
  EXPECT_FALSE(Claim::decode(Claim{Claim::Kind::seek, 7, 8, voters(0)}.encode()));
  EXPECT_FALSE(Claim::decode(Claim{Claim::Kind::seek, 7, 8, voters(9)}.encode()));
  Voters twice = voters(2);
  twice.nodes[1] = twice.nodes[0];
  EXPECT_FALSE(Claim::decode(Claim{Claim::Kind::seek, 7, 8, twice}.encode()));
}

}  // namespace
}  // namespace kith::lease
