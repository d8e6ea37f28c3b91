#include "base/recycle.h"

#include <cstdint>
#include <new>
#include <utility>

namespace kith::recycle {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kReuse = false;  // see recycle.h
#else
constexpr bool kReuse = true;
#endif

constexpr size_t kStep = 64;           // size classes of 64 bytes
constexpr size_t kClasses = 32;        // up to 2 KiB; what is larger goes to the heap
constexpr size_t kKeptPerClass = 256;  // at most 8.4 MiB a thread when all classes are full

struct Free {
  Free* next;
};

// Plain data, so that reaching it costs one addition to the thread pointer and no check of a guard.
struct Lists {
  Free* heads[kClasses];
  uint32_t room[kClasses];  // how many more may be kept; 0 until the thread's first take, and after its end
};
constinit thread_local Lists lists{};

// Opens the lists on a thread's first take and gives everything back when the thread ends.
struct Keeper {
  Keeper() {
    for (uint32_t& room : lists.room) room = kKeptPerClass;
  }
  ~Keeper() {
    for (size_t i = 0; i < kClasses; ++i) {
      lists.room[i] = 0;
      while (lists.heads[i] != nullptr)
        ::operator delete(std::exchange(lists.heads[i], lists.heads[i]->next));
    }
  }
};

size_t class_of(size_t size) { return (size - 1) / kStep; }

[[gnu::noinline]] void* fresh(size_t bytes) {
  if (kReuse) static thread_local Keeper keeper;
  return ::operator new(bytes);
}

}  // namespace

void* take(size_t size) {
  const size_t index = class_of(size);
  if (!kReuse || index >= kClasses) return fresh(size);
  Free* free = lists.heads[index];
  if (free == nullptr) return fresh((index + 1) * kStep);
  lists.heads[index] = free->next;
  ++lists.room[index];
  return free;
}

void give(void* memory, size_t size) noexcept {
  const size_t index = class_of(size);
  if (!kReuse || index >= kClasses || lists.room[index] == 0) {
    ::operator delete(memory);
    return;
  }
  --lists.room[index];
  lists.heads[index] = new (memory) Free{lists.heads[index]};
}

}  // namespace kith::recycle
