// Slows down password guessing: so many attempts a minute for a name from one client, for one client, and
// for a name. The first is the one that people and simple guessers meet. Somebody who wants to keep a user
// out has to come from many networks, and keeps nobody else out. A client is an IPv4 address or an IPv6
// network of 64 bits, which is what one client is given.
//
// Counted in fixed windows of a minute, so a burst over a window's edge may reach twice the limit.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/net.h"
#include "base/time.h"

namespace kith::identity {

struct AttemptLimits {              // per minute
  size_t per_name_and_client = 10;  // a person mistypes three times, a guesser never stops
  size_t per_client = 100;          // an office behind one address
  size_t per_name = 100;            // a guesser with many addresses
  // Counters, three for each attempt. The pool cannot hash as many passwords in a minute; this bounds
  // memory whatever is sent. Beyond it, attempts that need a new counter are refused.
  size_t counters = 30'000;
};

class AttemptLimiter {  // one per process, used from every loop
 public:
  explicit AttemptLimiter(AttemptLimits limits = {}) : limits_(limits) {}

  // Counts an attempt; false when it must not be made.
  bool take(const std::string& name, const IpAddress& client, MonoTime now);
  // The attempt was successful, or was not made: it does not count.
  void refund(const std::string& name, const IpAddress& client);

 private:
  struct Counter {
    std::string key;
    size_t limit;
  };
  std::vector<Counter> counters_of(const std::string& name, const IpAddress& client) const;

  const AttemptLimits limits_;
  std::mutex mutex_;
  std::optional<MonoTime> window_start_;
  std::unordered_map<std::string, size_t> counts_;
};

}  // namespace kith::identity
