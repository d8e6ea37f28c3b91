// The pre-shared keys of a cluster as TLS uses them (docs/formats/mesh.md section 2). Several, so that
// keys are rotated without an outage: the first is offered, all are accepted.
//
// An identity names its key only to those who have the key: random bytes and a MAC over them.
#pragma once

#include <vector>

#include "crypto/tls.h"
#include "mesh/channel.h"

namespace kith::mesh {

inline constexpr size_t kPskSize = 32;
inline constexpr size_t kMaxPsks = 8;  // also bounds the work that a stranger's ClientHello causes

class Keyring {
 public:
  // 1 to kMaxPsks keys of kPskSize bytes.
  explicit Keyring(const std::vector<crypto::Secret>& psks);

  crypto::PskOffer offer(Channel channel, ByteView random16) const;
  // The TLS key an identity stands for at this port; nullopt when we do not have it.
  std::optional<crypto::Secret> find(Port port, ByteView identity) const;

 private:
  struct Keys {
    crypto::Secret membership;
    crypto::Secret data;
    crypto::Secret identity;
    const crypto::Secret& tls(Port port) const { return port == Port::membership ? membership : data; }
  };
  std::vector<Keys> keys_;
};

// Answers the TLS server of one link and remembers how it went.
class KeyFinder final : public crypto::PskLookup {
 public:
  enum class Outcome : uint8_t { not_asked, unknown, wrong_port, found };

  KeyFinder(std::shared_ptr<const Keyring> keyring, Port port) : keyring_(std::move(keyring)), port_(port) {}
  std::optional<crypto::Secret> find(ByteView identity) override;
  Outcome outcome() const { return outcome_; }

 private:
  static constexpr int kMaxIdentities = 2;
  std::shared_ptr<const Keyring> keyring_;
  Port port_;
  int asked_ = 0;
  Outcome outcome_ = Outcome::not_asked;
};

}  // namespace kith::mesh
