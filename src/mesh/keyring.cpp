#include "mesh/keyring.h"

#include "base/check.h"
#include "crypto/hash.h"

namespace kith::mesh {
namespace {

constexpr uint8_t kIdentityVersion = 1;
constexpr size_t kRandomSize = 16;
constexpr size_t kMacSize = 16;
constexpr size_t kIdentitySize = 1 + kRandomSize + kMacSize;

Bytes identity_for(const crypto::Secret& key, Port port, ByteView random) {
  const uint8_t port_byte = static_cast<uint8_t>(port);
  crypto::Digest mac = crypto::hmac_sha256(key.reveal(), {ByteView(&port_byte, 1), random});
  Bytes identity{kIdentityVersion};
  append(identity, random);
  append(identity, ByteView(mac).first(kMacSize));
  return identity;
}

}  // namespace

Keyring::Keyring(const std::vector<crypto::Secret>& psks) {
  KITH_CHECK(!psks.empty() && psks.size() <= kMaxPsks);
  for (const crypto::Secret& psk : psks) {
    KITH_CHECK(psk.size() == kPskSize);
    keys_.push_back({crypto::hkdf(psk.reveal(), {}, "kith mesh 1 membership", 32),
                     crypto::hkdf(psk.reveal(), {}, "kith mesh 1 data", 32),
                     crypto::hkdf(psk.reveal(), {}, "kith mesh 1 identity", 32)});
  }
}

crypto::PskOffer Keyring::offer(Channel channel, ByteView random16) const {
  KITH_CHECK(random16.size() == kRandomSize);
  const Port port = port_of(channel);
  return {identity_for(keys_.front().identity, port, random16), keys_.front().tls(port)};
}

std::optional<crypto::Secret> Keyring::find(Port port, ByteView identity) const {
  if (identity.size() != kIdentitySize || identity[0] != kIdentityVersion) return std::nullopt;
  for (const Keys& keys : keys_) {
    Bytes expected = identity_for(keys.identity, port, identity.subspan(1, kRandomSize));
    if (crypto::equal_constant_time(expected, identity)) return keys.tls(port);
  }
  return std::nullopt;
}

std::optional<crypto::Secret> KeyFinder::find(ByteView identity) {
  if (++asked_ > kMaxIdentities) return std::nullopt;
  std::optional<crypto::Secret> key = keyring_->find(port_, identity);
  const Port other = port_ == Port::membership ? Port::data : Port::membership;
  if (key) {
    outcome_ = Outcome::found;
  } else if (outcome_ != Outcome::wrong_port) {
    outcome_ = keyring_->find(other, identity) ? Outcome::wrong_port : Outcome::unknown;
  }
  return key;
}

}  // namespace kith::mesh
