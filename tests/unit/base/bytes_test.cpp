#include "base/bytes.h"

#include <gtest/gtest.h>

namespace kith {
namespace {

TEST(Base64Url, EncodesTheVectorsOfRfc4648AndBack) {
  const std::pair<const char*, const char*> kVectors[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
  for (auto [plain, text] : kVectors) {
    EXPECT_EQ(base64url(as_bytes(plain)), text);
    EXPECT_EQ(unbase64url(text), to_bytes(plain));
  }
}

TEST(Base64Url, RefusesEverySecondTextOfTheSameValue) {
  EXPECT_FALSE(unbase64url("Zg=="));
  EXPECT_FALSE(unbase64url("Zh"));  // unused bits set
  EXPECT_FALSE(unbase64url("Z"));
  EXPECT_FALSE(unbase64url("Zm9+"));
  EXPECT_FALSE(unbase64url("Zm9v\n"));
}

TEST(Base64, RoundTripsEveryLengthWithPadding) {
  Bytes bytes;
  for (int i = 0; i < 70; ++i) {
    std::string text = base64(bytes);
    EXPECT_EQ(text.size() % 4, 0u);
    EXPECT_EQ(unbase64(text), bytes);
    bytes.push_back(static_cast<uint8_t>(i * 37));
  }
  EXPECT_FALSE(unbase64("Zg="));
  EXPECT_FALSE(unbase64("Zg"));
}

TEST(Hex, TakesEitherCaseAndWholeBytesOnly) {
  EXPECT_EQ(hex(Bytes{0x00, 0xab, 0xff}), "00abff");
  EXPECT_EQ(unhex("00ABff"), (Bytes{0x00, 0xab, 0xff}));
  EXPECT_FALSE(unhex("0"));
  EXPECT_FALSE(unhex("0g"));
}

}  // namespace
}  // namespace kith
