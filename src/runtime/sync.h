// Meeting points between tasks and callbacks.
//   sleep, sleep_until   a pause that a stop request ends
//   OneShot<T>           one value, one awaiter, an optional deadline
//   Event                wakes everyone who waits, on the same loop
//   run_on               runs a task on another loop and brings its value back
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "runtime/ports.h"

namespace kith::runtime {

// One value handed over once, on one loop. The producer may come before or after the awaiter.
template <class T>
class OneShot {
 public:
  OneShot() = default;
  OneShot(const OneShot&) = delete;
  OneShot& operator=(const OneShot&) = delete;

  bool is_set() const { return value_.has_value(); }
  // The first set wins; later ones are dropped.
  void set(T value) {
    if (value_) return;
    value_.emplace(std::move(value));
    if (waiter_) std::exchange(waiter_, {}).resume();
  }

  auto wait() {
    struct Awaiter {
      OneShot& self;
      bool await_ready() const noexcept { return self.value_.has_value(); }
      void await_suspend(std::coroutine_handle<> waiter) noexcept {
        KITH_CHECK(!self.waiter_);
        self.waiter_ = waiter;
      }
      T await_resume() { return std::move(*self.value_); }
    };
    return Awaiter{*this};
  }

 private:
  std::optional<T> value_;
  std::coroutine_handle<> waiter_;
};

// Wakes all present waiters; each looks for itself whether its condition holds.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { KITH_CHECK(waiters_.empty()); }

  void notify_all();
  bool has_waiters() const { return !waiters_.empty(); }
  // True when notified, false when the deadline passed or stop was requested first.
  Task<bool> wait_until(Loop& loop, MonoTime deadline, std::stop_token stop = {});

 private:
  std::vector<OneShot<bool>*> waiters_;
};

// False when stop was requested before the time came.
Task<bool> sleep_until(Loop& loop, MonoTime when, std::stop_token stop = {});
inline Task<bool> sleep(Loop& loop, Duration duration, std::stop_token stop = {}) {
  return sleep_until(loop, loop.now() + duration, std::move(stop));
}

namespace detail {
// Starts a task that nobody awaits; used by run_on, whose awaiter outlives it.
void start_detached(Task<void> task);
}  // namespace detail

// Runs the task that make() returns on `there` and completes on `here` with its value. The caller
// must not go away meanwhile: the task it awaits in belongs to a scope that waits for it.
template <class T, class Make>
Task<T> run_on(Loop& here, Loop& there, Make make) {
  if (there.on_this_thread()) co_return co_await make();
  OneShot<T> result;
  struct Remote {
    static Task<void> run(Make work, Loop& back, OneShot<T>& out) {
      T value = co_await work();
      auto box = std::make_shared<T>(std::move(value));
      OneShot<T>* slot = &out;
      back.post([slot, box] { slot->set(std::move(*box)); });
    }
  };
  Make* work = &make;
  OneShot<T>* out = &result;
  Loop* back = &here;
  there.post([work, out, back] { detail::start_detached(Remote::run(std::move(*work), *back, *out)); });
  co_return co_await result.wait();
}

// Runs fn() in the pool; nullopt when the pool's queue is full.
template <class T>
Task<std::optional<T>> run_in_pool(Loop& loop, Pool& pool, std::function<T()> fn) {
  OneShot<bool> finished;
  auto box = std::make_shared<std::optional<T>>();
  OneShot<bool>* signal = &finished;
  bool taken = pool.submit([fn, box] { box->emplace(fn()); }, loop, [signal] { signal->set(true); });
  if (!taken) co_return std::nullopt;
  co_await finished.wait();
  co_return std::move(*box);
}

}  // namespace kith::runtime
