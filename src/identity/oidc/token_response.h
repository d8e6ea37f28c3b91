// The back channel of the authorization code flow: the token request's form and what may come back
// (RFC 6749 sections 4.1.3, 5.1 and 5.2; OpenID Connect Core sections 3.1.3 and 5.3).
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "crypto/secret.h"
#include "identity/oidc/metadata.h"

namespace kith::identity::oidc {

inline constexpr size_t kMaxTokenResponseBytes = 128 << 10;
inline constexpr size_t kMaxUserinfoBytes = 64 << 10;

struct TokenRequest {
  std::string form;           // application/x-www-form-urlencoded
  std::string authorization;  // Authorization header, "" = none
};
// Client authentication is client_secret_basic where the provider takes it, else client_secret_post;
// without a secret the client is public. invalid (side config) when the provider takes neither.
Result<TokenRequest> token_request(const Metadata& metadata, const std::string& client_id,
                                   const crypto::Secret& secret, const std::string& code,
                                   const std::string& redirect_uri, const std::string& pkce_verifier);

struct Tokens {
  std::string id_token;
  std::string access_token;
};
// Failures: invalid (side client: the code is spent, old or not ours), unavailable (the provider fails or
// is busy), protocol (anything else; side config when our client credentials are refused).
Result<Tokens> read_token_response(int status, std::string_view content_type, std::string_view body);

// The userinfo claims; their subject must be the ID token's (Core section 5.3.2).
Result<json::object> read_userinfo(int status, std::string_view content_type, std::string_view body,
                                   std::string_view subject);

}  // namespace kith::identity::oidc
