#include "mesh/keyring.h"

#include <algorithm>

#include "base/check.h"
#include "crypto/hash.h"

namespace kith::mesh {
namespace {

constexpr std::string_view kProofLabel("kith mesh proof 1\0", 18);
constexpr std::string_view kRefusalLabel("kith mesh retired 1\0", 20);
constexpr size_t kRandomSize = 16;
constexpr size_t kMacSize = kProofSize - kRandomSize;

crypto::Digest proof_mac(const crypto::Secret& identity, const Opening& opening, ByteView random) {
  return crypto::hmac_sha256(identity.reveal(), {as_bytes(kProofLabel), opening.dialler, opening.acceptor,
                                                 opening.challenge, random});
}

bool made_with(const crypto::Secret& identity, const Opening& opening, const Proof& proof) {
  const crypto::Digest mac = proof_mac(identity, opening, ByteView(proof).first(kRandomSize));
  return crypto::equal_constant_time(ByteView(mac).first(kMacSize), ByteView(proof).subspan(kRandomSize));
}

RefusalMac refusal_mac(const crypto::Secret& identity, const Opening& opening, const Proof& proof) {
  const crypto::Digest mac = crypto::hmac_sha256(
      identity.reveal(),
      {as_bytes(kRefusalLabel), opening.dialler, opening.acceptor, opening.challenge, proof});
  RefusalMac out;
  std::copy_n(mac.begin(), out.size(), out.begin());
  return out;
}

}  // namespace

MeshKey MeshKey::derive(const crypto::Secret& psk) {
  KITH_CHECK(psk.size() == kPskSize);
  const auto part = [&](std::string_view info, size_t size) {
    return crypto::hkdf(psk.reveal(), {}, info, size);
  };
  return {.id = *KeyId::from(part("kith mesh 1 name", KeyId::kSize).reveal()),
          .membership = part("kith mesh 1 membership", 32),
          .data = part("kith mesh 1 data", 32),
          .identity = part("kith mesh 1 identity", 32)};
}

Keyring::Keyring(std::vector<MeshKey> accepted, std::vector<RetiredKey> retired)
    : accepted_(std::move(accepted)), retired_(std::move(retired)) {
  KITH_CHECK(!accepted_.empty() && accepted_.size() <= kMaxPsks && retired_.size() <= kMaxRetired);
}

Keyring Keyring::of(const std::vector<crypto::Secret>& psks) {
  std::vector<MeshKey> keys;
  for (const crypto::Secret& psk : psks) keys.push_back(MeshKey::derive(psk));
  return Keyring(std::move(keys));
}

// All keys are tried even after the right one, so that the time tells nothing about its place.
const MeshKey* Keyring::find(const Opening& opening, const Proof& proof) const {
  const MeshKey* found = nullptr;
  for (const MeshKey& key : accepted_) {
    if (made_with(key.identity, opening, proof)) found = &key;
  }
  return found;
}

std::optional<RefusalMac> Keyring::refuse_retired(const Opening& opening, const Proof& proof) const {
  for (const RetiredKey& key : retired_) {
    if (made_with(key.identity, opening, proof)) return refusal_mac(key.identity, opening, proof);
  }
  return std::nullopt;
}

Proof make_proof(const MeshKey& key, const Opening& opening, ByteView random16) {
  KITH_CHECK(random16.size() == kRandomSize);
  const crypto::Digest mac = proof_mac(key.identity, opening, random16);
  Proof proof;
  std::copy_n(random16.begin(), kRandomSize, proof.begin());
  std::copy_n(mac.begin(), kMacSize, proof.begin() + kRandomSize);
  return proof;
}

bool is_retired_refusal(const MeshKey& key, const Opening& opening, const Proof& proof,
                        const RefusalMac& mac) {
  return crypto::equal_constant_time(refusal_mac(key.identity, opening, proof), mac);
}

std::optional<crypto::Secret> ProvenKey::find(ByteView identity) {
  if (!crypto::equal_constant_time(proof_, identity)) return std::nullopt;
  return key_;
}

}  // namespace kith::mesh
