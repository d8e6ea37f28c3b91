// The worlds that caches are tested in: one stage per kind (cache_stages.cpp).
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "cache/cache.h"

namespace kith::cache {

using Make = std::function<runtime::Task<void>(runtime::Loop&)>;

// A cache in its world, ready for use. Others may have used it before, with other keys. The destructor ends
// it in order.
class Stage {
 public:
  virtual ~Stage() = default;
  virtual Cache& cache() = 0;
  virtual size_t loops() const = 0;  // at least 1
  // Runs tasks to their end, all at once: of each pair, the task that the function makes, on the loop of that
  // index.
  virtual void run(std::vector<std::pair<size_t, Make>> tasks) = 0;
  virtual void pass(Duration time) = 0;  // real or virtual
};

std::unique_ptr<Stage> local_stage();
// In the simulator, at one node of two.
std::unique_ptr<Stage> cluster_stage();
// At real servers, which are started once for all tests of a kind and end with the process.
std::unique_ptr<Stage> redis_stage();
std::unique_ptr<Stage> unsealed_redis_stage();
// A user of its own, who may do no more than a cache needs, over TLS.
std::unique_ptr<Stage> secured_redis_stage();
// As before Redis 6: no HELLO, and so RESP2.
std::unique_ptr<Stage> old_redis_stage();
std::unique_ptr<Stage> redis_cluster_stage();

}  // namespace kith::cache
