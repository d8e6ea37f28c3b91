// Secret bytes: wiped when they go, never printed, compared in constant time.
#pragma once

#include <string_view>

#include "base/bytes.h"

namespace kith::crypto {

void wipe(MutableByteView memory);
bool equal_constant_time(ByteView a, ByteView b);  // false when the lengths differ

class Secret {
 public:
  Secret() = default;
  explicit Secret(Bytes bytes) : bytes_(std::move(bytes)) {}
  explicit Secret(std::string_view text) : bytes_(to_bytes(text)) {}
  Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) { other.bytes_.clear(); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      wipe(bytes_);
      bytes_ = std::move(other.bytes_);
      other.bytes_.clear();
    }
    return *this;
  }
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other) { return *this = Secret(other); }
  ~Secret() { wipe(bytes_); }

  bool empty() const { return bytes_.empty(); }
  size_t size() const { return bytes_.size(); }
  ByteView reveal() const { return bytes_; }  // the one way to the value; easy to grep for
  std::string_view reveal_text() const { return as_text(bytes_); }

 private:
  Bytes bytes_;
};

}  // namespace kith::crypto
