#include "runtime/sync.h"

#include <algorithm>

namespace kith::runtime {

void Event::notify_all() {
  // One at a time: whoever is resumed may stop another waiter, which then takes itself off the list.
  for (size_t present = waiters_.size(); present > 0 && !waiters_.empty(); --present) {
    OneShot<bool>* waiter = waiters_.front();
    waiters_.erase(waiters_.begin());
    waiter->set(true);
  }
}

Task<bool> Event::wait_until(Loop& loop, MonoTime deadline, std::stop_token stop) {
  if (stop.stop_requested()) co_return false;
  OneShot<bool> signal;
  waiters_.push_back(&signal);
  Timer timer;
  if (deadline != kNever) timer = loop.call_at(deadline, [&signal] { signal.set(false); });
  std::stop_callback on_stop(stop, [&signal] { signal.set(false); });
  bool notified = co_await signal.wait();
  if (!notified) std::erase(waiters_, &signal);
  co_return notified;
}

Task<bool> sleep_until(Loop& loop, MonoTime when, std::stop_token stop) {
  if (stop.stop_requested()) co_return false;
  OneShot<bool> signal;
  Timer timer = loop.call_at(when, [&signal] { signal.set(true); });
  std::stop_callback on_stop(stop, [&signal] { signal.set(false); });
  co_return co_await signal.wait();
}

namespace detail {
namespace {
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};
Detached run(Task<void> task) { co_await std::move(task); }
}  // namespace

void start_detached(Task<void> task) { run(std::move(task)); }
}  // namespace detail

}  // namespace kith::runtime
