// A function that is called once or more and never copied. What it captures lies inside it when it is
// small, which is nearly always: an event of the simulator costs no memory of its own.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace kith::sim {

class Callback {
 public:
  Callback() = default;
  template <class Fn>
  requires(!std::is_same_v<std::decay_t<Fn>, Callback> && std::is_invocable_v<std::decay_t<Fn>&>)
      Callback(Fn&& fn) {  // NOLINT(google-explicit-constructor): as std::function
    using Own = std::decay_t<Fn>;
    if constexpr (sizeof(Own) <= kInline && alignof(Own) <= alignof(std::max_align_t) &&
                  std::is_nothrow_move_constructible_v<Own>) {
      new (place_) Own(std::forward<Fn>(fn));
      kind_ = &kInPlace<Own>;
    } else {
      new (place_) Own*(new Own(std::forward<Fn>(fn)));
      kind_ = &kElsewhere<Own>;
    }
  }
  Callback(Callback&& other) noexcept { take(other); }
  Callback& operator=(Callback&& other) noexcept {
    if (this == &other) return *this;
    reset();
    take(other);
    return *this;
  }
  ~Callback() { reset(); }

  explicit operator bool() const { return kind_ != nullptr; }
  void operator()() { kind_->call(place_); }
  void reset() {
    if (const Kind* kind = std::exchange(kind_, nullptr)) kind->destroy(place_);
  }

 private:
  static constexpr size_t kInline = 64;
  struct Kind {
    void (*call)(void*);
    void (*move)(void* from, void* to);  // and destroys what was there
    void (*destroy)(void*);
  };
  template <class Own>
  static constexpr Kind kInPlace = {[](void* at) { (*static_cast<Own*>(at))(); },
                                    [](void* from, void* to) {
                                      new (to) Own(std::move(*static_cast<Own*>(from)));
                                      static_cast<Own*>(from)->~Own();
                                    },
                                    [](void* at) { static_cast<Own*>(at)->~Own(); }};
  template <class Own>
  static constexpr Kind kElsewhere = {[](void* at) { (**static_cast<Own**>(at))(); },
                                      [](void* from, void* to) { new (to) Own*(*static_cast<Own**>(from)); },
                                      [](void* at) { delete *static_cast<Own**>(at); }};

  void take(Callback& other) {
    kind_ = std::exchange(other.kind_, nullptr);
    if (kind_ != nullptr) kind_->move(other.place_, place_);
  }

  const Kind* kind_ = nullptr;
  alignas(std::max_align_t) std::byte place_[kInline];
};

}  // namespace kith::sim
