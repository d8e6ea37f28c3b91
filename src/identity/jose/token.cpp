#include "identity/jose/token.h"

#include "base/text.h"
#include "identity/jose/strict_json.h"

namespace kith::identity::jose {
namespace {

constexpr size_t kMaxHeaderBytes = 4 << 10;
constexpr size_t kMaxKidBytes = 512;

// Members that would change what the rest means (crit, b64, zip), or offer a key of the sender's
// choice (RFC 8725 sections 3.9 and 3.10). No issuer needs them in the tokens we read.
constexpr std::string_view kRefused[] = {"crit", "b64", "zip", "jwk", "jku", "x5u"};

Result<Header> parse_header(ByteView bytes, const AlgorithmSet& allowed) {
  JsonLimits limits;
  limits.max_bytes = kMaxHeaderBytes;
  limits.max_depth = 4;
  KITH_TRY(json::object object, parse_strict_object(as_text(bytes), limits));
  for (std::string_view name : kRefused) {
    if (find(object, name) != nullptr) {
      return Error(Code::invalid, "header member '" + std::string(name) + "' is refused");
    }
  }
  KITH_TRY(std::optional<std::string> alg, optional_text(object, "alg"));
  KITH_TRY(std::optional<std::string> kid, optional_text(object, "kid"));
  KITH_TRY(std::optional<std::string> typ, optional_text(object, "typ"));
  if (!alg) return Error(Code::invalid, "header without 'alg'");
  std::optional<Algorithm> algorithm = algorithm_named(*alg);
  if (!algorithm || !allowed.contains(*algorithm)) {
    return Error(Code::invalid, "algorithm '" + printable(*alg, 40) + "' is not allowed for this issuer");
  }
  if (kid && (kid->empty() || kid->size() > kMaxKidBytes)) {
    return Error(Code::invalid, "'kid' is empty or too long");
  }
  Header header;
  header.algorithm = *algorithm;
  header.kid = kid.value_or("");
  header.typ = typ.value_or("");
  return header;
}

}  // namespace

Result<Unverified> parse_compact(std::string_view text, const AlgorithmSet& allowed) {
  if (text.size() > kMaxTokenBytes) return Error(Code::limit, "token is larger than 16 KiB");
  size_t first = text.find('.');
  size_t second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (second == std::string_view::npos || text.find('.', second + 1) != std::string_view::npos) {
    return Error(Code::invalid, "token does not have exactly three parts");
  }
  std::optional<Bytes> header = unbase64url(text.substr(0, first));
  std::optional<Bytes> payload = unbase64url(text.substr(first + 1, second - first - 1));
  std::optional<Bytes> signature = unbase64url(text.substr(second + 1));
  if (!header || !payload || !signature) return Error(Code::invalid, "token part is not strict base64url");
  if (header->empty() || payload->empty() || signature->empty()) {
    return Error(Code::invalid, "token has an empty part");
  }
  Unverified token;
  KITH_TRY(token.header, parse_header(*header, allowed));
  token.signing_input = std::string(text.substr(0, second));
  token.payload = std::move(*payload);
  token.signature = std::move(*signature);
  return token;
}

Result<Token> verify_token(std::string_view text, const KeySet& keys, const AlgorithmSet& allowed) {
  KITH_TRY(Unverified parsed, parse_compact(text, allowed));
  KITH_TRY(const Key* key, keys.select(parsed.header.kid, parsed.header.algorithm));
  if (Result<void> checked = check_signature(text, parsed, *key); !checked) {
    if (!parsed.header.kid.empty()) return std::move(checked).error();
    return Error(Code::not_found, "no key of the issuer made the token's signature");
  }
  JsonLimits limits;
  limits.max_bytes = kMaxTokenBytes;
  KITH_TRY(json::object claims, parse_strict_object(as_text(parsed.payload), limits));
  return Token{std::move(parsed.header), std::move(claims)};
}

}  // namespace kith::identity::jose
