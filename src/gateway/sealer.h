// Small state that a browser keeps for us (a login under way, the progress of a logout): sealed with
// AES-256-GCM under keys that every node of the cluster has, so that any of them can go on, and the
// browser can neither read nor change it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/secret.h"
#include "runtime/ports.h"

namespace kith::gateway {

// One key per cookie key, for one purpose (HKDF): a key is never used for two things.
std::vector<crypto::Secret> derive_keys(const std::vector<crypto::Secret>& cookie_keys,
                                        std::string_view purpose);

class Sealer {
 public:
  static constexpr size_t kMaxText = 4000;  // what fits a cookie (RFC 6265 section 6.1)

  Sealer(const std::vector<crypto::Secret>& cookie_keys, std::string_view purpose, runtime::Entropy& entropy)
      : keys_(derive_keys(cookie_keys, purpose)), entropy_(entropy) {}

  // base64url text. `bound` is authenticated too: opening needs the same (the cookie's name).
  std::string seal(ByteView plain, std::string_view bound);
  // nullopt for anything that we did not seal for this purpose and name.
  std::optional<Bytes> open(std::string_view text, std::string_view bound) const;

 private:
  std::vector<crypto::Secret> keys_;
  runtime::Entropy& entropy_;
};

}  // namespace kith::gateway
