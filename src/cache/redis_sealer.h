// What a value looks like in Redis, and how it is named there (docs/formats/redis-cache.md).
#pragma once

#include <vector>

#include "cache/redis_config.h"
#include "runtime/ports.h"

namespace kith::cache {

class RedisSealer {
 public:
  // The configuration has passed check(). entropy outlives the sealer.
  RedisSealer(const RedisConfig& config, runtime::Entropy& entropy);

  std::string name_of(std::string_view key) const;
  // name is the value's in Redis: it opens under no other.
  Bytes seal(std::string_view name, ByteView value) const;
  // Fails with unauthenticated when it was changed, belongs to another name, or is sealed with a key that we
  // do not have; with invalid when it is no value of ours; also when it is plain and should be sealed, or is
  // sealed and should be plain.
  Result<Bytes> open(std::string_view name, ByteView stored) const;

  // What a stored value is longer than the value, at most.
  static constexpr size_t kMaxOverhead = 64;

 private:
  using SealId = Id<8, struct RedisSealIdTag>;
  struct Key {
    SealId id;
    crypto::Secret key;
  };
  static Key derive(const crypto::Secret& configured);

  std::vector<Key> keys_;  // the current one first; none: encryption is disabled
  bool hash_keys_;
  std::string prefix_;
  runtime::Entropy& entropy_;
};

}  // namespace kith::cache
