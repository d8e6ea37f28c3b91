// Who the ID token speaks of, after every check of OpenID Connect Core section 3.1.3.7; and the
// translation of JSON claims into ours.
#pragma once

#include <map>
#include <string>

#include "base/time.h"
#include "identity/connector.h"
#include "identity/jose/token.h"

namespace kith::identity::oidc {

inline constexpr std::chrono::milliseconds kClockSkew = 60s;

struct Expectation {
  std::string issuer;
  std::string client_id;
  std::string nonce;
  std::string access_token;  // for at_hash
  WallTime now;
};

struct Subject {
  std::string subject;
  std::string sid;
  std::string acr;
  WallTime authenticated;
};

// token has a verified signature. unauthenticated when any check fails; the message names it.
Result<Subject> check_id_token(const jose::Token& token, const Expectation& expected);

// The claims of the ID token but for those that only bind the token itself (nonce, at_hash, exp ...),
// filled up with those of userinfo; the signed ones win.
ClaimMap to_claims(const json::object& id_token, const json::object& userinfo);

}  // namespace kith::identity::oidc
