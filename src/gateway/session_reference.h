// What logs and people are shown of a session: a keyed hash of its key, 16 hex digits. It tells sessions
// apart, and nobody can make a cookie of it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "cluster/session_store.h"
#include "crypto/hash.h"
#include "gateway/sealer.h"

namespace kith::gateway {

class SessionReferences {  // of one loop
 public:
  static constexpr size_t kBytes = 8;

  explicit SessionReferences(std::shared_ptr<const cluster::CookieKeys> cookie_keys)
      : keys_(std::move(cookie_keys), "kith session reference 1") {}

  std::string of(const cluster::SessionKey& key) const { return made_with(keys_.get().front(), key); }
  // Whether this is, or before the keys changed was, the session's reference.
  bool is_of(std::string_view reference, const cluster::SessionKey& key) const {
    const auto& keys = keys_.get();
    return std::any_of(keys.begin(), keys.end(),
                       [&](const crypto::Secret& with) { return made_with(with, key) == reference; });
  }

 private:
  static std::string made_with(const crypto::Secret& with, const cluster::SessionKey& key) {
    return hex(ByteView(crypto::hmac_sha256(with.reveal(), key.view())).first(kBytes));
  }

  PurposeKeys keys_;
};

}  // namespace kith::gateway
