#include "cluster/waiters.h"

namespace kith::cluster {

runtime::Task<bool> Waiters::wait(runtime::Loop& loop, uint64_t number, MonoTime deadline,
                                  std::stop_token stop) {
  if (stop.stop_requested()) co_return false;
  runtime::OneShot<bool> signal;
  runtime::OneShot<bool>* slot = &signal;
  const Place place{number, next_++};
  waiting_.emplace(place, slot);
  runtime::Timer timer;
  if (deadline != kNever) timer = loop.call_at(deadline, [slot] { slot->set(false); });
  std::stop_callback on_stop(stop, [slot] { slot->set(false); });
  const bool woken = co_await signal.wait();
  waiting_.erase(place);
  co_return woken;
}

void Waiters::wake(Waiting::iterator at) {
  runtime::OneShot<bool>* signal = at->second;
  waiting_.erase(at);
  signal->set(true);
}

}  // namespace kith::cluster
