#include "identity/attempt_limiter.h"

#include <algorithm>

namespace kith::identity {
namespace {

std::string network_of(const IpAddress& client) {
  auto end = client.bytes.begin() + (client.is_v4() ? 16 : 8);
  return std::string(client.bytes.begin(), end);
}

}  // namespace

std::vector<AttemptLimiter::Counter> AttemptLimiter::counters_of(const std::string& name,
                                                                 const IpAddress& client) const {
  const std::string network = network_of(client);
  // The length keeps a network apart from the name behind it.
  const std::string both = "b" + std::string(1, static_cast<char>(network.size())) + network + name;
  return {{both, limits_.per_name_and_client},
          {"c" + network, limits_.per_client},
          {"n" + name, limits_.per_name}};
}

bool AttemptLimiter::take(const std::string& name, const IpAddress& client, MonoTime now) {
  std::vector<Counter> counters = counters_of(name, client);
  std::lock_guard lock(mutex_);
  if (!window_start_ || now - *window_start_ >= 1min) {
    window_start_ = now;
    counts_.clear();
  }
  size_t fresh = 0;
  for (const Counter& counter : counters) {
    auto at = counts_.find(counter.key);
    if (at == counts_.end()) ++fresh;
    if ((at == counts_.end() ? 0 : at->second) >= counter.limit) return false;
  }
  if (fresh > 0 && counts_.size() + fresh > limits_.counters) return false;
  for (const Counter& counter : counters) ++counts_[counter.key];
  return true;
}

void AttemptLimiter::refund(const std::string& name, const IpAddress& client) {
  std::vector<Counter> counters = counters_of(name, client);
  std::lock_guard lock(mutex_);
  for (const Counter& counter : counters) {
    auto at = counts_.find(counter.key);
    if (at == counts_.end()) return;  // its window is over
    if (--at->second == 0) counts_.erase(at);
  }
}

}  // namespace kith::identity
