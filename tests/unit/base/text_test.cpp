#include "base/text.h"

#include <gtest/gtest.h>

namespace kith {
namespace {

TEST(Duration, ReadsTheDocumentedForms) {
  EXPECT_EQ(*parse_duration("300ms"), 300ms);
  EXPECT_EQ(*parse_duration("1.5h"), 90min);
  EXPECT_EQ(*parse_duration("2h45m"), 165min);
  EXPECT_EQ(*parse_duration("0"), 0s);
  for (const char* text : {"", "5", "-1s", "1d", "s", "1.2.3s", ".s", "1 s", "99999999999h"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Nearest, FindsTheSlipOfThePenAndNothingFar) {
  std::vector<std::string_view> keys = {"membership", "data", "discovery"};
  EXPECT_EQ(nearest("membershp", keys), "membership");
  EXPECT_EQ(nearest("Discovery", keys), "discovery");
  EXPECT_FALSE(nearest("zzzzz", keys));
}

TEST(Printable, MakesForeignTextSafeForOneLogLine) {
  EXPECT_EQ(printable("a\nb\x1b[0m\"\\"), "a\\x0ab\\x1b[0m\\\"\\\\");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
}

TEST(ParseU64, TakesDigitsAloneAndStopsAtTheEdge) {
  EXPECT_EQ(parse_u64("18446744073709551615"), UINT64_MAX);
  for (const char* text : {"", "+1", "-1", " 1", "1 ", "18446744073709551616", "0x1"})
    EXPECT_FALSE(parse_u64(text)) << text;
}

TEST(Rfc3339, FormatsAKnownMoment) {
  EXPECT_EQ(format_rfc3339(from_unix_ms(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_rfc3339(from_unix_ms(1795252470123)), "2026-11-21T09:14:30.123Z");
}

}  // namespace
}  // namespace kith
