// Where a browser goes after a login: a path on this host, and nothing that a browser could read as
// another place (RFC 9700 section 4.11; the many forms of "//evil" that parsers disagree on).
#pragma once

#include <string>
#include <string_view>

namespace kith::gateway {

inline constexpr size_t kMaxReturnTarget = 1500;  // it travels in a cookie

// The text itself when it is a safe local target, else "/".
std::string safe_return_target(std::string_view text);

}  // namespace kith::gateway
