// Task<T>: a lazy coroutine with one awaiter, which runs on one loop from start to end.
//
// Rules that keep it safe (lewissbaker/cppcoro; seastar doc/lambda-coroutine-fiasco.md):
//  - parameters by value, or references to things that outlive the task by construction;
//  - never a capturing lambda as a coroutine: its captures die before it does;
//  - no lock across co_await; spawn only into a Scope (scope.h);
//  - bind non-trivial arguments to named variables before `co_await f(...)` (g++ 12 destroys some
//    temporaries of a co_await expression twice);
//  - bind the result of co_await before it is compared or negated: of `if (co_await f() == x)` and
//    `if (!co_await f())` g++ 12 may put the bool in front of the frame's resume pointer, and the
//    task never runs (tools/dev/lint.sh looks for it).
//
// An exception that reaches a task's edge is a bug and ends the process: failures are Results.
// A child that finishes without suspending resumes its parent by returning, not by a nested call,
// so a long run of ready operations does not grow the stack.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/recycle.h"

namespace kith::runtime {

template <class T>
class Task;

namespace detail {

struct PromiseBase {
  std::coroutine_handle<> parent;
  bool parent_waits = false;  // the parent is suspended for good, not still inside await_suspend
  bool finished = false;

  static void* operator new(size_t size) { return recycle::take(size); }
  static void operator delete(void* frame, size_t size) noexcept { recycle::give(frame, size); }

  std::suspend_always initial_suspend() noexcept { return {}; }
  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
      PromiseBase& promise = self.promise();
      promise.finished = true;
      return promise.parent_waits ? promise.parent : std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { std::terminate(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() {}
  void take() {}
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  struct Awaiter {
    Handle child;
    bool await_ready() noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> parent) noexcept {
      auto& promise = child.promise();
      promise.parent = parent;
      child.resume();
      if (promise.finished) return false;
      promise.parent_waits = true;
      return true;
    }
    T await_resume() { return child.promise().take(); }
  };
  Awaiter operator co_await() && noexcept {
    KITH_CHECK(handle_);
    return Awaiter{handle_};
  }

 private:
  Handle handle_;
};

namespace detail {
template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}
}  // namespace detail

}  // namespace kith::runtime
