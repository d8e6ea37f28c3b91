#include "mesh/preamble.h"

#include <algorithm>

#include "base/codec.h"

namespace kith::mesh {
namespace {

constexpr std::array<uint8_t, 8> kMagic = {0x89, 'K', 'I', 'T', 'H', '\r', '\n', 0x1a};

}  // namespace

PreambleBytes Preamble::encode() const {
  Bytes out;
  Writer writer(out);
  writer.raw(kMagic);
  writer.u8(static_cast<uint8_t>(kind));
  writer.u8(channel);
  writer.u16(min_version);
  writer.u16(max_version);
  writer.u16(flags_or_reason);
  PreambleBytes bytes{};
  std::copy(out.begin(), out.end(), bytes.begin());
  return bytes;
}

std::optional<Preamble> Preamble::decode(const PreambleBytes& bytes) {
  if (!may_be_preamble(bytes)) return std::nullopt;
  Reader reader(ByteView(bytes).subspan(kMagic.size()));
  Preamble preamble;
  const uint8_t kind = reader.u8();
  if (kind < 1 || kind > 3) return std::nullopt;
  preamble.kind = static_cast<Kind>(kind);
  preamble.channel = reader.u8();
  preamble.min_version = reader.u16();
  preamble.max_version = reader.u16();
  preamble.flags_or_reason = reader.u16();
  return preamble;
}

bool may_be_preamble(ByteView first) {
  const size_t size = std::min(first.size(), kMagic.size());
  return std::equal(first.begin(), first.begin() + static_cast<ptrdiff_t>(size), kMagic.begin());
}

std::optional<uint16_t> common_version(const Preamble& a, const Preamble& b) {
  const uint16_t version = std::min(a.max_version, b.max_version);
  if (version < a.min_version || version < b.min_version) return std::nullopt;
  return version;
}

std::optional<Channel> channel_from(uint8_t number) {
  if (number < 1 || number > 3) return std::nullopt;
  return static_cast<Channel>(number);
}

}  // namespace kith::mesh
