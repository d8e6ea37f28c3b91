// Small text helpers, ASCII only: protocol text is never subject to a locale.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace kith {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
std::string lower(std::string_view text);
bool iequals(std::string_view a, std::string_view b);
std::string_view trim(std::string_view text);  // blanks and tabs, both ends
std::vector<std::string_view> split(std::string_view text, char separator);

// Decimal digits only, no sign, no blanks, no overflow.
std::optional<uint64_t> parse_u64(std::string_view text);

// Go-style duration text as the documented configuration uses it: "300ms", "1.5h", "2h45m", "0".
// Units ns, us, ms, s, m, h. Negative values are refused.
Result<Duration> parse_duration(std::string_view text);
std::string format_duration(Duration duration);

// "2026-11-21T09:14:30.123Z" (RFC 3339, UTC).
std::string format_rfc3339(WallTime time);

// The candidate nearest to word by edit distance, when near enough to be a likely slip of the pen.
std::optional<std::string_view> nearest(std::string_view word,
                                        const std::vector<std::string_view>& candidates);

// Text that may come from outside, made safe for one log line: control characters, quotes and
// backslashes escaped, cut at max bytes.
std::string printable(std::string_view text, size_t max = 200);

// "example.org:443" or "[::1]:443" into host and port. The host may be empty (":443").
struct HostPort {
  std::string host;
  uint16_t port = 0;
};
Result<HostPort> parse_host_port(std::string_view text);

}  // namespace kith
