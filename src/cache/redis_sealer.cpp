#include "cache/redis_sealer.h"

#include "crypto/aead.h"
#include "crypto/hash.h"

namespace kith::cache {
namespace {

constexpr uint8_t kPlain = 0;
constexpr uint8_t kSealed = 1;
constexpr std::string_view kNameLabel = "kith redis name v1";
constexpr std::string_view kKeyLabel = "kith redis value key v1";
constexpr std::string_view kIdLabel = "kith redis key id v1";
constexpr std::string_view kValueLabel = "kith redis value v1";

// The label and the head have a fixed length, so the name begins where it ends.
Bytes bound_to(ByteView head, std::string_view name) {
  Bytes bound = to_bytes(kValueLabel);
  append(bound, head);
  append(bound, name);
  return bound;
}

}  // namespace

RedisSealer::RedisSealer(const RedisConfig& config, runtime::Entropy& entropy)
    : hash_keys_(config.hash_keys), prefix_(config.key_prefix), entropy_(entropy) {
  if (config.encryption.disabled) return;
  keys_.push_back(derive(config.encryption.current));
  for (const crypto::Secret& old : config.encryption.old) keys_.push_back(derive(old));
}

// Not the configured key itself: the same one may be used elsewhere.
RedisSealer::Key RedisSealer::derive(const crypto::Secret& configured) {
  const crypto::Secret id = crypto::hkdf(configured.reveal(), {}, kIdLabel, SealId::kSize);
  return {*SealId::from(id.reveal()), crypto::hkdf(configured.reveal(), {}, kKeyLabel, crypto::kAeadKeySize)};
}

std::string RedisSealer::name_of(std::string_view key) const {
  if (!hash_keys_) return prefix_ + std::string(key);
  // Without a secret, so that a rotation of keys loses nothing: what keys hold is random enough not to be
  // guessed.
  const crypto::Digest digest = crypto::sha256({as_bytes(kNameLabel), as_bytes(key)});
  return prefix_ + base64url(digest);
}

Bytes RedisSealer::seal(std::string_view name, ByteView value) const {
  Bytes stored{kPlain};
  if (keys_.empty()) {
    append(stored, value);
    return stored;
  }
  const Key& current = keys_.front();
  stored[0] = kSealed;
  append(stored, current.id.view());
  crypto::AeadNonce nonce;
  entropy_.fill(nonce);
  append(stored, crypto::aead_seal(current.key, nonce, value, bound_to(stored, name)));
  return stored;
}

Result<Bytes> RedisSealer::open(std::string_view name, ByteView stored) const {
  if (stored.empty()) return Error(Code::invalid, "an empty value", Side::upstream);
  const ByteView rest = stored.subspan(1);
  if (keys_.empty()) {
    if (stored[0] != kPlain) return Error(Code::invalid, "not a plain value", Side::upstream);
    return Bytes(rest.begin(), rest.end());
  }
  if (stored[0] != kSealed || rest.size() < SealId::kSize)
    return Error(Code::invalid, "not a sealed value", Side::upstream);
  const auto id = SealId::from(rest.first(SealId::kSize));
  for (const Key& key : keys_) {
    if (key.id != *id) continue;
    auto opened = crypto::aead_open(key.key, rest.subspan(SealId::kSize),
                                    bound_to(stored.first(1 + SealId::kSize), name));
    if (opened) return opened;
  }
  return Error(Code::unauthenticated, "changed, or sealed with a key that is not configured", Side::upstream);
}

}  // namespace kith::cache
