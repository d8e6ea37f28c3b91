// The algorithm handles are fetched once: they are immutable, shared by all threads, and looking them
// up by name each time costs more than hashing a session id.
#include "crypto/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/check.h"
#include "crypto/openssl.h"

namespace kith::crypto {
namespace {

const EVP_MD* sha256_algorithm() {
  static const EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  KITH_CHECK(md != nullptr);
  return md;
}

EVP_MAC* hmac_algorithm() {
  static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  KITH_CHECK(mac != nullptr);
  return mac;
}

EVP_KDF* hkdf_algorithm() {
  static EVP_KDF* const kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  KITH_CHECK(kdf != nullptr);
  return kdf;
}

// The parameter lists of OpenSSL take mutable pointers that they only read.
OSSL_PARAM text_param(const char* key, const char* value) {
  return OSSL_PARAM_construct_utf8_string(key, const_cast<char*>(value), 0);
}
OSSL_PARAM bytes_param(const char* key, ByteView value) {
  return OSSL_PARAM_construct_octet_string(key, const_cast<uint8_t*>(value.data()), value.size());
}

}  // namespace

// Contexts are kept per thread and begun anew for each use: making one costs more than a short hash.
Digest sha256(std::initializer_list<ByteView> pieces) {
  static thread_local const Owned<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
  KITH_CHECK(context && EVP_DigestInit_ex2(context.get(), sha256_algorithm(), nullptr) == 1);
  for (ByteView piece : pieces) {
    KITH_CHECK(EVP_DigestUpdate(context.get(), piece.data(), piece.size()) == 1);
  }
  Digest digest{};
  KITH_CHECK(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
  return digest;
}

Digest sha256(ByteView data) { return sha256({data}); }

Digest hmac_sha256(ByteView key, std::initializer_list<ByteView> pieces) {
  static constexpr uint8_t kNoKey = 0;  // a null key would mean "the key of before"
  static thread_local const Owned<EVP_MAC_CTX, EVP_MAC_CTX_free> context = [] {
    OSSL_PARAM params[] = {text_param(OSSL_MAC_PARAM_DIGEST, "SHA256"), OSSL_PARAM_construct_end()};
    Owned<EVP_MAC_CTX, EVP_MAC_CTX_free> made(EVP_MAC_CTX_new(hmac_algorithm()));
    KITH_CHECK(made && EVP_MAC_CTX_set_params(made.get(), params) == 1);
    return made;
  }();
  KITH_CHECK(EVP_MAC_init(context.get(), key.empty() ? &kNoKey : key.data(), key.size(), nullptr) == 1);
  for (ByteView piece : pieces) {
    KITH_CHECK(EVP_MAC_update(context.get(), piece.data(), piece.size()) == 1);
  }
  Digest digest{};
  size_t size = 0;
  KITH_CHECK(EVP_MAC_final(context.get(), digest.data(), &size, digest.size()) == 1 && size == digest.size());
  return digest;
}

Digest hmac_sha256(ByteView key, ByteView data) { return hmac_sha256(key, {data}); }

Secret hkdf(ByteView key, ByteView salt, std::string_view info, size_t size) {
  KITH_CHECK(!key.empty() && size > 0 && size <= 255 * sizeof(Digest));
  std::array<OSSL_PARAM, 5> params;
  size_t count = 0;
  params[count++] = text_param(OSSL_KDF_PARAM_DIGEST, "SHA256");
  params[count++] = bytes_param(OSSL_KDF_PARAM_KEY, key);
  if (!salt.empty()) params[count++] = bytes_param(OSSL_KDF_PARAM_SALT, salt);
  if (!info.empty()) params[count++] = bytes_param(OSSL_KDF_PARAM_INFO, as_bytes(info));
  params[count] = OSSL_PARAM_construct_end();
  Owned<EVP_KDF_CTX, EVP_KDF_CTX_free> context(EVP_KDF_CTX_new(hkdf_algorithm()));
  KITH_CHECK(context);
  Bytes out(size);
  KITH_CHECK(EVP_KDF_derive(context.get(), out.data(), out.size(), params.data()) == 1);
  return Secret(std::move(out));
}

}  // namespace kith::crypto
