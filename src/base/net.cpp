#include "base/net.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/text.h"

namespace kith {
namespace {

constexpr std::array<uint8_t, 12> kV4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

bool is_host_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > 253) return false;
  for (std::string_view label : split(name, '.')) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    if (!std::all_of(label.begin(), label.end(), [](char c) {
          return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '_';
        }))
      return false;
  }
  return true;
}

bool IpAddress::is_v4() const { return std::equal(kV4Prefix.begin(), kV4Prefix.end(), bytes.begin()); }

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes[12] == 127;
  return std::all_of(bytes.begin(), bytes.end() - 1, [](uint8_t b) { return b == 0; }) && bytes[15] == 1;
}

bool IpAddress::is_unspecified() const {
  size_t from = is_v4() ? 12 : 0;
  return std::all_of(bytes.begin() + static_cast<long>(from), bytes.end(), [](uint8_t b) { return b == 0; });
}

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN];
  if (!is_v4()) {
    inet_ntop(AF_INET6, bytes.data(), buffer, sizeof buffer);
    return buffer;
  }
  // Part of each request, and inet_ntop goes through sprintf.
  char* end = buffer;
  for (size_t i = 12; i < 16; ++i) {
    if (i > 12) *end++ = '.';
    end = std::to_chars(end, buffer + sizeof buffer, bytes[i]).ptr;
  }
  return {buffer, end};
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  IpAddress out;
  std::string copy(text);
  if (in_addr v4{}; inet_pton(AF_INET, copy.c_str(), &v4) == 1) {
    std::copy(kV4Prefix.begin(), kV4Prefix.end(), out.bytes.begin());
    std::memcpy(out.bytes.data() + 12, &v4, 4);
    return out;
  }
  if (copy.size() == text.size() && inet_pton(AF_INET6, copy.c_str(), out.bytes.data()) == 1) return out;
  return Error(Code::invalid, "'" + printable(text, 60) + "' is not an IP address");
}

IpAddress IpAddress::v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  IpAddress out;
  std::copy(kV4Prefix.begin(), kV4Prefix.end(), out.bytes.begin());
  out.bytes[12] = a;
  out.bytes[13] = b;
  out.bytes[14] = c;
  out.bytes[15] = d;
  return out;
}

std::string Endpoint::text() const {
  std::string host = address.text();
  return (address.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(port);
}

std::string Multiaddr::text() const {
  static constexpr std::string_view kNames[] = {"ip4", "ip6", "dns", "dns4", "dns6"};
  return "/" + std::string(kNames[static_cast<size_t>(kind)]) + "/" + host + "/tcp/" + std::to_string(port);
}

Multiaddr Multiaddr::from(const Endpoint& endpoint) {
  return {endpoint.address.is_v4() ? Host::ip4 : Host::ip6, endpoint.address.text(), endpoint.port};
}

Result<Multiaddr> Multiaddr::parse(std::string_view text) {
  auto bad = [&](std::string why) {
    return Error(Code::invalid,
                 "'" + printable(text, 80) + "': " + why +
                     " (expected /ip4/ADDRESS/tcp/PORT, also ip6, dns, dns4, dns6)",
                 Side::config);
  };
  if (!text.starts_with('/')) return bad("a multiaddr starts with '/'");
  std::string_view body = text.substr(1);
  if (body.ends_with('/')) body.remove_suffix(1);
  auto parts = split(body, '/');
  Multiaddr out;
  if (parts[0] == "ip4") {
    out.kind = Host::ip4;
  } else if (parts[0] == "ip6") {
    out.kind = Host::ip6;
  } else if (parts[0] == "dns") {
    out.kind = Host::dns;
  } else if (parts[0] == "dns4") {
    out.kind = Host::dns4;
  } else if (parts[0] == "dns6") {
    out.kind = Host::dns6;
  } else {
    return bad("protocol '" + printable(parts[0], 20) + "' is not supported");
  }
  if (parts.size() < 2) return bad("the host is missing");
  if (out.is_name()) {
    if (!is_host_name(parts[1])) return bad("'" + printable(parts[1], 60) + "' is not a host name");
    out.host = lower(parts[1]);
  } else {
    auto address = IpAddress::parse(parts[1]);
    if (!address || address->is_v4() != (out.kind == Host::ip4))
      return bad("'" + printable(parts[1], 60) + "' is not an " + std::string(parts[0]) + " address");
    out.host = address->text();
  }
  if (parts.size() < 4 || parts[2] != "tcp")
    return bad(parts.size() > 2 && parts[2] != "tcp"
                   ? "transport '" + printable(parts[2], 20) + "' is not supported"
                   : "/tcp/PORT is missing");
  auto port = parse_u64(parts[3]);
  if (!port || *port > 65535 || (parts[3].size() > 1 && parts[3][0] == '0'))
    return bad("'" + printable(parts[3], 20) + "' is not a port (0 to 65535)");
  if (parts.size() > 4) return bad("'/" + printable(parts[4], 20) + "' is not supported here");
  out.port = static_cast<uint16_t>(*port);
  return out;
}

}  // namespace kith
