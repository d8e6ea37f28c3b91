// A JSON Web Key Set (RFC 7517): the public keys an issuer signs with, as typed values. Keys that are
// not ours to use (other types, encryption keys, symmetric ones, broken ones) are left out, as section
// 5 asks; private members are never looked at.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "identity/jose/algorithm.h"

namespace kith::identity::jose {

inline constexpr size_t kMaxKeySetBytes = 256 << 10;
inline constexpr size_t kMaxKeys = 64;  // large providers publish fewer than ten

struct Key {
  KeyType type = KeyType::rsa;
  std::string kid;                     // "" when the set does not say
  std::optional<Algorithm> algorithm;  // set when the key is for one algorithm only
  Bytes n, e;                          // RSA
  Bytes x, y;                          // EC: both, of the field's size; Ed25519: x
};

// nullopt for a key that is not ours to use.
std::optional<Key> parse_key(const json::object& jwk);

class KeySet {
 public:
  KeySet() = default;
  explicit KeySet(std::vector<Key> keys) : keys_(std::move(keys)) {}
  // invalid when it is no key set; limit when it is too large.
  static Result<KeySet> parse(std::string_view text);

  const std::vector<Key>& keys() const { return keys_; }
  // The key a token's header points at. The header is only a hint: type and algorithm must fit too.
  // not_found when there is none; invalid when several fit (no kid, or a kid given twice).
  Result<const Key*> select(std::string_view kid, Algorithm algorithm) const;

 private:
  std::vector<Key> keys_;
};

}  // namespace kith::identity::jose
