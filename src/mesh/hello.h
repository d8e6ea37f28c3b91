// HELLO: who a node says it is, and the proof for this one connection (docs/formats/mesh.md section 3).
#pragma once

#include <string>

#include "base/node.h"
#include "crypto/ed25519.h"
#include "mesh/keyring.h"

namespace kith::mesh {

inline constexpr size_t kMaxClusterName = 128;
inline constexpr size_t kMaxRecord = 4096;
inline constexpr size_t kMaxHello = 8192;

// What a signature is bound to besides the HELLO itself.
struct Transcript {
  crypto::Secret exporter;  // of this TLS connection
  Opening opening;
};
enum class Role : uint8_t { dialler = 1, acceptor = 2 };

struct Hello {
  std::string cluster;
  crypto::PublicKey key{};
  uint64_t incarnation = 0;
  uint64_t boot_nonce = 0;
  NodeId expected{};  // zero: whoever answers
  Bytes record;
  // The dialler's: this link takes the place of the one it has on this channel, whose messages go first.
  bool renews = false;

  // The payload of the frame, signed; key is that of the signer.
  Bytes encode(const crypto::SigningKey& signer, Role role, const Transcript& transcript) const;
};

// A HELLO that was parsed but not believed yet.
class ReceivedHello {
 public:
  static Result<ReceivedHello> decode(ByteView payload);
  const Hello& hello() const { return hello_; }
  bool verify(Role signer, const Transcript& transcript) const;

 private:
  Hello hello_;
  Bytes body_;
  crypto::Signature signature_{};
};

}  // namespace kith::mesh
