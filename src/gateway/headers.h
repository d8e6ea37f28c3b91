// What of a request's headers reaches an upstream, and of its response the client. The rule against
// spoofing: no header a client sent gets through whose folded name is one that we (any app) set.
// Folding takes case and every character that is not a letter or digit as equal, since servers that
// turn names into variables (CGI, RFC 3875 section 4.1.18, and its heirs) do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/claims.h"
#include "gateway/client_address.h"
#include "gateway/cookies.h"
#include "http/message.h"

namespace kith::gateway {

inline constexpr std::string_view kNodeHeader = "X-Kith-Node";
inline constexpr std::string_view kForwardedByHeader = "X-Kith-Forwarded-By";
inline constexpr std::string_view kRequestIdHeader = "X-Request-Id";

std::string fold_header_name(std::string_view name);

// Whether an app may inject a header of this name; not those that frame messages or that we set.
bool is_injectable(std::string_view name);

// The facts that go upstream beside the client's own headers.
struct UpstreamFacts {
  const ClientFacts& client;
  std::string_view request_id;
  std::string_view node_name;
  std::string_view forwarded_by;  // "" = not forwarded
};

// injected: names that no client may send (Routes::injected).
http::Headers upstream_headers(const http::RequestHead& request, const http::NameSet& injected,
                               const CookieJar& cookies, const UpstreamFacts& facts);
// Adds an app's own headers. One with a missing claim, or an empty value, is left out; control
// characters are removed from values.
void inject_headers(http::Headers& headers, const std::vector<HeaderConfig>& configured,
                    const Claims& claims);

// The upstream's response headers without those of the connection, without ours, and without cookies
// that would replace ours.
http::Headers client_headers(const http::Headers& upstream, const CookieJar& cookies);

}  // namespace kith::gateway
