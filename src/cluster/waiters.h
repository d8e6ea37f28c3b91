// Those who wait until a log has come to some number, in the order of their numbers.
//
// Problem: hundreds of writes wait at a time for acknowledgements, and many acknowledgements come in a
// millisecond; a runtime::Event wakes all of them for each, and every one goes back to sleep with a new
// timer. Idea: whoever knows how far it is wakes those up to there. On one loop.
#pragma once

#include <map>

#include "runtime/sync.h"

namespace kith::cluster {

class Waiters {
 public:
  Waiters() = default;
  Waiters(const Waiters&) = delete;
  Waiters& operator=(const Waiters&) = delete;
  ~Waiters() { KITH_CHECK(waiting_.empty()); }

  // True when woken: the condition may hold. False when the deadline passed or stop was requested first.
  runtime::Task<bool> wait(runtime::Loop& loop, uint64_t number, MonoTime deadline, std::stop_token stop);

  // Wakes, from the lowest number on, while holds(number) says so.
  template <class Holds>
  void wake_while(Holds&& holds) {
    // Who is woken may wait anew, and end others: nothing is held across that.
    const uint64_t newest = next_;
    for (auto at = waiting_.begin(); at != waiting_.end() && holds(at->first.first);) {
      const Place place = at->first;
      if (place.second < newest) wake(at);
      at = waiting_.upper_bound(place);
    }
  }
  void wake_all() {
    wake_while([](uint64_t) { return true; });
  }
  bool empty() const { return waiting_.empty(); }
  uint64_t highest() const { return waiting_.empty() ? 0 : waiting_.rbegin()->first.first; }

 private:
  using Place = std::pair<uint64_t, uint64_t>;  // number, order of coming
  using Waiting = std::map<Place, runtime::OneShot<bool>*>;
  void wake(Waiting::iterator at);

  Waiting waiting_;
  uint64_t next_ = 0;
};

}  // namespace kith::cluster
