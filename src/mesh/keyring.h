// The pre-shared keys of a cluster as the mesh uses them (docs/formats/mesh.md section 2). Several, so
// that keys are rotated without an outage: one is offered, all are accepted.
//
// Whoever dials shows that it holds a key before any TLS work is done for it: a MAC over what both sides
// have said, a fresh challenge of the acceptor among it. A proof names its key only to those who have
// the key, and is good for one connection.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/key_id.h"
#include "crypto/tls.h"
#include "mesh/channel.h"
#include "mesh/preamble.h"

namespace kith::mesh {

inline constexpr size_t kPskSize = 32;
inline constexpr size_t kMaxPsks = 8;     // also bounds the work that a stranger's proof causes
inline constexpr size_t kMaxRetired = 4;  // keys of the past that are still recognised
inline constexpr size_t kProofSize = 32;  // 16 random bytes, 16 bytes of MAC
inline constexpr size_t kRefusalMacSize = 16;

using Challenge = std::array<uint8_t, 16>;
using Proof = std::array<uint8_t, kProofSize>;
using RefusalMac = std::array<uint8_t, kRefusalMacSize>;

// What both sides have said before the proof.
struct Opening {
  PreambleBytes dialler{};
  PreambleBytes acceptor{};
  Challenge challenge{};
};

// All that is made of one pre-shared key; which key it was cannot be told from it.
struct MeshKey {
  KeyId id;  // public: a name that nothing can be learned from
  crypto::Secret membership;
  crypto::Secret data;
  crypto::Secret identity;

  static MeshKey derive(const crypto::Secret& psk);  // of kPskSize bytes
  const crypto::Secret& tls(Port port) const { return port == Port::membership ? membership : data; }
};
// A key that is not accepted any more. Enough is kept of it to say so to who still offers it.
struct RetiredKey {
  KeyId id;
  crypto::Secret identity;
};

// Immutable.
class Keyring {
 public:
  // accepted: 1 to kMaxPsks; the first is offered. retired: at most kMaxRetired.
  explicit Keyring(std::vector<MeshKey> accepted, std::vector<RetiredKey> retired = {});
  // The first is offered.
  static Keyring of(const std::vector<crypto::Secret>& psks);

  size_t size() const { return accepted_.size(); }
  const MeshKey& offered() const { return accepted_.front(); }
  const MeshKey& key(size_t index) const { return accepted_.at(index); }

  // The accepted key that made the proof; null when none did.
  const MeshKey* find(const Opening& opening, const Proof& proof) const;
  // Whether it was made with a retired key: then the MAC that makes our refusal believable.
  std::optional<RefusalMac> refuse_retired(const Opening& opening, const Proof& proof) const;

 private:
  std::vector<MeshKey> accepted_;
  std::vector<RetiredKey> retired_;
};

Proof make_proof(const MeshKey& key, const Opening& opening, ByteView random16);
// The dialler's side of refuse_retired.
bool is_retired_refusal(const MeshKey& key, const Opening& opening, const Proof& proof,
                        const RefusalMac& mac);

// The TLS server's half of a proof: the identity must be the proof, the key is known already.
class ProvenKey final : public crypto::PskLookup {
 public:
  ProvenKey(const Proof& proof, crypto::Secret key) : proof_(proof), key_(std::move(key)) {}
  std::optional<crypto::Secret> find(ByteView identity) override;

 private:
  Proof proof_;
  crypto::Secret key_;
};

}  // namespace kith::mesh
