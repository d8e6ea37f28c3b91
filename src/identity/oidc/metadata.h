// What an OpenID provider says of itself: OpenID Connect Discovery 1.0 sections 3 and 4, RFC 8414.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/message.h"

namespace kith::identity::oidc {

inline constexpr size_t kMaxMetadataBytes = 256 << 10;
inline constexpr std::string_view kWellKnownSuffix = "/.well-known/openid-configuration";

struct Metadata {
  std::string issuer;
  http::Url authorization_endpoint;
  http::Url token_endpoint;
  http::Url jwks_uri;
  std::optional<http::Url> userinfo_endpoint;
  std::optional<http::Url> end_session_endpoint;
  std::vector<std::string> token_auth_methods;  // empty: client_secret_basic, the default
  bool sends_issuer = false;                    // authorization_response_iss_parameter_supported, RFC 9207
};

// A URL we may talk to or send the browser to: https, or http on a loopback host (development).
Result<http::Url> parse_provider_url(std::string_view text);

// Also checks that it ends with the well-known suffix and has no query.
Result<http::Url> parse_well_known_url(std::string_view text);

// The document found at well_known_url, which has passed parse_well_known_url. The issuer must be the
// URL's prefix, character by character (a single closing slash may be added), or anybody's document
// could speak for anybody. A provider reached over https must name https endpoints only.
Result<Metadata> parse_metadata(std::string_view document, std::string_view well_known_url);

}  // namespace kith::identity::oidc
