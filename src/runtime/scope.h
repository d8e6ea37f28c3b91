// Scope: the owner of spawned tasks. All of a scope's tasks run on one loop; the scope outlives them.
//
//   Scope scope;
//   scope.spawn(serve(connection));      // runs until its first suspension, then goes on by itself
//   co_await scope.close();              // asks all to stop (stop_token), waits until all have ended
//
// Stopping is a request: whoever can block holds scope.stop_token() in a std::stop_callback and ends
// its wait (closes its stream, cancels its timer). After close() no task may be spawned.
#pragma once

#include <stop_token>

#include "runtime/task.h"

namespace kith::runtime {

class Scope {
 public:
  Scope() = default;
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() { KITH_CHECK(running_ == 0); }

  void spawn(Task<void> task) {
    KITH_CHECK(!stop_.stop_requested());
    ++running_;
    run(this, std::move(task));
  }

  // Asks all tasks to stop. Idempotent; the tasks may still run for a while.
  void request_stop() { stop_.request_stop(); }
  std::stop_token stop_token() const { return stop_.get_token(); }
  bool stopping() const { return stop_.stop_requested(); }
  size_t running() const { return running_; }

  // request_stop(), then completes when the last task has ended. Awaited at most once.
  Task<void> close() {
    request_stop();
    co_await Drained{*this};
  }

 private:
  struct Drained {
    Scope& scope;
    bool await_ready() const noexcept { return scope.running_ == 0; }
    void await_suspend(std::coroutine_handle<> waiter) noexcept { scope.waiter_ = waiter; }
    void await_resume() const noexcept {}
  };

  struct Detached {
    struct promise_type {
      Detached get_return_object() { return {}; }
      std::suspend_never initial_suspend() noexcept { return {}; }
      std::suspend_never final_suspend() noexcept { return {}; }
      void return_void() {}
      void unhandled_exception() noexcept { std::terminate(); }
    };
  };
  static Detached run(Scope* scope, Task<void> task) {
    {
      Task<void> mine = std::move(task);  // destroyed before the scope hears of the end
      co_await std::move(mine);
    }
    if (--scope->running_ == 0 && scope->waiter_) std::exchange(scope->waiter_, {}).resume();
  }

  std::stop_source stop_;
  size_t running_ = 0;
  std::coroutine_handle<> waiter_;
};

}  // namespace kith::runtime
