#include "crypto/aead.h"

#include <openssl/evp.h>

#include <limits>

#include "crypto/openssl.h"

namespace kith::crypto {
namespace {

constexpr size_t kTagSize = kAeadOverhead - kAeadNonceSize;
constexpr size_t kMaxInput = std::numeric_limits<int>::max() - kAeadOverhead;  // OpenSSL counts in int

const EVP_CIPHER* algorithm() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  KITH_CHECK(cipher != nullptr);
  return cipher;
}

using Context = Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

Context make_context(const Secret& key, ByteView nonce, ByteView associated, bool seal) {
  KITH_CHECK(key.size() == kAeadKeySize && associated.size() <= kMaxInput);
  Context context(EVP_CIPHER_CTX_new());
  KITH_CHECK(context && EVP_CipherInit_ex2(context.get(), algorithm(), key.reveal().data(), nonce.data(),
                                           seal ? 1 : 0, nullptr) == 1);
  int size = 0;
  KITH_CHECK(associated.empty() || EVP_CipherUpdate(context.get(), nullptr, &size, associated.data(),
                                                    static_cast<int>(associated.size())) == 1);
  return context;
}

}  // namespace

Bytes aead_seal(const Secret& key, const AeadNonce& nonce, ByteView plaintext, ByteView associated) {
  KITH_CHECK(plaintext.size() <= kMaxInput);
  Context context = make_context(key, nonce, associated, true);
  Bytes sealed(plaintext.size() + kAeadOverhead);
  std::memcpy(sealed.data(), nonce.data(), nonce.size());
  uint8_t* body = sealed.data() + nonce.size();
  int size = 0;
  KITH_CHECK(plaintext.empty() || EVP_CipherUpdate(context.get(), body, &size, plaintext.data(),
                                                   static_cast<int>(plaintext.size())) == 1);
  uint8_t* tag = body + plaintext.size();
  KITH_CHECK(EVP_CipherFinal_ex(context.get(), tag, &size) == 1 && size == 0);
  KITH_CHECK(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kTagSize), tag) == 1);
  return sealed;
}

Result<Bytes> aead_open(const Secret& key, ByteView sealed, ByteView associated) {
  const auto refused = [] {
    return Error(Code::unauthenticated, "sealed value is not authentic", Side::peer);
  };
  if (sealed.size() < kAeadOverhead || sealed.size() > kMaxInput) return refused();
  ByteView body = sealed.subspan(kAeadNonceSize, sealed.size() - kAeadOverhead);
  std::array<uint8_t, kTagSize> tag;  // the setter takes it mutable
  std::memcpy(tag.data(), sealed.data() + sealed.size() - kTagSize, kTagSize);
  Context context = make_context(key, sealed.first(kAeadNonceSize), associated, false);
  Bytes plaintext(body.size());
  int size = 0;
  KITH_CHECK(body.empty() || EVP_CipherUpdate(context.get(), plaintext.data(), &size, body.data(),
                                              static_cast<int>(body.size())) == 1);
  KITH_CHECK(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) == 1);
  uint8_t nothing = 0;
  if (EVP_CipherFinal_ex(context.get(), &nothing, &size) != 1) {
    wipe(plaintext);
    ERR_clear_error();
    return refused();
  }
  return plaintext;
}

}  // namespace kith::crypto
