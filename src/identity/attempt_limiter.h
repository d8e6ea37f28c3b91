// Slows down password guessing: so many attempts a minute for one name, so many for all names. Counted
// in fixed windows of a minute, so a burst over a window's edge may reach twice the limit. The table
// holds no more names than the total allows, which bounds its memory whatever names are sent.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/time.h"

namespace kith::identity {

struct AttemptLimits {
  size_t per_name = 10;  // per minute; a person mistypes three times, a guesser never stops
  size_t total = 600;    // per minute; bounds the time spent hashing (about 80 ms each)
};

class AttemptLimiter {  // one per process, used from every loop
 public:
  explicit AttemptLimiter(AttemptLimits limits = {}) : limits_(limits) {}

  // Counts an attempt; false when it must not be made.
  bool take(const std::string& name, MonoTime now);
  // The attempt was successful: it does not count.
  void refund(const std::string& name);

 private:
  const AttemptLimits limits_;
  std::mutex mutex_;
  std::optional<MonoTime> window_start_;
  size_t total_ = 0;
  std::unordered_map<std::string, size_t> by_name_;
};

}  // namespace kith::identity
