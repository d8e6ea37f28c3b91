#include "cache/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace kith::cache {
namespace {

struct Case {
  std::string_view pattern, text;
  bool matches;
};

// As a Redis 7 answers KEYS.
TEST(Glob, MatchesAsRedisDoes) {
  for (const Case& each : {
           Case{"h?llo", "hello", true},
           {"h?llo", "hllo", false},
           {"h*llo", "heeeello", true},
           {"h*llo", "hllo", true},
           {"h[ae]llo", "hello", true},
           {"h[ae]llo", "hillo", false},
           {"h[^e]llo", "hallo", true},
           {"h[^e]llo", "hello", false},
           {"h[a-b]llo", "hallo", true},
           {"h[b-a]llo", "hallo", true},
           {"h[a-b]llo", "hcllo", false},
           {"h\\*llo", "h*llo", true},
           {"h\\*llo", "hello", false},
           {"h[[]llo", "h[llo", true},
           {"h[", "h", false},
           {"h[a", "ha", true},
           {"h[\\*]llo", "h*llo", true},
           {"a[a\\-z]c", "a-c", true},
           {"a[a\\-z]c", "abc", false},
           {"ab\\\\c", "ab\\c", true},
           {"\\", "a", false},
           {"\\", "\\", true},
           {"**o", "hello", true},
           {"", "", true},
           {"", "a", false},
           {"*", "", false},
           {"[]", "a", false},
           {"[^]", "a", true},
           {"H*", "hello", false},
           {"a*b*c", "aXbXbXc", true},
           {"a*b*c", "aXbXbX", false},
           {"[\x80-\xff]", "\xc3", true},
       })
    EXPECT_EQ(glob_matches(each.pattern, each.text), each.matches) << each.pattern << " " << each.text;
}

TEST(Glob, AStarIsAllKeys) {
  EXPECT_TRUE(key_matches("*", ""));
  EXPECT_FALSE(key_matches("**", ""));
  EXPECT_TRUE(key_matches("a*", "ab"));
}

// A pattern of many stars is tried in the time of both lengths' product.
TEST(Glob, EndsSoonForManyStars) {
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "*a";
  EXPECT_FALSE(glob_matches(pattern + "b", std::string(10'000, 'a')));
}

}  // namespace
}  // namespace kith::cache
