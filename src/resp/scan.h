// Internal to resp/: what both parsers read alike, a line that ends in CR LF and the integer in it.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace kith::resp {

enum class Line : uint8_t { incomplete, complete, too_long, malformed };

// The line that begins at `at`, without its CR LF; malformed when a CR stands alone. `seen` is how far
// earlier calls for this line have looked, 0 at first: a line that comes byte by byte is looked through once.
// What is found does not depend on how the line was cut on its way.
inline Line find_line(std::string_view text, size_t at, size_t max, size_t& seen, std::string_view& line) {
  const size_t from = seen > at ? seen : at;
  const size_t end = text.find('\r', from);
  if (end == std::string_view::npos) {
    seen = text.size();
    return text.size() - at > max ? Line::too_long : Line::incomplete;
  }
  if (end - at > max) return Line::too_long;
  seen = end;
  if (end + 1 == text.size()) return Line::incomplete;
  if (text[end + 1] != '\n') return Line::malformed;
  line = text.substr(at, end - at);
  seen = 0;
  return Line::complete;
}

// As Redis writes integers: no blanks, no plus, no zero in front, so that each number has one text.
inline std::optional<int64_t> parse_integer(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with('-')) digits.remove_prefix(1);
  if (digits.starts_with('0') && text != "0") return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace kith::resp
