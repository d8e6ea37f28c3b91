// Text that is copied once and stays where it is until the arena goes, also when the arena is moved.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "base/recycle.h"

namespace kith {

class TextArena {
 public:
  TextArena() = default;
  TextArena(TextArena&& other) noexcept { swap(other); }
  TextArena& operator=(TextArena&& other) noexcept {
    TextArena gone(std::move(other));
    swap(gone);
    return *this;
  }
  ~TextArena() {
    while (newest_ != nullptr) {
      Block* block = std::exchange(newest_, newest_->older);
      recycle::give(block, block->size);
    }
  }

  // Room for so many bytes without another block.
  void reserve(size_t bytes) {
    if (bytes > left_) add_block(bytes);
  }
  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    if (text.size() > left_) add_block(text.size() > kBlock ? text.size() : kBlock);
    char* to = at_;
    std::memcpy(to, text.data(), text.size());
    at_ += text.size();
    left_ -= text.size();
    return {to, text.size()};
  }

 private:
  struct Block {
    Block* older;
    size_t size;  // with this
  };
  static constexpr size_t kBlock = 480;

  void add_block(size_t bytes) {
    void* memory = recycle::take(sizeof(Block) + bytes);
    newest_ = new (memory) Block{newest_, sizeof(Block) + bytes};
    at_ = static_cast<char*>(memory) + sizeof(Block);
    left_ = bytes;
  }
  void swap(TextArena& other) noexcept {
    std::swap(newest_, other.newest_);
    std::swap(at_, other.at_);
    std::swap(left_, other.left_);
  }

  Block* newest_ = nullptr;
  char* at_ = nullptr;
  size_t left_ = 0;
};

}  // namespace kith
