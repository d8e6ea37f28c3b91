#include "gateway/headers.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "http/hop_headers.h"

namespace kith::gateway {

namespace {

constexpr size_t kMaxInjectedValue = 8 << 10;
constexpr std::string_view kVia = "1.1 kith";

// What a client may not say about itself: we say it, or nobody does. "Proxy" becomes HTTP_PROXY in a CGI
// program, which many HTTP clients obey ("httpoxy").
const http::NameSet& ours() {
  static const http::NameSet names = {"forwarded",      "x-real-ip",     "x-request-id",
                                      "x-original-url", "x-rewrite-url", "proxy"};
  return names;
}
constexpr std::array<std::string_view, 2> kOursPrefix = {"x-forwarded-", "x-kith-"};

bool starts_folded(std::string_view name, std::string_view prefix) {
  return name.size() >= prefix.size() && http::same_folded(name.substr(0, prefix.size()), prefix);
}

bool is_ours(const http::Header& header) {
  return ours().contains(header) ||
         std::any_of(kOursPrefix.begin(), kOursPrefix.end(),
                     [&](std::string_view prefix) { return starts_folded(header.name, prefix); });
}

// Names that the message's Connection header declares to be of that connection.
http::NameSet connection_names(const http::Headers& headers) {
  http::NameSet names;
  for (const http::Header& header : headers) {
    if (!header.is("Connection")) continue;
    for (std::string_view rest = header.value; !rest.empty();) {
      const size_t comma = rest.find(',');
      const std::string_view name = trim(rest.substr(0, comma));
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
      // These two name no header of the message, or one that is dropped anyway.
      if (!iequals(name, "close") && !iequals(name, "keep-alive")) names.add(name);
    }
  }
  return names;
}

bool is_control(char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }

void add_via(http::Headers& headers) {
  const auto via = headers.find("Via");
  if (via && !via->empty()) {
    headers.set("Via", std::string(*via).append(", ").append(kVia));
  } else {
    headers.set("Via", kVia);
  }
}

// Beside what was received: what we add to a head.
constexpr size_t kOwnHeaders = 12;
constexpr size_t kOwnBytes = 400;

}  // namespace

std::string fold_header_name(std::string_view name) {
  std::string folded(name);
  for (char& c : folded) c = http::fold_name(c);
  return folded;
}

bool is_injectable(std::string_view name) {
  if (name.empty()) return false;
  for (char c : name) {
    char small = lower(c);
    if (!is_digit(c) && !(small >= 'a' && small <= 'z') && c != '-' && c != '_') return false;
  }
  const http::Header header{name, {}, http::name_key(name)};
  static const http::NameSet others = {"host", "cookie", "via"};
  return !http::hop_headers().contains(header) && !is_ours(header) && !others.contains(header);
}

http::Headers upstream_headers(const http::RequestHead& request, const http::NameSet& injected,
                               const CookieJar& cookies, const UpstreamFacts& facts) {
  http::Headers headers;
  headers.reserve(request.headers.size() + kOwnHeaders, request.headers.wire_size() + kOwnBytes);
  const http::NameSet connection = connection_names(request.headers);
  const http::NameSet& hops = http::hop_headers();
  for (const http::Header& header : request.headers) {
    if (header.is("host") || hops.contains(header) || is_ours(header)) continue;
    if (connection.contains(header) || injected.contains(header)) continue;
    headers.add(header);
  }

  http::strip_cookies(headers, [&](std::string_view name) { return cookies.is_ours(name); });

  headers.add("X-Forwarded-For", facts.client.forwarded_for);
  headers.add("X-Forwarded-Proto", facts.client.scheme);
  headers.add("X-Forwarded-Host", facts.client.authority);
  headers.add("X-Forwarded-Port", facts.client.port);
  headers.add(kRequestIdHeader, facts.request_id);
  headers.add(kNodeHeader, facts.node_name);
  if (!facts.forwarded_by.empty()) headers.add(kForwardedByHeader, facts.forwarded_by);
  add_via(headers);
  return headers;
}

void inject_headers(http::Headers& headers, const std::vector<HeaderConfig>& configured,
                    const Claims& claims) {
  for (const HeaderConfig& header : configured) {
    Rendered rendered = render(header.value, claims);
    std::erase_if(rendered.text, is_control);
    const std::string_view value = trim(rendered.text);
    if (!rendered.complete || value.empty() || value.size() > kMaxInjectedValue) continue;
    headers.add(header.name, value);
  }
}

http::Headers client_headers(const http::Headers& upstream, const CookieJar& cookies) {
  http::Headers headers;
  headers.reserve(upstream.size() + kOwnHeaders, upstream.wire_size() + kOwnBytes);
  const http::NameSet connection = connection_names(upstream);
  const http::NameSet& hops = http::hop_headers();
  for (const http::Header& header : upstream) {
    if (hops.contains(header) || starts_folded(header.name, "x-kith-") || connection.contains(header))
      continue;
    if (header.is("set-cookie")) {
      // A browser sends a nameless cookie as its value alone, which may read as one of ours.
      std::string_view name = trim(header.value.substr(0, header.value.find_first_of("=;")));
      if (name.empty() || cookies.is_ours(name)) continue;
    }
    headers.add(header);
  }
  add_via(headers);
  return headers;
}

}  // namespace kith::gateway
