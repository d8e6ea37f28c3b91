#include "replication/hlc.h"

#include <algorithm>

namespace kith::replication {

uint64_t Hlc::tick(WallTime wall) {
  // A counter that runs over carries into the milliseconds, which keeps the order.
  last_ = std::max(last_ + 1, hlc_from(wall));
  return last_;
}

bool Hlc::observe(uint64_t remote, WallTime wall) {
  if (remote > hlc_from(wall + kMaxAhead) + 0xffff) return false;
  last_ = std::max(last_, remote);
  return true;
}

}  // namespace kith::replication
