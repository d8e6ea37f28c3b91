// Bytes received from a stream and not yet consumed, contiguous. Small while a connection is idle, grows by
// doubling to what one head or message needs.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"

namespace kith {

class InputBuffer {
 public:
  static constexpr size_t kInitial = 4 << 10;  // most heads of HTTP; what an idle connection keeps

  explicit InputBuffer(size_t initial = kInitial) : initial_(initial) {}

  bool empty() const { return begin_ == end_; }
  size_t size() const { return end_ - begin_; }
  ByteView view() const { return {memory_.get() + begin_, size()}; }
  std::string_view text() const { return as_text(view()); }
  MutableByteView bytes() { return {memory_.get() + begin_, size()}; }  // to decode where they lie

  // Free room behind the bytes, at least 1 byte; grows by doubling to hold at most `limit` bytes,
  // of which fewer than that are used. Views taken before are void.
  MutableByteView space(size_t limit) {
    KITH_CHECK(size() < limit);
    if (begin_ == end_) begin_ = end_ = 0;
    if (end_ == capacity_) {
      if (begin_ > 0) {
        std::memmove(memory_.get(), memory_.get() + begin_, size());
        end_ -= std::exchange(begin_, 0);
      } else {
        grow(std::min(std::max(initial_, capacity_ * 2), std::max(limit, initial_)));
      }
    }
    return {memory_.get() + end_, std::min(capacity_ - end_, limit - size())};
  }
  void commit(size_t bytes) {
    KITH_CHECK(bytes <= capacity_ - end_);
    end_ += bytes;
  }
  void consume(size_t bytes) {
    KITH_CHECK(bytes <= size());
    begin_ += bytes;
  }
  // Moves up to out.size() bytes to out.
  size_t take(MutableByteView out) {
    size_t n = std::min(size(), out.size());
    if (n > 0) std::memcpy(out.data(), memory_.get() + begin_, n);
    begin_ += n;
    return n;
  }
  // Gives grown memory back when nothing is in it.
  void shrink() {
    if (!empty() || capacity_ <= initial_) return;
    memory_.reset();
    begin_ = end_ = capacity_ = 0;
  }

 private:
  void grow(size_t capacity) {
    auto larger = std::make_unique_for_overwrite<uint8_t[]>(capacity);
    if (end_ > 0) std::memcpy(larger.get(), memory_.get(), end_);
    memory_ = std::move(larger);
    capacity_ = capacity;
  }

  size_t initial_;
  std::unique_ptr<uint8_t[]> memory_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace kith
