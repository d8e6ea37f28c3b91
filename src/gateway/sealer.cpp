#include "gateway/sealer.h"

#include "crypto/aead.h"
#include "crypto/hash.h"

namespace kith::gateway {

std::vector<crypto::Secret> derive_keys(const std::vector<crypto::Secret>& cookie_keys,
                                        std::string_view purpose) {
  std::vector<crypto::Secret> keys;
  for (const crypto::Secret& key : cookie_keys) {
    keys.push_back(crypto::hkdf(key.reveal(), {}, purpose, crypto::kAeadKeySize));
  }
  return keys;
}

std::string Sealer::seal(ByteView plain, std::string_view bound) {
  crypto::AeadNonce nonce;
  entropy_.fill(nonce);
  return base64url(crypto::aead_seal(keys_.front(), nonce, plain, as_bytes(bound)));
}

std::optional<Bytes> Sealer::open(std::string_view text, std::string_view bound) const {
  if (text.size() > kMaxText) return std::nullopt;
  auto sealed = unbase64url(text);
  if (!sealed) return std::nullopt;
  for (const crypto::Secret& key : keys_) {
    auto plain = crypto::aead_open(key, *sealed, as_bytes(bound));
    if (plain) return std::move(*plain);
  }
  return std::nullopt;
}

}  // namespace kith::gateway
