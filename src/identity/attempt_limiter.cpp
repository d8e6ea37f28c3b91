#include "identity/attempt_limiter.h"

namespace kith::identity {

bool AttemptLimiter::take(const std::string& name, MonoTime now) {
  std::lock_guard lock(mutex_);
  if (!window_start_ || now - *window_start_ >= 1min) {
    window_start_ = now;
    total_ = 0;
    by_name_.clear();
  }
  if (total_ >= limits_.total) return false;
  size_t& count = by_name_[name];
  if (count >= limits_.per_name) return false;
  ++count;
  ++total_;
  return true;
}

void AttemptLimiter::refund(const std::string& name) {
  std::lock_guard lock(mutex_);
  auto it = by_name_.find(name);
  if (it == by_name_.end()) return;  // its window is over
  if (--it->second == 0) by_name_.erase(it);
  --total_;
}

}  // namespace kith::identity
