// A cluster's pre-shared keys at work: mesh::Rotation decides, this holds what follows from it for cookies,
// and says in the log what happens.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "cluster/cookie_keys.h"
#include "mesh/rotation.h"

namespace kith::cluster {

// A cookie outlives the key that it was made with: retired keys go on verifying for as long as a session
// may live, the newest kMaxOldCookieKeys of them.
inline constexpr size_t kMaxOldCookieKeys = 16;

class KeyStore {
 public:
  using NameOf = std::function<std::string(NodeId)>;

  KeyStore(const std::string& cluster, const mesh::RotationConfig& config,
           const std::vector<crypto::Secret>& psks, Duration cookie_memory, Log log, MonoTime now);

  mesh::Rotation& rotation() { return rotation_; }
  const std::shared_ptr<const mesh::Keyring>& keyring() const { return rotation_.keyring(); }
  const std::shared_ptr<CookieKeys>& cookie_keys() const { return cookie_keys_; }

  struct Changes {
    bool keyring = false;
    std::vector<KeyId> retired;
  };
  // To be called after the rotation was told something.
  Changes settle(const NameOf& name_of, MonoTime now);

 private:
  struct OldCookieKey {
    crypto::Secret key;
    MonoTime until;
  };
  crypto::Secret cookie_key(const crypto::Secret& psk) const;
  void publish(MonoTime now);

  const std::string cluster_;
  const Duration cookie_memory_;
  Log log_;
  mesh::Rotation rotation_;
  std::shared_ptr<const mesh::Keyring> seen_;
  std::vector<crypto::Secret> made_;  // the cookie keys of the keys held
  std::deque<OldCookieKey> old_;      // the newest first
  std::shared_ptr<CookieKeys> cookie_keys_;
};

}  // namespace kith::cluster
