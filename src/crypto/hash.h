// Digests, MACs and key derivation over OpenSSL. These cannot fail but for a broken OpenSSL, which
// ends the process.
#pragma once

#include <array>
#include <initializer_list>

#include "base/bytes.h"
#include "crypto/secret.h"

namespace kith::crypto {

using Digest = std::array<uint8_t, 32>;

Digest sha256(ByteView data);
Digest sha256(std::initializer_list<ByteView> pieces);  // of their concatenation
Digest hmac_sha256(ByteView key, ByteView data);
Digest hmac_sha256(ByteView key, std::initializer_list<ByteView> pieces);

// HKDF-SHA-256, extract and expand (RFC 5869).
Secret hkdf(ByteView key, ByteView salt, std::string_view info, size_t size);

}  // namespace kith::crypto
