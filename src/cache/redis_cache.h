// A cache in Redis, one server or a Redis Cluster, that several nodes share. What Redis gets to see of keys
// and values is sealed (docs/formats/redis-cache.md).
//
// A value that cannot be opened, because it was changed, is of a key that is gone or is nobody's, is a miss:
// it is counted, logged once in a while, and replaced by the next write.
//
// Redis acknowledges a write when its memory has it. A master that dies before it has told its replica takes
// the write along.
#pragma once

#include <memory>
#include <span>

#include "base/log.h"
#include "cache/cache.h"
#include "cache/redis_config.h"

namespace kith::cache {

struct RedisStats {
  uint64_t unreadable = 0;  // values that were misses for the reason above
};

class RedisCache : public Cache {
 public:
  // Of all loops together, since the start. From any thread.
  virtual RedisStats stats() const = 0;
};

// loops: all loops that calls will come from; each gets connections of its own when it first needs them. They
// outlive the cache, which goes when they have stopped. Nothing is dialled here: a server that is not there
// shows in the first call. Every call ends by its deadline, or the configured command timeout if that is
// sooner; whatever keeps Redis from answering is unavailable, in its words. Fails as check() does.
Result<std::unique_ptr<RedisCache>> make_redis_cache(std::span<runtime::Ports* const> loops,
                                                     RedisConfig config, Log log);

}  // namespace kith::cache
