#include "once/code.h"

#include <gtest/gtest.h>

namespace kith::once {
namespace {

const std::vector<crypto::Secret> kKeys{crypto::Secret(Bytes(32, 0x11)), crypto::Secret(Bytes(32, 0x22))};
const WallTime kExpires = from_unix_ms(1'700'000'060'000);

Fingerprint fingerprint(uint8_t number) {
  Fingerprint out;
  out.bytes.fill(number);
  return out;
}
OnceCode code() {
  OnceCode out{{fingerprint(1), fingerprint(2), fingerprint(3)}, {}, kExpires};
  for (size_t i = 0; i < out.random.size(); ++i) out.random[i] = static_cast<uint8_t>(i);
  return out;
}

TEST(OnceCode, comes_back_as_it_was) {
  std::string text = code().text(kKeys);
  EXPECT_EQ(text.size(), 92U);
  auto back = OnceCode::parse(text, kKeys, kExpires - 1s);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, code());
  EXPECT_EQ(back->id(), code().id());
}

TEST(OnceCode, of_a_node_alone_names_one_replica) {
  OnceCode alone = code();
  alone.group.resize(1);
  auto back = OnceCode::parse(alone.text(kKeys), kKeys, kExpires - 1s);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->group, alone.group);
}

TEST(OnceCode, is_known_by_a_hash_that_depends_on_nothing_but_its_random_part) {
  OnceCode other = code();
  other.group.clear();
  other.expires += 1h;
  EXPECT_EQ(other.id(), code().id());
  other.random[19] ^= 1;
  EXPECT_NE(other.id(), code().id());
}

TEST(OnceCode, with_any_character_changed_is_none) {
  const std::string good = code().text(kKeys);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    auto parsed = OnceCode::parse(bad, kKeys, kExpires - 1s);
    ASSERT_FALSE(parsed) << i;
    EXPECT_EQ(parsed.error().code(), Code::invalid);
    EXPECT_EQ(parsed.error().side(), Side::client);
  }
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(OnceCode::parse(good.substr(0, size), kKeys, kExpires - 1s)) << size;
  EXPECT_FALSE(OnceCode::parse(good + "AAAA", kKeys, kExpires - 1s));
  EXPECT_FALSE(OnceCode::parse(std::string(92, '!'), kKeys, kExpires - 1s));
}

TEST(OnceCode, is_verified_with_every_key_and_signed_with_the_first) {
  const std::vector<crypto::Secret> old{kKeys[1]}, fresh{kKeys[0]}, foreign{crypto::Secret(Bytes(32, 0x33))};
  EXPECT_TRUE(OnceCode::parse(code().text(old), kKeys, kExpires - 1s));
  EXPECT_TRUE(OnceCode::parse(code().text(kKeys), fresh, kExpires - 1s));
  EXPECT_FALSE(OnceCode::parse(code().text(kKeys), old, kExpires - 1s));
  EXPECT_FALSE(OnceCode::parse(code().text(foreign), kKeys, kExpires - 1s));
}

TEST(OnceCode, that_expired_is_left_to_the_group_while_it_remembers) {
  std::string text = code().text(kKeys);
  EXPECT_TRUE(OnceCode::parse(text, kKeys, kExpires + 59s));
  auto late = OnceCode::parse(text, kKeys, kExpires + 60s);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Code::timeout);
  EXPECT_FALSE(OnceCode::parse(text, kKeys, kExpires, 0s));
}

}  // namespace
}  // namespace kith::once
