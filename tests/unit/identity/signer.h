// Keys made on the spot, and tokens signed with them straight through OpenSSL: an implementation
// independent of the one under test.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>

#include "base/bytes.h"
#include "identity/jose/algorithm.h"

namespace kith::identity::testing {

class SigningKey {
 public:
  static SigningKey rsa(unsigned bits = 2048);
  static SigningKey ec(const char* curve);  // "P-256", "P-384", "P-521"
  static SigningKey ed25519();
  static SigningKey for_algorithm(jose::Algorithm algorithm);

  // The public key as a JWK; extra is appended to its members, e.g. R"(,"use":"sig")".
  std::string jwk(const std::string& kid, const std::string& extra = "") const;
  Bytes sign(jose::Algorithm algorithm, const std::string& input) const;
  std::string public_pem() const;

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  explicit SigningKey(EVP_PKEY* key) : key_(key) {}
  std::unique_ptr<EVP_PKEY, Free> key_;
};

// RSA keys take a while: two are made once and shared by the tests of a program.
const SigningKey& rsa_key();
const SigningKey& other_rsa_key();

std::string key_set(const std::string& jwks);  // comma-joined JWKs in a set

// header and payload are JSON texts, put in as they are.
std::string unsigned_part(const std::string& header, const std::string& payload);
std::string make_token(const SigningKey& key, jose::Algorithm algorithm, const std::string& header,
                       const std::string& payload);

}  // namespace kith::identity::testing
