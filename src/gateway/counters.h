// What a Gateway counts. Written on its loop, read from any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace kith::gateway {

class Counter {
 public:
  void add() { value_.fetch_add(1, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

struct Counters {
  Counter requests;
  Counter requests_forwarded_out;   // sent to another node, which answered
  Counter requests_forwarded_in;    // came from another node
  Counter forwarded_twice_refused;  // came from another node and would have been forwarded again
  Counter forward_failures;
  Counter catch_up_waits;  // requests that were ahead of this node
  Counter catch_up_pulls;  // ... and were allowed to pull
  Counter catch_up_lost;   // ... and whose state could not be had
  Counter sessions_created;
  Counter sessions_not_at_level;  // created, but not acknowledged as widely as configured in time
  Counter sessions_revoked;
  Counter blind_refusals;  // of a policy that fails closed, while this node did not hear the cluster
  Counter logins_started;
  Counter logins_failed;
};

}  // namespace kith::gateway
