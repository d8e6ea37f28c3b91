#include "signer.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/check.h"

namespace kith::identity::testing {
namespace {

using jose::Algorithm;
using jose::KeyType;

std::string number(EVP_PKEY* key, const char* name, size_t size = 0) {
  BIGNUM* value = nullptr;
  KITH_CHECK(EVP_PKEY_get_bn_param(key, name, &value) == 1);
  Bytes bytes(size == 0 ? static_cast<size_t>(BN_num_bytes(value)) : size);
  KITH_CHECK(BN_bn2binpad(value, bytes.data(), static_cast<int>(bytes.size())) >= 0);
  BN_free(value);
  return base64url(bytes);
}

const EVP_MD* digest_of(Algorithm algorithm) {
  std::string_view name = jose::name_of(algorithm);
  if (algorithm == Algorithm::eddsa) return nullptr;
  return name.ends_with("256") ? EVP_sha256() : name.ends_with("384") ? EVP_sha384() : EVP_sha512();
}

size_t field_size(EVP_PKEY* key) { return (static_cast<size_t>(EVP_PKEY_get_bits(key)) + 7) / 8; }

Bytes from_der(const Bytes& der, size_t size) {
  const uint8_t* at = der.data();
  ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
  KITH_CHECK(pair != nullptr);
  Bytes raw(size * 2);
  BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw.data(), static_cast<int>(size));
  BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw.data() + size, static_cast<int>(size));
  ECDSA_SIG_free(pair);
  return raw;
}

}  // namespace

SigningKey SigningKey::rsa(unsigned bits) { return SigningKey(EVP_RSA_gen(bits)); }
SigningKey SigningKey::ec(const char* curve) { return SigningKey(EVP_EC_gen(curve)); }
SigningKey SigningKey::ed25519() { return SigningKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")); }

SigningKey SigningKey::for_algorithm(Algorithm algorithm) {
  switch (jose::key_type_of(algorithm)) {
    case KeyType::rsa: return rsa();
    case KeyType::ec_p256: return ec("P-256");
    case KeyType::ec_p384: return ec("P-384");
    case KeyType::ec_p521: return ec("P-521");
    case KeyType::ed25519: return ed25519();
  }
  KITH_CHECK(false);
  return ed25519();
}

std::string SigningKey::jwk(const std::string& kid, const std::string& extra) const {
  std::string text = "{";
  if (!kid.empty()) text += R"("kid":")" + kid + R"(",)";
  EVP_PKEY* key = key_.get();
  if (EVP_PKEY_is_a(key, "RSA")) {
    text += R"("kty":"RSA","n":")" + number(key, OSSL_PKEY_PARAM_RSA_N) + R"(","e":")" +
            number(key, OSSL_PKEY_PARAM_RSA_E) + "\"";
  } else if (EVP_PKEY_is_a(key, "EC")) {
    size_t size = field_size(key);
    const char* curve = size == 32 ? "P-256" : size == 48 ? "P-384" : "P-521";
    text += std::string(R"("kty":"EC","crv":")") + curve + R"(","x":")" +
            number(key, OSSL_PKEY_PARAM_EC_PUB_X, size) + R"(","y":")" +
            number(key, OSSL_PKEY_PARAM_EC_PUB_Y, size) + "\"";
  } else {
    Bytes raw(32);
    size_t size = raw.size();
    KITH_CHECK(EVP_PKEY_get_raw_public_key(key, raw.data(), &size) == 1);
    text += R"("kty":"OKP","crv":"Ed25519","x":")" + base64url(raw) + "\"";
  }
  return text + extra + "}";
}

Bytes SigningKey::sign(Algorithm algorithm, const std::string& input) const {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* settings = nullptr;
  KITH_CHECK(EVP_DigestSignInit(context, &settings, digest_of(algorithm), nullptr, key_.get()) == 1);
  if (jose::name_of(algorithm).starts_with("PS")) {
    KITH_CHECK(EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1);
    KITH_CHECK(EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) == 1);
  }
  Bytes signature(1024);
  size_t size = signature.size();
  ByteView data = as_bytes(input);
  KITH_CHECK(EVP_DigestSign(context, signature.data(), &size, data.data(), data.size()) == 1);
  EVP_MD_CTX_free(context);
  signature.resize(size);
  return EVP_PKEY_is_a(key_.get(), "EC") ? from_der(signature, field_size(key_.get())) : signature;
}

std::string SigningKey::public_pem() const {
  BIO* memory = BIO_new(BIO_s_mem());
  KITH_CHECK(PEM_write_bio_PUBKEY(memory, key_.get()) == 1);
  char* data = nullptr;
  long size = BIO_get_mem_data(memory, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(memory);
  return text;
}

const SigningKey& rsa_key() {
  static const SigningKey key = SigningKey::rsa();
  return key;
}
const SigningKey& other_rsa_key() {
  static const SigningKey key = SigningKey::rsa();
  return key;
}

std::string key_set(const std::string& jwks) { return R"({"keys":[)" + jwks + "]}"; }

std::string unsigned_part(const std::string& header, const std::string& payload) {
  return base64url(as_bytes(header)) + "." + base64url(as_bytes(payload));
}

std::string make_token(const SigningKey& key, Algorithm algorithm, const std::string& header,
                       const std::string& payload) {
  std::string input = unsigned_part(header, payload);
  return input + "." + base64url(key.sign(algorithm, input));
}

}  // namespace kith::identity::testing
