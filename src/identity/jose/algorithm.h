// Signature algorithms of JOSE (RFC 7518 section 3.1, RFC 8037 section 3.1), public-key ones only.
// "none" and the HS family do not exist here, so no token can ask for them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace kith::identity::jose {

enum class Algorithm : uint8_t { rs256, rs384, rs512, ps256, ps384, ps512, es256, es384, es512, eddsa };

enum class KeyType : uint8_t { rsa, ec_p256, ec_p384, ec_p521, ed25519 };

std::string_view name_of(Algorithm algorithm);
std::optional<Algorithm> algorithm_named(std::string_view name);
// The one kind of key an algorithm may be used with; for ECDSA that includes the curve.
KeyType key_type_of(Algorithm algorithm);

class AlgorithmSet {
 public:
  static AlgorithmSet all();
  // By name; empty list = all(). invalid (side config) for a name that is not one of ours.
  static Result<AlgorithmSet> named(const std::vector<std::string>& names);

  void add(Algorithm algorithm) { bits_ |= bit(algorithm); }
  bool contains(Algorithm algorithm) const { return (bits_ & bit(algorithm)) != 0; }

 private:
  static constexpr uint32_t bit(Algorithm algorithm) { return 1u << static_cast<uint32_t>(algorithm); }
  uint32_t bits_ = 0;
};

// The left half of the algorithm's hash over a value, base64url: at_hash and c_hash (OpenID Connect
// Core section 3.1.3.6). EdDSA with Ed25519 uses SHA-512.
std::string half_hash(Algorithm algorithm, std::string_view value);

}  // namespace kith::identity::jose
