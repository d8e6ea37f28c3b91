#include "crypto/ed25519.h"

#include <openssl/evp.h>

#include "crypto/hash.h"
#include "crypto/openssl.h"

namespace kith::crypto {

struct SigningKey::Key {
  Owned<EVP_PKEY, EVP_PKEY_free> pkey;
};

namespace {

PublicKey public_part(const EVP_PKEY* pkey) {
  PublicKey key{};
  size_t size = key.size();
  KITH_CHECK(EVP_PKEY_get_raw_public_key(pkey, key.data(), &size) == 1 && size == key.size());
  return key;
}

using Context = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;

}  // namespace

SigningKey SigningKey::from_seed(ByteView seed) {
  KITH_CHECK(seed.size() == 32);
  Key key{Owned<EVP_PKEY, EVP_PKEY_free>(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()))};
  KITH_CHECK(key.pkey);
  PublicKey pub = public_part(key.pkey.get());
  return SigningKey(std::make_shared<const Key>(std::move(key)), pub);
}

Result<SigningKey> SigningKey::from_pem(std::string_view pem) {
  constexpr size_t kMaxPem = 16 << 10;
  if (pem.size() > kMaxPem) return Error(Code::limit, "private key file is above 16 KiB", Side::config);
  auto bio = memory_bio(pem);
  Key key{
      Owned<EVP_PKEY, EVP_PKEY_free>(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr))};
  if (!key.pkey) {
    ERR_clear_error();
    return Error(Code::invalid, "not an unencrypted PEM private key (PKCS#8)", Side::config);
  }
  if (EVP_PKEY_get_id(key.pkey.get()) != EVP_PKEY_ED25519) {
    return Error(Code::invalid, "private key is not an Ed25519 key", Side::config);
  }
  PublicKey pub = public_part(key.pkey.get());
  return SigningKey(std::make_shared<const Key>(std::move(key)), pub);
}

Secret SigningKey::to_pem() const {
  // Secure memory BIO: wiped by OpenSSL when freed.
  Owned<BIO, BIO_free_all> bio(BIO_new(BIO_s_secmem()));
  KITH_CHECK(bio && PEM_write_bio_PKCS8PrivateKey(bio.get(), key_->pkey.get(), nullptr, nullptr, 0, nullptr,
                                                  nullptr) == 1);
  const char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  KITH_CHECK(size > 0);
  return Secret(std::string_view(text, static_cast<size_t>(size)));
}

Signature SigningKey::sign(ByteView message) const {
  Context context(EVP_MD_CTX_new());
  KITH_CHECK(context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_->pkey.get()) == 1);
  Signature signature{};
  size_t size = signature.size();
  KITH_CHECK(EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) == 1);
  KITH_CHECK(size == signature.size());
  return signature;
}

bool verify(const PublicKey& key, ByteView message, const Signature& signature) {
  Owned<EVP_PKEY, EVP_PKEY_free> pkey(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()));
  Context context(EVP_MD_CTX_new());
  const bool good =
      pkey && context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, pkey.get()) == 1 &&
      EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) ==
          1;
  ERR_clear_error();
  return good;
}

NodeId node_id(const PublicKey& key) {
  const Digest digest = sha256(ByteView(key));
  return *NodeId::from(ByteView(digest).first(NodeId::kSize));
}

}  // namespace kith::crypto
