// The binary codec of the mesh and the disk: little-endian fixed integers, LEB128 varints,
// length-prefixed strings. The reader never throws and never reads past its input: after the first
// bad read it is failed, returns zeros, and stays so; ask ok() (or done()) once at the end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace kith {

class Writer {
 public:
  explicit Writer(Bytes& out) : out_(out) {}

  void u8(uint8_t value) { out_.push_back(value); }
  void u16(uint16_t value) { fixed(value, 2); }
  void u32(uint32_t value) { fixed(value, 4); }
  void u64(uint64_t value) { fixed(value, 8); }
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<uint8_t>(value | 0x80));
    out_.push_back(static_cast<uint8_t>(value));
  }
  void raw(ByteView bytes) { append(out_, bytes); }
  void bytes(ByteView value) {
    varint(value.size());
    raw(value);
  }
  void string(std::string_view value) { bytes(as_bytes(value)); }
  template <size_t N, class Tag>
  void id(const Id<N, Tag>& value) {
    raw(value.view());
  }

 private:
  void fixed(uint64_t value, int size) {
    for (int i = 0; i < size; ++i) out_.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  Bytes& out_;
};

class Reader {
 public:
  explicit Reader(ByteView in) : in_(in) {}

  bool ok() const { return ok_; }
  bool done() const { return ok_ && in_.empty(); }  // all read, nothing left over
  size_t remaining() const { return in_.size(); }
  void fail() {
    ok_ = false;
    in_ = {};
  }

  uint8_t u8() { return static_cast<uint8_t>(fixed(1)); }
  uint16_t u16() { return static_cast<uint16_t>(fixed(2)); }
  uint32_t u32() { return static_cast<uint32_t>(fixed(4)); }
  uint64_t u64() { return fixed(8); }
  // At most 10 bytes; a longer or non-minimal form fails, so each number has one encoding.
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      uint8_t byte = u8();
      if (!ok_) return 0;
      if (shift == 63 && byte > 1) break;
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) {
        if (byte == 0 && shift > 0) break;
        return value;
      }
    }
    fail();
    return 0;
  }
  // A view into the input; empty and failed when fewer than size bytes are left.
  ByteView raw(size_t size) {
    if (size > in_.size()) {
      fail();
      return {};
    }
    ByteView view = in_.first(size);
    in_ = in_.subspan(size);
    return view;
  }
  // Length-prefixed; fails above max before anything is copied.
  ByteView bytes(size_t max) {
    uint64_t size = varint();
    if (!ok_ || size > max) {
      fail();
      return {};
    }
    return raw(static_cast<size_t>(size));
  }
  std::string string(size_t max) { return kith::to_string(bytes(max)); }
  template <class IdType>
  IdType id() {
    IdType value{};
    ByteView view = raw(IdType::kSize);
    if (ok_) std::memcpy(value.bytes.data(), view.data(), view.size());
    return value;
  }

 private:
  uint64_t fixed(size_t size) {
    ByteView view = raw(size);
    uint64_t value = 0;
    for (size_t i = 0; i < view.size(); ++i) value |= static_cast<uint64_t>(view[i]) << (8 * i);
    return value;
  }
  ByteView in_;
  bool ok_ = true;
};

}  // namespace kith
