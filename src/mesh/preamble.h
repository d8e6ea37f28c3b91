// The 16 bytes each side sends in the clear, so that strangers and other versions are told apart before
// any TLS work (docs/formats/mesh.md section 1).
#pragma once

#include "base/bytes.h"
#include "mesh/channel.h"
#include "mesh/refusal.h"

namespace kith::mesh {

inline constexpr uint16_t kMinVersion = 1;
inline constexpr uint16_t kMaxVersion = 1;
inline constexpr size_t kPreambleSize = 16;

using PreambleBytes = std::array<uint8_t, kPreambleSize>;

struct Preamble {
  enum class Kind : uint8_t { dialler = 1, acceptor = 2, refusal = 3 };
  Kind kind = Kind::dialler;
  uint8_t channel = 0;  // as sent; 0 in a refusal
  uint16_t min_version = kMinVersion;
  uint16_t max_version = kMaxVersion;
  uint16_t flags_or_reason = 0;

  PreambleBytes encode() const;
  // Nullopt when the magic or the kind is wrong.
  static std::optional<Preamble> decode(const PreambleBytes& bytes);
};

// Whether these first bytes of a connection (any number) may begin a preamble.
bool may_be_preamble(ByteView first);
// The version for both, if there is one.
std::optional<uint16_t> common_version(const Preamble& a, const Preamble& b);
std::optional<Channel> channel_from(uint8_t number);

}  // namespace kith::mesh
