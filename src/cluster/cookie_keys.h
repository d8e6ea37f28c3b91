// The keys for cookies: the control loop sets them when the cluster's keys rotate, every worker loop reads.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "crypto/secret.h"

namespace kith::cluster {

class CookieKeys {
 public:
  using List = std::vector<crypto::Secret>;

  // At least one; the first signs and seals, all verify and open.
  explicit CookieKeys(List keys) { set(std::move(keys)); }

  // From any thread.
  std::shared_ptr<const List> current() const {
    std::lock_guard lock(mutex_);
    return keys_;
  }
  // Greater after each change.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  void set(List keys) {
    auto next = std::make_shared<const List>(std::move(keys));
    std::lock_guard lock(mutex_);
    keys_ = std::move(next);
    generation_.fetch_add(1, std::memory_order_release);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const List> keys_;
  std::atomic<uint64_t> generation_{0};
};

}  // namespace kith::cluster
