#include "gateway/client_address.h"

#include "base/text.h"

namespace kith::gateway {

namespace {

constexpr size_t kMaxHops = 32;  // of X-Forwarded-For that are looked at

// The value of a header that a trusted peer set, taken only when it is unambiguous.
std::string_view single(const http::Headers& headers, std::string_view name) {
  return headers.count(name) == 1 ? headers.get(name) : std::string_view();
}

bool is_authority(std::string_view text) {
  if (text.empty() || text.size() > 255) return false;
  for (char c : text) {
    bool fine = (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '.' || c == '_' || c == ':' ||
                c == '[' || c == ']';
    if (!fine) return false;
  }
  return true;
}

std::vector<IpAddress> hops(const http::Headers& headers) {
  std::vector<IpAddress> result;
  for (const http::Header& header : headers) {
    if (!iequals(header.name, "X-Forwarded-For")) continue;
    for (std::string_view item : split(header.value, ',')) {
      auto address = IpAddress::parse(trim(item));
      // What stands left of something unreadable was not checked by anybody we trust.
      if (!address) {
        result.clear();
        continue;
      }
      result.push_back(*address);
    }
  }
  if (result.size() > kMaxHops) result.erase(result.begin(), result.end() - kMaxHops);
  return result;
}

// The port a browser would have used: the authority's own, or the scheme's.
std::string port_of(std::string_view scheme, std::string_view authority) {
  const size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  if (auto port = has_port ? parse_u64(authority.substr(colon + 1)) : std::nullopt; port && *port < 65536)
    return std::to_string(*port);
  return scheme == "https" ? "443" : "80";
}

}  // namespace

Result<void> TrustedProxies::add(std::string_view text) {
  size_t slash = text.find('/');
  auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return Error(Code::invalid, "not an address or network: " + printable(text), Side::config);
  Network network{.address = *address};
  if (slash != std::string_view::npos) {
    uint64_t width = address->is_v4() ? 32 : 128;
    auto bits = parse_u64(text.substr(slash + 1));
    if (!bits || *bits > width) {
      return Error(Code::invalid, "bad network size: " + printable(text), Side::config);
    }
    network.bits = static_cast<int>(*bits + 128 - width);
  }
  networks_.push_back(network);
  return {};
}

bool TrustedProxies::contains(const IpAddress& address) const {
  auto inside = [&](const Network& network) {
    int left = network.bits;
    for (size_t i = 0; i < address.bytes.size() && left > 0; ++i, left -= 8) {
      int keep = left < 8 ? left : 8;
      uint8_t mask = static_cast<uint8_t>(0xff << (8 - keep));
      if ((address.bytes[i] & mask) != (network.address.bytes[i] & mask)) return false;
    }
    return true;
  };
  for (const Network& network : networks_) {
    if (inside(network)) return true;
  }
  return false;
}

ClientFacts client_facts(const http::RequestHead& request, const http::Origin& origin,
                         const TrustedProxies& trusted) {
  ClientFacts facts;
  facts.peer_trusted = trusted.contains(origin.peer.address);
  facts.address = origin.peer.address;
  facts.scheme = origin.tls ? "https" : "http";
  facts.authority = request.host;
  facts.forwarded_for = origin.peer.address.text();
  if (facts.peer_trusted) {
    std::vector<IpAddress> chain = hops(request.headers);
    std::string text;
    for (const IpAddress& hop : chain) text += hop.text() + ", ";
    facts.forwarded_for.insert(0, text);
    for (; !chain.empty() && trusted.contains(facts.address); chain.pop_back()) facts.address = chain.back();

    std::string_view scheme = single(request.headers, "X-Forwarded-Proto");
    if (scheme == "http" || scheme == "https") facts.scheme = scheme;
    std::string authority = lower(single(request.headers, "X-Forwarded-Host"));
    if (is_authority(authority)) facts.authority = std::move(authority);
  }
  facts.port = port_of(facts.scheme, facts.authority);
  if (facts.peer_trusted) {
    std::string_view port = single(request.headers, "X-Forwarded-Port");
    if (auto number = parse_u64(port); number && *number > 0 && *number < 65536) facts.port = port;
  }
  return facts;
}

}  // namespace kith::gateway
