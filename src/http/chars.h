// Character classes of HTTP and URIs, one table look-up per byte (RFC 9110 section 5.6.2, RFC 3986
// section 2 and 3).
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace kith::http::chars {

enum Class : uint8_t {
  kToken = 1,       // tchar
  kValue = 2,       // field-vchar, obs-text, blank and tab: what a field value may hold
  kUnreserved = 4,  // RFC 3986 section 2.3
  kPathRaw = 8,     // pchar but '%' and ';': stands in a path as it is
  kVisible = 16,    // 0x21 to 0x7e
  kName = 32,       // reg-name as we take it: letters, digits, '-', '.', '_'
};

constexpr std::array<uint8_t, 256> make_table() {
  std::array<uint8_t, 256> table{};
  for (int c = 0; c < 256; ++c) {
    bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    auto among = [c](std::string_view set) {
      return c < 0x80 && set.find(static_cast<char>(c)) != std::string_view::npos;
    };
    uint8_t bits = 0;
    if (alnum || among("!#$%&'*+-.^_`|~")) bits |= kToken;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) bits |= kValue;
    if (alnum || among("-._~")) bits |= kUnreserved;
    if (alnum || among("-._~!$&'()*+,=:@/")) bits |= kPathRaw;
    if (c > 0x20 && c < 0x7f) bits |= kVisible;
    if (alnum || among("-._")) bits |= kName;
    table[static_cast<size_t>(c)] = bits;
  }
  return table;
}
inline constexpr std::array<uint8_t, 256> kTable = make_table();

constexpr bool is(char c, Class what) { return (kTable[static_cast<uint8_t>(c)] & what) != 0; }

constexpr bool all(std::string_view text, Class what) {
  uint8_t bits = what;
  for (char c : text) bits &= kTable[static_cast<uint8_t>(c)];
  return bits != 0;
}

// all(text, kValue), eight bytes at a time: most heads are made of these.
inline bool all_value(std::string_view text) {
  constexpr uint64_t kOnes = ~uint64_t{0} / 255;
  while (text.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, text.data(), 8);
    // The high bit of a byte below 0x20, or of 0x7f. A byte above 0x7f never sets it. (Hacker's Delight 6-1)
    const uint64_t low = (word - kOnes * 0x20) & ~word;
    const uint64_t del = word ^ (kOnes * 0x7f);
    const uint64_t suspects = (low | ((del - kOnes) & ~del)) & (kOnes * 0x80);
    if (suspects != 0 && !all(text.substr(0, 8), kValue)) return false;  // a tab is fine
    text.remove_prefix(8);
  }
  return text.empty() || all(text, kValue);
}

constexpr bool is_token(std::string_view text) { return !text.empty() && all(text, kToken); }

// 0 to 15, or -1.
constexpr int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The value of %XX at text[at], or -1.
constexpr int percent_byte(std::string_view text, size_t at) {
  if (at + 2 >= text.size() || text[at] != '%') return -1;
  int high = hex_digit(text[at + 1]);
  int low = hex_digit(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace kith::http::chars
