// Caches, as the modes see them: one interface, several kinds (local, cluster, redis), one conformance suite.
// Whoever uses one may be given any of them by configuration and notices nothing.
//
// Calls come from any worker loop; the tasks run on, and complete on, the loop that is passed in.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/node.h"
#include "base/result.h"
#include "base/time.h"
#include "runtime/ports.h"

namespace kith::cache {

// Beyond, a write fails with limit. A key is any bytes, its namespace among them.
inline constexpr size_t kMaxKey = 1 << 10;
inline constexpr size_t kMaxValue = 60 << 10;

// Each user of a cache has a namespace, "/app/oidc": it never meets the keys of another.
inline std::string key_in(std::string_view name_space, std::string_view key) {
  return std::string(name_space) + ":" + std::string(key);
}

// A write that was accepted. at_level is false when the cache's acknowledgement level was not reached before
// the deadline: the write stands and goes on spreading.
struct CacheWrite {
  Dot position{};  // zero but for a cluster's cache
  bool at_level = true;
};

class Cache {
 public:
  virtual ~Cache() = default;

  // nullopt when there is nothing of this key, or its time is up. With the position of a write, the answer is
  // at least as new as that write; fails with timeout when it cannot be before the deadline. Fails with
  // unavailable when the cache cannot be asked.
  virtual runtime::Task<Result<std::optional<Bytes>>> get(runtime::Loop& here, std::string key, Dot at_least,
                                                          MonoTime deadline) = 0;
  // Replaces what is there. It goes when ttl is over (without: never by age), or when room is needed.
  // Fails with invalid for a ttl that is not positive, with limit for too large a key or value, with
  // unavailable.
  virtual runtime::Task<Result<CacheWrite>> set(runtime::Loop& here, std::string key, Bytes value,
                                                std::optional<Duration> ttl, MonoTime deadline) = 0;
  // Also when there is nothing of this key.
  virtual runtime::Task<Result<CacheWrite>> remove(runtime::Loop& here, std::string key,
                                                   MonoTime deadline) = 0;
};

}  // namespace kith::cache
