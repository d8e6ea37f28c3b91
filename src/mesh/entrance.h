// What a connection is before it has shown that it holds a key of the cluster (docs/formats/mesh.md
// sections 1 and 2). Problem: anybody may connect, as often as he likes, and stay. Idea: until the proof
// there is this object of fixed size, no TLS, no allocation and no signature, and the work is a few MACs.
#pragma once

#include <memory>
#include <string>

#include "mesh/keyring.h"

namespace kith::mesh {

// A dialler that has proven that it holds a key.
struct Admitted {
  Opening opening;
  Proof proof{};
  Channel channel{};
  uint16_t version = 0;
  KeyId key;
  crypto::Secret tls_key;
};

class Entrance {
 public:
  // challenge: fresh random bytes.
  Entrance(Port port, const Challenge& challenge) : port_(port) { opening_.challenge = challenge; }

  // Takes from data what belongs to the opening; what is left belongs to the link. Not to be called after
  // done().
  void handle_input(ByteView& data, const Keyring& keyring);
  // To be written now, also when it was refused; valid until the next call.
  ByteView poll_transmit();

  bool done() const { return stage_ == Stage::admitted || stage_ == Stage::refused; }
  bool refused() const { return stage_ == Stage::refused; }
  Refusal reason() const { return reason_; }
  // Of both sides' versions, for people; empty for other reasons.
  std::string detail() const;
  // When done() and not refused().
  Admitted take();

 private:
  enum class Stage : uint8_t { preamble, proof, admitted, refused };

  void take_preamble();
  void take_proof(const Keyring& keyring);
  void refuse(Refusal reason, bool aloud);
  void say(ByteView bytes);

  Port port_;
  Stage stage_ = Stage::preamble;
  Refusal reason_ = Refusal::none;
  Channel channel_{};
  uint16_t version_ = 0;
  Opening opening_;
  Proof proof_{};
  KeyId key_;
  crypto::Secret tls_key_;  // empty, and without memory of its own, until the proof
  size_t received_ = 0;     // of the preamble or the proof
  std::array<uint8_t, 2 * kPreambleSize + sizeof(Challenge) + kRefusalMacSize> output_{};
  size_t output_size_ = 0;
};

std::string version_range(const Preamble& theirs);

}  // namespace kith::mesh
