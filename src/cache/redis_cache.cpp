#include "cache/redis_cache.h"

#include <atomic>

#include "cache/redis_client.h"
#include "cache/redis_sealer.h"
#include "resp/request_writer.h"

namespace kith::cache {
namespace {

using resp::Reply;

constexpr Duration kLogPause = 60s;  // between two lines about values that cannot be opened

Error too_large() { return Error(Code::limit, "a key of more than 1 KiB, or a value of more than 60 KiB"); }

// Whatever the reason, who uses a cache does the same about it.
Error unavailable(const Error& why) { return Error(Code::unavailable, why.message(), why.side()); }
Error unavailable(const Reply& error) {
  return Error(Code::unavailable, "redis: " + printable(error.text), Side::upstream);
}

std::string milliseconds(Duration ttl) {
  return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(ttl).count());
}

class Redis final : public RedisCache {
 public:
  Redis(std::span<runtime::Ports* const> loops, std::shared_ptr<const RedisConfig> config, Log log)
      : sealer_(*config, loops.front()->entropy), log_(std::move(log)) {
    for (runtime::Ports* ports : loops)
      clients_.push_back(std::make_unique<RedisClient>(*ports, config, log_));
  }

  runtime::Task<Result<std::optional<Bytes>>> get(runtime::Loop& here, std::string key, Dot,
                                                  MonoTime deadline) override {
    if (key.size() > kMaxKey) co_return std::optional<Bytes>();
    const std::string name = sealer_.name_of(key);
    Bytes command;
    resp::append_command(command, {"GET", name});
    auto reply = co_await client_of(here).call(name, std::move(command), deadline);
    if (!reply && reply.error().code() == Code::limit) co_return unreadable(here, reply.error().message());
    if (!reply) co_return unavailable(reply.error());
    if (reply->is_null()) co_return std::optional<Bytes>();
    // Something else than a string has our name.
    if (reply->error_code() == "WRONGTYPE") co_return unreadable(here, "not a string");
    if (reply->is_error()) co_return unavailable(*reply);
    if (reply->text.size() > kMaxValue + RedisSealer::kMaxOverhead) co_return unreadable(here, "too large");
    auto value = sealer_.open(name, as_bytes(reply->text));
    if (!value) co_return unreadable(here, value.error().message());
    co_return std::optional<Bytes>(std::move(*value));
  }

  runtime::Task<Result<CacheWrite>> set(runtime::Loop& here, std::string key, Bytes value,
                                        std::optional<Duration> ttl, MonoTime deadline) override {
    if (ttl && *ttl <= Duration::zero())
      co_return Error(Code::invalid, "a time to live that is not positive");
    if (key.size() > kMaxKey || value.size() > kMaxValue) co_return too_large();
    const std::string name = sealer_.name_of(key);
    const Bytes stored = sealer_.seal(name, value);
    Bytes command;
    command.reserve(stored.size() + name.size() + 128);
    if (ttl) {
      const std::string time = milliseconds(*ttl);
      resp::append_command(command, {"SET", name, as_text(stored), "PX", time});
    } else {
      resp::append_command(command, {"SET", name, as_text(stored)});
    }
    co_return co_await write(here, name, std::move(command), deadline);
  }

  runtime::Task<Result<CacheWrite>> remove(runtime::Loop& here, std::string key, MonoTime deadline) override {
    if (key.size() > kMaxKey) co_return too_large();
    const std::string name = sealer_.name_of(key);
    Bytes command;
    resp::append_command(command, {"DEL", name});  // values are small: UNLINK would gain nothing
    co_return co_await write(here, name, std::move(command), deadline);
  }

  RedisStats stats() const override { return {unreadable_.load(std::memory_order_relaxed)}; }

 private:
  runtime::Task<Result<CacheWrite>> write(runtime::Loop& here, std::string name, Bytes command,
                                          MonoTime deadline) {
    auto reply = co_await client_of(here).call(std::move(name), std::move(command), deadline);
    if (!reply) co_return unavailable(reply.error());
    if (reply->is_error()) co_return unavailable(*reply);
    co_return CacheWrite{};
  }

  RedisClient& client_of(const runtime::Loop& here) {
    for (const auto& client : clients_) {
      if (&client->loop() == &here) return *client;
    }
    KITH_CHECK(!"a loop that the cache was not made for");
    std::abort();
  }

  std::optional<Bytes> unreadable(const runtime::Loop& here, std::string_view why) {
    const uint64_t count = unreadable_.fetch_add(1, std::memory_order_relaxed) + 1;
    MonoTime due = log_from_.load(std::memory_order_relaxed);
    const MonoTime now = here.now();
    if (now >= due && log_from_.compare_exchange_strong(due, now + kLogPause, std::memory_order_relaxed))
      log_.warn("redis has a value that cannot be opened", {{"why", why}, {"so_far", count}});
    return std::nullopt;
  }

  RedisSealer sealer_;
  Log log_;
  std::vector<std::unique_ptr<RedisClient>> clients_;  // one per loop
  std::atomic<uint64_t> unreadable_ = 0;
  std::atomic<MonoTime> log_from_ = MonoTime{};
};

}  // namespace

Result<std::unique_ptr<RedisCache>> make_redis_cache(std::span<runtime::Ports* const> loops,
                                                     RedisConfig config, Log log) {
  KITH_CHECK(!loops.empty());
  KITH_TRY_VOID(check(config));
  auto shared = std::make_shared<const RedisConfig>(std::move(config));
  return std::unique_ptr<RedisCache>(std::make_unique<Redis>(loops, std::move(shared), std::move(log)));
}

}  // namespace kith::cache
