#include "runtime/task.h"

#include <array>
#include <new>

namespace kith::runtime::detail {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kReuse = false;  // the sanitizers should see every frame's birth and death
#else
constexpr bool kReuse = true;
#endif

constexpr size_t kStep = 64;           // size classes of 64 bytes
constexpr size_t kClasses = 32;        // up to 2 KiB; larger frames go to the heap
constexpr size_t kKeptPerClass = 256;  // at most 8.4 MiB a thread when all classes are full

struct FreeFrame {
  FreeFrame* next;
};

struct Cache {
  std::array<FreeFrame*, kClasses> heads{};
  std::array<size_t, kClasses> counts{};
  ~Cache() {
    for (FreeFrame* head : heads) {
      while (head != nullptr) ::operator delete(std::exchange(head, head->next));
    }
    gone = true;
  }
  static thread_local bool gone;
};
thread_local bool Cache::gone = false;
thread_local Cache cache;

size_t class_of(size_t size) { return (size + kStep - 1) / kStep - 1; }

}  // namespace

void* allocate_frame(size_t size) {
  size_t index = class_of(size);
  if (!kReuse || index >= kClasses) return ::operator new(size);
  if (!Cache::gone && cache.heads[index] != nullptr) {
    FreeFrame* frame = cache.heads[index];
    cache.heads[index] = frame->next;
    --cache.counts[index];
    return frame;
  }
  return ::operator new((index + 1) * kStep);
}

void free_frame(void* frame, size_t size) noexcept {
  size_t index = class_of(size);
  if (!kReuse || index >= kClasses || Cache::gone || cache.counts[index] >= kKeptPerClass) {
    ::operator delete(frame);
    return;
  }
  cache.heads[index] = new (frame) FreeFrame{cache.heads[index]};
  ++cache.counts[index];
}

}  // namespace kith::runtime::detail
