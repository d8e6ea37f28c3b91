// Memory for what comes and goes with each request (coroutine frames, header fields): per-thread free lists
// of a few size classes, so that in steady state a request allocates next to nothing from the heap. Given
// back on another thread it is that thread's from then on. In builds with sanitizers it is the heap, so that
// they see every birth and death.
#pragma once

#include <cstddef>
#include <vector>

namespace kith::recycle {

void* take(size_t size);                        // aligned as operator new does; size > 0
void give(void* memory, size_t size) noexcept;  // of take, with the same size

template <class T>
struct Allocator {
  using value_type = T;
  Allocator() = default;
  template <class U>
  Allocator(const Allocator<U>&) {}
  T* allocate(size_t count) { return static_cast<T*>(take(count * sizeof(T))); }
  void deallocate(T* memory, size_t count) noexcept { give(memory, count * sizeof(T)); }
  bool operator==(const Allocator&) const = default;
};

template <class T>
using Vector = std::vector<T, Allocator<T>>;

}  // namespace kith::recycle
