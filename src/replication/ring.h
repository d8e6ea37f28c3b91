// The recent ops of all logs, kept for peers that lack them; the oldest leave first.
#pragma once

#include <deque>
#include <map>

#include "base/bytes.h"
#include "base/node.h"
#include "base/time.h"

namespace kith::replication {

struct RingLimits {
  size_t max_bytes = 64 << 20;
  Duration max_age = std::chrono::minutes(10);
};

class Ring {
 public:
  explicit Ring(RingLimits limits) : limits_(limits) {}

  // Keeps the encoded op (op.h); nothing happens when it is there already.
  void put(const Dot& dot, Bytes body, MonoTime now);
  // The first op at or after seq of this log, or null. Valid until the next put or expire.
  struct Found {
    uint64_t seq = 0;
    const Bytes* body = nullptr;
  };
  Found at_or_after(const Replica& origin, uint64_t seq) const;
  void expire(MonoTime now);
  size_t bytes() const { return bytes_; }  // with an estimate of the bookkeeping

 private:
  static constexpr size_t kOverhead = 128;
  struct Age {
    Dot dot;
    MonoTime since;
  };
  void drop_oldest();

  const RingLimits limits_;
  std::map<Replica, std::map<uint64_t, Bytes>> logs_;
  std::deque<Age> order_;
  size_t bytes_ = 0;
};

}  // namespace kith::replication
