// Signed tokens in JWS compact serialisation (RFC 7515 section 7.1) with JSON claims (RFC 7519). The
// header is parsed here, strictly, and pinned: the algorithm must be on the issuer's allow-list, the
// key comes from the issuer's key set, and no key or address inside the token is ever used.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "identity/jose/algorithm.h"
#include "identity/jose/key_set.h"

namespace kith::identity::jose {

inline constexpr size_t kMaxTokenBytes = 16 << 10;

struct Header {
  Algorithm algorithm = Algorithm::rs256;
  std::string kid;  // "" when absent
  std::string typ;  // "" when absent
};

// What the three parts say, before anything was proven.
struct Unverified {
  Header header;
  std::string signing_input;  // the first two parts with their dot, as signed
  Bytes payload;
  Bytes signature;
};

struct Token {
  Header header;
  json::object claims;
};

// Failures: limit (too large), invalid (not exactly three strict base64url parts, a header that is
// not an object or asks for what we refuse: an algorithm not allowed, crit, b64, zip, jwk, jku, x5u).
Result<Unverified> parse_compact(std::string_view text, const AlgorithmSet& allowed);

// Checks that key made the signature. unauthenticated when it did not.
Result<void> check_signature(std::string_view text, const Unverified& token, const Key& key);

// All of it: parse, select the key, check the signature, parse the claims. Failures as above, and
// not_found when no key of the set fits: the set may be older than the token. A token without kid
// whose signature fails is not_found too, for the same reason.
Result<Token> verify_token(std::string_view text, const KeySet& keys, const AlgorithmSet& allowed);

}  // namespace kith::identity::jose
