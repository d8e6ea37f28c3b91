// Time types. There is no now() here: the time is handed in (pure rooms) or asked of
// runtime::Clock, so that every core runs on a virtual clock as well as on the real one.
#pragma once

#include <chrono>
#include <cstdint>

namespace kith {

using namespace std::chrono_literals;
using Duration = std::chrono::nanoseconds;

// Never steps; since an arbitrary start. For deadlines and intervals.
struct MonoClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonoClock>;
  static constexpr bool is_steady = true;
};
using MonoTime = MonoClock::time_point;

// Civil time in milliseconds since 1970-01-01 UTC; may step. For expiries and logs.
struct WallClock {
  using duration = std::chrono::milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<WallClock>;
  static constexpr bool is_steady = false;
};
using WallTime = WallClock::time_point;

inline constexpr MonoTime kNever = MonoTime::max();

inline int64_t unix_ms(WallTime time) { return time.time_since_epoch().count(); }
inline WallTime from_unix_ms(int64_t ms) { return WallTime(std::chrono::milliseconds(ms)); }

}  // namespace kith
