// The front channel of the authorization code flow: where the browser is sent and what it brings back.
// OpenID Connect Core 1.0 section 3.1.2, RFC 6749 section 4.1, RFC 7636 (PKCE), RFC 9207 (issuer in the
// answer), RP-Initiated Logout 1.0.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "identity/oidc/metadata.h"

namespace kith::identity::oidc {

using Params = std::map<std::string, std::string>;

// BASE64URL(SHA256(verifier)), RFC 7636 section 4.2.
std::string pkce_challenge(std::string_view verifier);

struct AuthorizationRequest {
  std::string client_id;
  std::string redirect_uri;
  std::string scopes;  // blank-separated; "openid" is added when it is missing
  std::string state;
  std::string nonce;
  std::string pkce_verifier;  // "" = no PKCE
  bool offline_access = false;
  Params extra;  // dropped where they name a parameter of ours, or a request object
};
std::string authorization_url(const Metadata& metadata, const AuthorizationRequest& request);

// The code of a callback. Failures: denied (the user or the provider's policy said no), unavailable
// (the provider cannot now), protocol (another error, no code, or it is not from this issuer).
Result<std::string> read_callback(const Metadata& metadata, const Params& params, std::string_view state);

struct LogoutRequest {
  std::string client_id;
  std::string id_token;      // the hint; left out when "" or too long for a URL
  std::string redirect_uri;  // "" = the provider shows its own page
  std::string state;
};
std::optional<std::string> logout_url(const Metadata& metadata, const LogoutRequest& request);

}  // namespace kith::identity::oidc
