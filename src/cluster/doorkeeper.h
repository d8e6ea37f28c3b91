// Bounds what strangers cost, over all ports of all clusters of this process.
//
// Problem: whoever connects has not shown yet that he holds a key, and can connect tens of thousands of
// times a second and stay. Idea: as many as kMaxKnocking wait at a time, each in a small object; who
// comes then pushes out the oldest. Connections are taken in at a bounded rate, which bounds our work and
// gives each stranger at least kMaxKnocking / kAcceptRate (half a second) to show the key, whatever others
// do; what is above the rate waits in the kernel's queue.
#pragma once

#include <list>

#include "runtime/ports.h"

namespace kith::cluster {

class Doorkeeper {
 public:
  static constexpr size_t kMaxKnocking = 1024;  // at most 4 KiB each: 4 MiB in all
  static constexpr int kAcceptRate = 2000;      // per second
  static constexpr int kAcceptBurst = 256;
  // Of those who have shown the key, how many may be in the TLS handshake at a time (about 50 KiB each).
  static constexpr size_t kMaxHandshakes = 256;

  using Place = std::list<runtime::Stream*>::iterator;

  // How long to wait before the next connection is taken in; 0: not at all.
  Duration accept_pause(MonoTime now) {
    const Duration per_token = Duration(1s) / kAcceptRate;
    const MonoTime earliest = now - per_token * kAcceptBurst;
    if (paid_until_ < earliest) paid_until_ = earliest;
    if (paid_until_ + per_token > now) return 20ms;
    paid_until_ += per_token;
    return 0ns;
  }

  // Takes the stream in; the oldest is closed when there are too many, which may run its owner inside this
  // call. The place must be given back with leave().
  Place enter(runtime::Stream& stream) {
    if (knocking_.size() >= kMaxKnocking) {
      ++pushed_out_;
      knocking_.front()->close();
    }
    return knocking_.insert(knocking_.end(), &stream);
  }
  void leave(Place place) { knocking_.erase(place); }

  bool begin_handshake() {
    if (handshakes_ >= kMaxHandshakes) return false;
    ++handshakes_;
    return true;
  }
  void end_handshake() { --handshakes_; }

  size_t knocking() const { return knocking_.size(); }
  uint64_t pushed_out() const { return pushed_out_; }

 private:
  std::list<runtime::Stream*> knocking_;  // the oldest first
  size_t handshakes_ = 0;
  uint64_t pushed_out_ = 0;
  MonoTime paid_until_{};  // when all that was taken in would have been, at the rate
};

}  // namespace kith::cluster
