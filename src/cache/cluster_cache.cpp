#include "cache/cluster_cache.h"

#include "runtime/sync.h"

namespace kith::cache {
namespace {

static_assert(kMaxKey == store::kMaxCacheKey && kMaxValue == store::kMaxCacheData);

// At the end of times at the latest. Rounded up: what lives for less than a millisecond would be gone before
// it is there.
WallTime end_of(Duration ttl, WallTime now) {
  const WallTime last = from_unix_ms(store::kMaxTimeMs);
  if (ttl >= last - now - 1ms) return last;
  return now + std::chrono::ceil<std::chrono::milliseconds>(ttl);
}

class ClusterCache final : public Cache {
 public:
  ClusterCache(cluster::ReplicatedCache& cache, std::string name, cluster::AckLevel ack)
      : cache_(cache), space_(std::move(name)), ack_(ack) {}

  runtime::Task<Result<std::optional<Bytes>>> get(runtime::Loop& here, std::string key, Dot at_least,
                                                  MonoTime deadline) override {
    if (!cache_.covers(at_least)) {
      auto make = [this, at_least, deadline] { return cache_.applied(at_least, deadline); };
      const bool came = co_await runtime::run_on<bool>(here, cache_.loop(), make);
      if (!came) co_return Error(Code::timeout, "the write that is asked for has not arrived");
    }
    auto view = cache_.table().get(store::key_of(space_, key), here.wall_now());
    if (!view) co_return std::optional<Bytes>();
    co_return std::optional<Bytes>(view.value->data);
  }

  runtime::Task<Result<CacheWrite>> set(runtime::Loop& here, std::string key, Bytes value,
                                        std::optional<Duration> ttl, MonoTime deadline) override {
    if (ttl && *ttl <= Duration{0}) co_return Error(Code::invalid, "the time to live is not positive");
    auto make = [this, &key, &value, ttl, deadline] {
      std::optional<WallTime> expires;
      if (ttl) expires = end_of(*ttl, cache_.loop().wall_now());
      return finish(cache_.set({space_, key}, std::move(value), expires), deadline);
    };
    co_return co_await runtime::run_on<Result<CacheWrite>>(here, cache_.loop(), make);
  }

  runtime::Task<Result<CacheWrite>> remove(runtime::Loop& here, std::string key, MonoTime deadline) override {
    if (key.size() > kMaxKey) co_return Error(Code::limit, "the key is longer than 1 KiB");
    auto make = [this, &key, deadline] {
      return finish(cache_.remove(store::key_of(space_, key)), deadline);
    };
    co_return co_await runtime::run_on<Result<CacheWrite>>(here, cache_.loop(), make);
  }

 private:
  runtime::Task<Result<CacheWrite>> finish(Result<Dot> written, MonoTime deadline) {
    if (!written) co_return std::move(written).error();
    cache_.flush();
    CacheWrite write{.position = *written};
    write.at_level = co_await cache_.reached(*written, ack_, deadline);
    co_return write;
  }

  cluster::ReplicatedCache& cache_;
  const std::string space_;
  const cluster::AckLevel ack_;
};

}  // namespace

std::unique_ptr<Cache> make_cluster_cache(cluster::ReplicatedCache& cache, std::string name,
                                          cluster::AckLevel ack) {
  return std::make_unique<ClusterCache>(cache, std::move(name), ack);
}

}  // namespace kith::cache
