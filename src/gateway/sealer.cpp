#include "gateway/sealer.h"

#include "crypto/aead.h"
#include "crypto/hash.h"

namespace kith::gateway {

const std::vector<crypto::Secret>& PurposeKeys::get() const {
  const uint64_t generation = source_->generation();
  if (generation == generation_) return keys_;
  generation_ = generation;
  keys_.clear();
  for (const crypto::Secret& key : *source_->current()) {
    keys_.push_back(crypto::hkdf(key.reveal(), {}, purpose_, crypto::kAeadKeySize));
  }
  return keys_;
}

std::string Sealer::seal(ByteView plain, std::string_view bound) {
  crypto::AeadNonce nonce;
  entropy_.fill(nonce);
  return base64url(crypto::aead_seal(keys_.get().front(), nonce, plain, as_bytes(bound)));
}

std::optional<Bytes> Sealer::open(std::string_view text, std::string_view bound) const {
  if (text.size() > kMaxText) return std::nullopt;
  auto sealed = unbase64url(text);
  if (!sealed) return std::nullopt;
  for (const crypto::Secret& key : keys_.get()) {
    auto plain = crypto::aead_open(key, *sealed, as_bytes(bound));
    if (plain) return std::move(*plain);
  }
  return std::nullopt;
}

}  // namespace kith::gateway
