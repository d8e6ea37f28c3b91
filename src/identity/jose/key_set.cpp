#include "identity/jose/key_set.h"

#include <algorithm>

#include "base/text.h"
#include "identity/jose/strict_json.h"

namespace kith::identity::jose {
namespace {

constexpr size_t kMinRsaBytes = 2048 / 8;  // RFC 7518 section 3.3
constexpr size_t kMaxRsaBytes = 8192 / 8;  // bounds the time of one verification
constexpr size_t kMaxExponentBytes = 8;
constexpr size_t kMaxKidBytes = 512;

std::optional<Bytes> member_bytes(const json::object& jwk, std::string_view name) {
  std::string_view text = find_string(jwk, name);
  if (text.empty()) return std::nullopt;
  return unbase64url(text);
}

std::optional<Key> parse_rsa(const json::object& jwk) {
  std::optional<Bytes> n = member_bytes(jwk, "n");
  std::optional<Bytes> e = member_bytes(jwk, "e");
  if (!n || !e) return std::nullopt;
  if (n->front() == 0) n->erase(n->begin());  // some publish the sign octet of DER
  if (n->size() < kMinRsaBytes || n->size() > kMaxRsaBytes || e->size() > kMaxExponentBytes) {
    return std::nullopt;
  }
  bool odd = (e->back() & 1) != 0 && (n->back() & 1) != 0;
  bool too_small = e->back() == 1 && std::all_of(e->begin(), e->end() - 1, [](uint8_t b) { return b == 0; });
  if (!odd || too_small) return std::nullopt;
  Key key;
  key.type = KeyType::rsa;
  key.n = std::move(*n);
  key.e = std::move(*e);
  return key;
}

std::optional<Key> parse_ec(const json::object& jwk) {
  std::string_view curve = find_string(jwk, "crv");
  Key key;
  size_t size = 0;
  if (curve == "P-256") {
    key.type = KeyType::ec_p256;
    size = 32;
  } else if (curve == "P-384") {
    key.type = KeyType::ec_p384;
    size = 48;
  } else if (curve == "P-521") {
    key.type = KeyType::ec_p521;
    size = 66;
  } else {
    return std::nullopt;
  }
  std::optional<Bytes> x = member_bytes(jwk, "x");
  std::optional<Bytes> y = member_bytes(jwk, "y");
  if (!x || !y || x->size() != size || y->size() != size) return std::nullopt;
  key.x = std::move(*x);
  key.y = std::move(*y);
  return key;
}

std::optional<Key> parse_okp(const json::object& jwk) {
  if (find_string(jwk, "crv") != "Ed25519") return std::nullopt;
  std::optional<Bytes> x = member_bytes(jwk, "x");
  if (!x || x->size() != 32) return std::nullopt;
  Key key;
  key.type = KeyType::ed25519;
  key.x = std::move(*x);
  return key;
}

// use and key_ops (RFC 7517 sections 4.2, 4.3): absent, or they allow verifying.
bool may_verify(const json::object& jwk) {
  if (const json::value* use = find(jwk, "use"); use != nullptr && find_string(jwk, "use") != "sig")
    return false;
  const json::value* operations = find(jwk, "key_ops");
  if (operations == nullptr) return true;
  if (!operations->is_array()) return false;
  const json::array& list = operations->get_array();
  return std::any_of(list.begin(), list.end(), [](const json::value& entry) {
    return entry.is_string() && entry.get_string() == "verify";
  });
}

}  // namespace

std::optional<Key> parse_key(const json::object& jwk) {
  if (!may_verify(jwk)) return std::nullopt;
  std::string_view kty = find_string(jwk, "kty");
  std::optional<Key> key = kty == "RSA"   ? parse_rsa(jwk)
                           : kty == "EC"  ? parse_ec(jwk)
                           : kty == "OKP" ? parse_okp(jwk)
                                          : std::nullopt;
  if (!key) return std::nullopt;
  if (const json::value* kid = find(jwk, "kid")) {
    if (!kid->is_string() || kid->get_string().size() > kMaxKidBytes) return std::nullopt;
    key->kid = std::string(kid->get_string());
  }
  if (find(jwk, "alg") != nullptr) {
    key->algorithm = algorithm_named(find_string(jwk, "alg"));
    if (!key->algorithm || key_type_of(*key->algorithm) != key->type) return std::nullopt;
  }
  return key;
}

Result<KeySet> KeySet::parse(std::string_view text) {
  JsonLimits limits;
  limits.max_bytes = kMaxKeySetBytes;
  limits.max_depth = 8;
  KITH_TRY(json::object document, parse_strict_object(text, limits));
  const json::value* list = find(document, "keys");
  if (list == nullptr || !list->is_array()) return Error(Code::invalid, "key set without a list 'keys'");
  if (list->get_array().size() > kMaxKeys) return Error(Code::limit, "key set with too many keys");
  std::vector<Key> keys;
  for (const json::value& entry : list->get_array()) {
    if (!entry.is_object()) return Error(Code::invalid, "key set with an entry that is no object");
    if (std::optional<Key> key = parse_key(entry.get_object())) keys.push_back(std::move(*key));
  }
  return KeySet(std::move(keys));
}

Result<const Key*> KeySet::select(std::string_view kid, Algorithm algorithm) const {
  const Key* found = nullptr;
  for (const Key& key : keys_) {
    if (key.type != key_type_of(algorithm)) continue;
    if (key.algorithm && *key.algorithm != algorithm) continue;
    if (!kid.empty() && key.kid != kid) continue;
    if (found != nullptr) return Error(Code::invalid, "the token's header fits several keys of the issuer");
    found = &key;
  }
  if (found == nullptr) {
    return Error(Code::not_found, "the issuer has no " + std::string(name_of(algorithm)) + " key '" +
                                      printable(kid, 80) + "'");
  }
  return found;
}

}  // namespace kith::identity::jose
