// Hybrid logical clock: 48 bits of wall milliseconds, 16 bits of counter (Kulkarni et al., Logical
// Physical Clocks, 2014). It is near to the wall clock, never goes back within a process, and is
// greater than every stamp it has observed. It orders values only; replication never looks at it.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace kith::replication {

// A stamp further ahead of our wall clock than this is not followed.
inline constexpr auto kMaxAhead = std::chrono::seconds(60);

inline uint64_t hlc_from(WallTime wall) { return static_cast<uint64_t>(unix_ms(wall)) << 16; }
inline int64_t hlc_ms(uint64_t stamp) { return static_cast<int64_t>(stamp >> 16); }

class Hlc {
 public:
  // A stamp greater than all given out or observed before.
  uint64_t tick(WallTime wall);
  // Takes a remote stamp into account. False, and without effect, when it is more than kMaxAhead
  // ahead of the wall clock: the sender's clock is wrong and must not drag ours along.
  bool observe(uint64_t remote, WallTime wall);
  uint64_t last() const { return last_; }

 private:
  uint64_t last_ = 0;
};

}  // namespace kith::replication
