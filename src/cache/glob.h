// Patterns of keys and channels, as Redis matches them (KEYS, SCAN MATCH, PSUBSCRIBE): * ? [a-z] [^a] and
// \ before what is meant itself. Bytes, not characters.
#pragma once

#include <string_view>

namespace kith::cache {

// In time of the product of both lengths at worst, a star being tried again from the last one only; but not
// for ever: what takes more steps matches nothing. Patterns and channels are at most kMaxPattern.
inline constexpr size_t kMaxPattern = 1 << 10;
inline constexpr size_t kMaxGlobSteps = 64 << 10;
bool glob_matches(std::string_view pattern, std::string_view text);

// Of keys "*" means all, the empty one among them.
inline bool key_matches(std::string_view pattern, std::string_view key) {
  return pattern == "*" || glob_matches(pattern, key);
}

}  // namespace kith::cache
