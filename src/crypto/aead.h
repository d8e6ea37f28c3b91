// AES-256-GCM for values we hand out and take back (cookies, sealed records). The nonce is random,
// 96 bits; a key is good for 2^32 seals (NIST SP 800-38D section 8.3), far above our use of a key.
#pragma once

#include "base/result.h"
#include "crypto/secret.h"

namespace kith::crypto {

inline constexpr size_t kAeadKeySize = 32;
inline constexpr size_t kAeadNonceSize = 12;
inline constexpr size_t kAeadOverhead = kAeadNonceSize + 16;

using AeadNonce = std::array<uint8_t, kAeadNonceSize>;

// nonce || ciphertext || tag
Bytes aead_seal(const Secret& key, const AeadNonce& nonce, ByteView plaintext, ByteView associated);
// unauthenticated when anything at all was changed or the key is another.
Result<Bytes> aead_open(const Secret& key, ByteView sealed, ByteView associated);

}  // namespace kith::crypto
