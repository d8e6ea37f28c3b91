// Signature checks: RSA and ECDSA through libcjose, Ed25519 (which it lacks) through crypto/. The
// library parses the header a second time, so what it found is compared with what was pinned.
#include <cjose/cjose.h>

#include <algorithm>
#include <memory>

#include "crypto/ed25519.h"
#include "identity/jose/token.h"

namespace kith::identity::jose {
namespace {

struct Release {
  void operator()(cjose_jwk_t* key) const { cjose_jwk_release(key); }
  void operator()(cjose_jws_t* jws) const { cjose_jws_release(jws); }
};
using CjoseKey = std::unique_ptr<cjose_jwk_t, Release>;
using CjoseToken = std::unique_ptr<cjose_jws_t, Release>;

Error refused() { return Error(Code::unauthenticated, "the token's signature is not right"); }

// From the typed value, not from the document: only the public members we checked reach the library.
CjoseKey to_cjose(Key key) {
  cjose_err ignored{};
  if (key.type == KeyType::rsa) {
    cjose_jwk_rsa_keyspec spec{};
    spec.n = key.n.data();
    spec.nlen = key.n.size();
    spec.e = key.e.data();
    spec.elen = key.e.size();
    return CjoseKey(cjose_jwk_create_RSA_spec(&spec, &ignored));
  }
  cjose_jwk_ec_keyspec spec{};
  spec.crv = key.type == KeyType::ec_p256   ? CJOSE_JWK_EC_P_256
             : key.type == KeyType::ec_p384 ? CJOSE_JWK_EC_P_384
                                            : CJOSE_JWK_EC_P_521;
  spec.x = key.x.data();
  spec.xlen = key.x.size();
  spec.y = key.y.data();
  spec.ylen = key.y.size();
  return CjoseKey(cjose_jwk_create_EC_spec(&spec, &ignored));  // refuses a point off the curve
}

// RFC 7518 section 3.4: r and s, each of the field's size. RSA: the modulus' size.
size_t signature_size(const Key& key) { return key.type == KeyType::rsa ? key.n.size() : key.x.size() * 2; }

Result<void> check_ed25519(const Unverified& token, const Key& key) {
  crypto::PublicKey public_key{};
  crypto::Signature signature{};
  if (key.x.size() != public_key.size() || token.signature.size() != signature.size()) return refused();
  std::copy(key.x.begin(), key.x.end(), public_key.begin());
  std::copy(token.signature.begin(), token.signature.end(), signature.begin());
  if (!crypto::verify(public_key, as_bytes(token.signing_input), signature)) return refused();
  return {};
}

}  // namespace

Result<void> check_signature(std::string_view text, const Unverified& token, const Key& key) {
  if (key_type_of(token.header.algorithm) != key.type) return refused();
  if (key.type == KeyType::ed25519) return check_ed25519(token, key);
  if (token.signature.size() != signature_size(key)) return refused();
  CjoseKey jwk = to_cjose(key);
  if (!jwk) return refused();
  cjose_err error{};
  CjoseToken jws(cjose_jws_import(text.data(), text.size(), &error));
  if (!jws) return refused();
  const char* alg = cjose_header_get(cjose_jws_get_protected(jws.get()), CJOSE_HDR_ALG, &error);
  if (alg == nullptr || name_of(token.header.algorithm) != alg) return refused();
  if (!cjose_jws_verify(jws.get(), jwk.get(), &error)) return refused();
  return {};
}

}  // namespace kith::identity::jose
