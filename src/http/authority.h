// host[:port] as it stands in Host and in URLs (RFC 3986 section 3.2, RFC 9110 section 7.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kith::http {

struct Authority {
  std::string host;              // lower case; IPv6 without brackets
  std::optional<uint16_t> port;  // as given
  std::string text() const;
};

// Letters, digits, '-', '.', '_' (one dot at the end is dropped), or an IPv6 literal in brackets; a port
// is 1 to 65535 and not empty. No user info, no other characters.
Result<Authority> parse_authority(std::string_view text);

}  // namespace kith::http
