#include "crypto/secret.h"

#include <openssl/crypto.h>

namespace kith::crypto {

void wipe(MutableByteView memory) {
  if (!memory.empty()) OPENSSL_cleanse(memory.data(), memory.size());
}

bool equal_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace kith::crypto
