// Small state that a browser keeps for us (a login under way, the progress of a logout): sealed with
// AES-256-GCM under keys that every node of the cluster has, so that any of them can go on, and the
// browser can neither read nor change it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cookie_keys.h"
#include "crypto/secret.h"
#include "runtime/ports.h"

namespace kith::gateway {

// One key per cookie key, for one purpose (HKDF): a key is never used for two things. Follows the cookie
// keys as they change; used on one loop.
class PurposeKeys {
 public:
  PurposeKeys(std::shared_ptr<const cluster::CookieKeys> source, std::string_view purpose)
      : source_(std::move(source)), purpose_(purpose) {}

  // The first signs and seals, all verify and open. Valid until the next call.
  const std::vector<crypto::Secret>& get() const;
  uint64_t generation() const { return generation_; }  // of what get() gave last; never 0 after it

 private:
  std::shared_ptr<const cluster::CookieKeys> source_;
  std::string purpose_;
  mutable uint64_t generation_ = 0;
  mutable std::vector<crypto::Secret> keys_;
};

class Sealer {
 public:
  static constexpr size_t kMaxText = 4000;  // what fits a cookie (RFC 6265 section 6.1)

  Sealer(std::shared_ptr<const cluster::CookieKeys> cookie_keys, std::string_view purpose,
         runtime::Entropy& entropy)
      : keys_(std::move(cookie_keys), purpose), entropy_(entropy) {}

  // base64url text. `bound` is authenticated too: opening needs the same (the cookie's name).
  std::string seal(ByteView plain, std::string_view bound);
  // nullopt for anything that we did not seal for this purpose and name.
  std::optional<Bytes> open(std::string_view text, std::string_view bound) const;

 private:
  PurposeKeys keys_;
  runtime::Entropy& entropy_;
};

}  // namespace kith::gateway
