// Addresses: IP endpoints, and the multiaddr form the configuration uses for mesh addresses.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kith {

// IPv4 addresses are held as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2), so there is one form.
struct IpAddress {
  std::array<uint8_t, 16> bytes{};
  auto operator<=>(const IpAddress&) const = default;
  bool is_v4() const;
  bool is_loopback() const;
  bool is_unspecified() const;
  std::string text() const;  // "192.0.2.1" or "2001:db8::1"
  static Result<IpAddress> parse(std::string_view text);
  static IpAddress v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
};

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;
  auto operator<=>(const Endpoint&) const = default;
  std::string text() const;  // "192.0.2.1:80", "[2001:db8::1]:80"
};

// Labels of letters, digits, '-' and '_' (RFC 1123 section 2.1, and the names of services), at most 253
// characters, with or without the last dot.
bool is_host_name(std::string_view name);

// /ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT. Other protocols are refused by name.
struct Multiaddr {
  enum class Host : uint8_t { ip4, ip6, dns, dns4, dns6 };
  Host kind = Host::ip4;
  std::string host;  // canonical address text, or the name in lower case
  uint16_t port = 0;
  auto operator<=>(const Multiaddr&) const = default;
  bool is_name() const { return kind != Host::ip4 && kind != Host::ip6; }
  std::string text() const;
  static Result<Multiaddr> parse(std::string_view text);
  static Multiaddr from(const Endpoint& endpoint);
};

}  // namespace kith
