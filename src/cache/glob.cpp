#include "cache/glob.h"

#include <cstdint>
#include <utility>

namespace kith::cache {
namespace {

// Of a pattern that begins with '[': whether c is in the set, and where the set ends. Without its ']' all
// that is left belongs to it.
bool in_set(std::string_view pattern, char c, size_t& end) {
  size_t at = 1;
  const bool negated = at < pattern.size() && pattern[at] == '^';
  if (negated) ++at;
  bool found = false;
  auto byte = [](char value) { return static_cast<uint8_t>(value); };
  for (; at < pattern.size() && pattern[at] != ']'; ++at) {
    if (pattern[at] == '\\' && at + 1 < pattern.size()) {
      found = found || pattern[++at] == c;
    } else if (at + 2 < pattern.size() && pattern[at + 1] == '-') {
      uint8_t low = byte(pattern[at]), high = byte(pattern[at + 2]);
      if (low > high) std::swap(low, high);
      found = found || (byte(c) >= low && byte(c) <= high);
      at += 2;
    } else {
      found = found || pattern[at] == c;
    }
  }
  end = at < pattern.size() ? at + 1 : at;
  return found != negated;
}

// Whether one character is matched by what the pattern begins with, and how much of it that is.
bool matches_one(std::string_view pattern, char c, size_t& used) {
  switch (pattern.front()) {
    case '?': used = 1; return true;
    case '[': return in_set(pattern, c, used);
    case '\\':
      if (pattern.size() >= 2) {
        used = 2;
        return pattern[1] == c;
      }
      [[fallthrough]];
    default: used = 1; return pattern.front() == c;
  }
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  if (text.empty()) return pattern.empty();  // as Redis: a star does not match nothing at all
  size_t at = 0, next = 0;
  size_t star = std::string_view::npos, taken = 0;  // the last star, and how much of the text it takes
  size_t steps = 0;
  while (next < text.size()) {
    if (++steps > kMaxGlobSteps) return false;
    size_t used = 0;
    if (at < pattern.size() && pattern[at] == '*') {
      star = ++at;
      taken = next;
    } else if (at < pattern.size() && matches_one(pattern.substr(at), text[next], used)) {
      at += used;
      ++next;
    } else if (star != std::string_view::npos) {
      at = star;
      next = ++taken;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

}  // namespace kith::cache
