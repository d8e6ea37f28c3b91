// Byte buffers and their text forms.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;
using MutableByteView = std::span<uint8_t>;

// The same memory, seen as text or as bytes. The view never outlives its owner.
inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(std::string_view text) { return {text.begin(), text.end()}; }
inline std::string to_string(ByteView bytes) { return std::string(as_text(bytes)); }
inline void append(Bytes& to, ByteView bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }
inline void append(Bytes& to, std::string_view text) { append(to, as_bytes(text)); }

// Lower-case hexadecimal (RFC 4648 section 8); decoding takes either case, whole bytes only.
std::string hex(ByteView bytes);
std::optional<Bytes> unhex(std::string_view text);

// base64url without padding (RFC 4648 section 5); decoding is strict: no padding, no other
// characters, unused bits zero, so that each value has exactly one text.
std::string base64url(ByteView bytes);
std::optional<Bytes> unbase64url(std::string_view text);

// base64 with padding (RFC 4648 section 4), strict as above.
std::string base64(ByteView bytes);
std::optional<Bytes> unbase64(std::string_view text);

// A fixed-size value of opaque bytes; Tag keeps different kinds from mixing.
template <size_t N, class Tag>
struct Id {
  static constexpr size_t kSize = N;
  std::array<uint8_t, N> bytes{};

  bool operator==(const Id&) const = default;
  // As the bytes compare, by words: maps by id are searched in the path of each request and message.
  std::strong_ordering operator<=>(const Id& other) const {
    static_assert(N % 8 == 0);
    for (size_t at = 0; at < N; at += 8) {
      const uint64_t left = word(at), right = other.word(at);
      if (left != right) return left <=> right;
    }
    return std::strong_ordering::equal;
  }
  ByteView view() const { return bytes; }
  bool is_zero() const { return *this == Id{}; }
  std::string hex() const { return kith::hex(bytes); }
  static std::optional<Id> from(ByteView view) {
    if (view.size() != N) return std::nullopt;
    Id id;
    std::memcpy(id.bytes.data(), view.data(), N);
    return id;
  }

 private:
  uint64_t word(size_t at) const {
    uint64_t value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return std::endian::native == std::endian::little ? __builtin_bswap64(value) : value;
  }
};

// For ids that are hashes or random: any of their bytes hash well already.
struct IdHash {
  template <size_t N, class Tag>
  size_t operator()(const Id<N, Tag>& id) const {
    static_assert(N >= sizeof(size_t));
    size_t value;
    std::memcpy(&value, id.bytes.data(), sizeof value);
    return value;
  }
};

}  // namespace kith
