#include "gateway/headers.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace kith::gateway {

namespace {

constexpr size_t kMaxInjectedValue = 8 << 10;
constexpr std::string_view kVia = "1.1 kith";

// Of one connection only (RFC 9110 section 7.6.1), and what the codec writes itself.
constexpr std::array<std::string_view, 12> kHopByHop = {"connection",
                                                        "keep-alive",
                                                        "proxy-connection",
                                                        "proxy-authenticate",
                                                        "proxy-authorization",
                                                        "te",
                                                        "trailer",
                                                        "transfer-encoding",
                                                        "upgrade",
                                                        "expect",
                                                        "content-length",
                                                        "http2-settings"};

// What a client may not say about itself: we say it, or nobody does. Folded names and prefixes.
constexpr std::array<std::string_view, 5> kOursExact = {"forwarded", "x-real-ip", "x-request-id",
                                                        "x-original-url", "x-rewrite-url"};
constexpr std::array<std::string_view, 2> kOursPrefix = {"x-forwarded-", "x-kith-"};

bool is_hop_by_hop(std::string_view folded) {
  return std::find(kHopByHop.begin(), kHopByHop.end(), folded) != kHopByHop.end();
}

bool is_ours(std::string_view folded) {
  return std::find(kOursExact.begin(), kOursExact.end(), folded) != kOursExact.end() ||
         std::any_of(kOursPrefix.begin(), kOursPrefix.end(),
                     [&](std::string_view prefix) { return folded.starts_with(prefix); });
}

// Names that the message's Connection header declares to be of that connection, folded.
std::vector<std::string> connection_names(const http::Headers& headers) {
  std::vector<std::string> names;
  for (const http::Header& header : headers) {
    if (!iequals(header.name, "Connection")) continue;
    for (std::string_view item : split(header.value, ',')) names.push_back(fold_header_name(trim(item)));
  }
  return names;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string header_value(std::string_view text) {
  std::string value;
  for (char c : text) {
    if (static_cast<uint8_t>(c) >= 0x20 && c != 0x7f) value += c;
  }
  return std::string(trim(value));
}

void add_via(http::Headers& headers) {
  std::string via(headers.get("Via"));
  headers.set("Via", via.empty() ? std::string(kVia) : via.append(", ").append(kVia));
}

}  // namespace

std::string fold_header_name(std::string_view name) {
  std::string folded = lower(name);
  for (char& c : folded) {
    if (!is_digit(c) && !(c >= 'a' && c <= 'z')) c = '-';
  }
  return folded;
}

bool is_injectable(std::string_view name) {
  if (name.empty()) return false;
  for (char c : name) {
    char small = lower(c);
    if (!is_digit(c) && !(small >= 'a' && small <= 'z') && c != '-' && c != '_') return false;
  }
  std::string folded = fold_header_name(name);
  return !is_hop_by_hop(folded) && !is_ours(folded) && folded != "host" && folded != "cookie" &&
         folded != "via";
}

http::Headers upstream_headers(const http::RequestHead& request, const std::vector<std::string>& injected,
                               const CookieJar& cookies, const UpstreamFacts& facts) {
  http::Headers headers;
  std::vector<std::string> connection = connection_names(request.headers);
  for (const http::Header& header : request.headers) {
    std::string folded = fold_header_name(header.name);
    if (folded == "host" || is_hop_by_hop(folded) || is_ours(folded)) continue;
    if (has(connection, folded) || has(injected, folded)) continue;
    headers.add(header.name, header.value);
  }

  std::vector<std::string> ours;
  for (std::string& name : cookie_names(headers)) {
    if (cookies.is_ours(name)) ours.push_back(std::move(name));
  }
  if (!ours.empty()) http::strip_cookies(headers, ours);

  headers.add("X-Forwarded-For", facts.client.forwarded_for);
  headers.add("X-Forwarded-Proto", facts.client.scheme);
  headers.add("X-Forwarded-Host", facts.client.authority);
  headers.add("X-Forwarded-Port", facts.client.port);
  headers.add(std::string(kRequestIdHeader), std::string(facts.request_id));
  headers.add(std::string(kNodeHeader), std::string(facts.node_name));
  if (!facts.forwarded_by.empty()) {
    headers.add(std::string(kForwardedByHeader), std::string(facts.forwarded_by));
  }
  add_via(headers);
  return headers;
}

void inject_headers(http::Headers& headers, const std::vector<HeaderConfig>& configured,
                    const Claims& claims) {
  for (const HeaderConfig& header : configured) {
    Rendered rendered = render(header.value, claims);
    std::string value = header_value(rendered.text);
    if (!rendered.complete || value.empty() || value.size() > kMaxInjectedValue) continue;
    headers.add(header.name, std::move(value));
  }
}

http::Headers client_headers(const http::Headers& upstream, const CookieJar& cookies) {
  http::Headers headers;
  std::vector<std::string> connection = connection_names(upstream);
  for (const http::Header& header : upstream) {
    std::string folded = fold_header_name(header.name);
    if (is_hop_by_hop(folded) || folded.starts_with("x-kith-") || has(connection, folded)) continue;
    if (folded == "set-cookie") {
      std::string_view text = header.value;
      if (cookies.is_ours(trim(text.substr(0, text.find_first_of("=;"))))) continue;
    }
    headers.add(header.name, header.value);
  }
  add_via(headers);
  return headers;
}

}  // namespace kith::gateway
