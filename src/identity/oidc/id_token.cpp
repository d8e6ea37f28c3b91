#include "identity/oidc/id_token.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/text.h"
#include "crypto/secret.h"
#include "identity/jose/strict_json.h"

namespace kith::identity::oidc {
namespace {

constexpr size_t kMaxSubjectBytes = 255;  // Core section 2

Error refused(std::string message) {
  return Error(Code::unauthenticated, "ID token: " + std::move(message), Side::upstream);
}

// Section 2: one text or a list. Several audiences are fine only when azp says that we are meant.
Result<void> check_audience(const json::object& claims, const std::string& client_id) {
  const json::value* aud = find(claims, "aud");
  std::vector<std::string> audiences;
  if (aud != nullptr && aud->is_string()) {
    audiences.emplace_back(aud->get_string());
  } else {
    KITH_TRY(audiences, jose::optional_texts(claims, "aud"));
  }
  if (std::find(audiences.begin(), audiences.end(), client_id) == audiences.end()) {
    return refused("the audience is not this client");
  }
  KITH_TRY(std::optional<std::string> azp, jose::optional_text(claims, "azp"));
  if (azp ? *azp != client_id : audiences.size() > 1)
    return refused("the authorized party is not this client");
  return {};
}

Result<void> check_times(const json::object& claims, WallTime now) {
  KITH_TRY(std::optional<WallTime> exp, jose::optional_date(claims, "exp"));
  KITH_TRY(std::optional<WallTime> iat, jose::optional_date(claims, "iat"));
  KITH_TRY(std::optional<WallTime> nbf, jose::optional_date(claims, "nbf"));
  if (!exp || !iat) return refused("exp or iat is missing");
  if (now >= *exp + kClockSkew) return refused("it has expired");
  if (*iat > now + kClockSkew) return refused("it was issued in the future");
  if (nbf && *nbf > now + kClockSkew) return refused("it is not valid yet");
  return {};
}

Result<void> check_binding(const jose::Token& token, const Expectation& expected) {
  KITH_TRY(std::optional<std::string> nonce, jose::optional_text(token.claims, "nonce"));
  if (expected.nonce.empty() || !nonce ||
      !crypto::equal_constant_time(as_bytes(*nonce), as_bytes(expected.nonce))) {
    return refused("the nonce is not the one that was sent");
  }
  KITH_TRY(std::optional<std::string> at_hash, jose::optional_text(token.claims, "at_hash"));
  if (at_hash && *at_hash != jose::half_hash(token.header.algorithm, expected.access_token)) {
    return refused("at_hash is not that of the access token");
  }
  return {};
}

Result<Subject> read_subject(const json::object& claims, WallTime now) {
  KITH_TRY(std::optional<std::string> sub, jose::optional_text(claims, "sub"));
  KITH_TRY(std::optional<std::string> sid, jose::optional_text(claims, "sid"));
  KITH_TRY(std::optional<std::string> acr, jose::optional_text(claims, "acr"));
  KITH_TRY(std::optional<WallTime> auth_time, jose::optional_date(claims, "auth_time"));
  auto control = [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; };
  if (!sub || sub->empty() || sub->size() > kMaxSubjectBytes ||
      std::any_of(sub->begin(), sub->end(), control)) {
    return refused("the subject is missing or malformed");
  }
  Subject subject;
  subject.subject = std::move(*sub);
  subject.sid = sid.value_or("");
  subject.acr = acr.value_or("");
  subject.authenticated = std::min(auth_time.value_or(now), now);
  return subject;
}

Result<Subject> check_all(const jose::Token& token, const Expectation& expected) {
  // RFC 8725 section 3.11: a token made for another purpose says so in typ.
  if (!token.header.typ.empty() && !iequals(token.header.typ, "JWT")) return refused("typ is not JWT");
  KITH_TRY(std::optional<std::string> iss, jose::optional_text(token.claims, "iss"));
  if (!iss || *iss != expected.issuer) return refused("the issuer is another");
  KITH_TRY_VOID(check_audience(token.claims, expected.client_id));
  KITH_TRY_VOID(check_times(token.claims, expected.now));
  KITH_TRY_VOID(check_binding(token, expected));
  return read_subject(token.claims, expected.now);
}

std::string to_text(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

void add_claims(ClaimMap& to, const json::object& from) {
  static constexpr std::string_view kBinding[] = {"nonce", "at_hash", "c_hash", "s_hash",
                                                  "exp",   "iat",     "nbf",    "jti"};
  for (const auto& member : from) {
    std::string_view name(member.key().data(), member.key().size());
    const json::value& value = member.value();
    bool skip =
        value.is_null() || std::find(std::begin(kBinding), std::end(kBinding), name) != std::end(kBinding);
    if (skip || to.contains(std::string(name))) continue;
    Claim claim;
    claim.list = value.is_array();
    if (claim.list) {
      for (const json::value& entry : value.get_array()) claim.values.push_back(to_text(entry));
    } else {
      claim.values.push_back(to_text(value));
    }
    to.emplace(std::string(name), std::move(claim));
  }
}

}  // namespace

Result<Subject> check_id_token(const jose::Token& token, const Expectation& expected) {
  Result<Subject> subject = check_all(token, expected);
  if (!subject && subject.error().code() != Code::unauthenticated) return refused(subject.error().message());
  return subject;
}

ClaimMap to_claims(const json::object& id_token, const json::object& userinfo) {
  ClaimMap claims;
  add_claims(claims, id_token);
  add_claims(claims, userinfo);
  return claims;
}

}  // namespace kith::identity::oidc
