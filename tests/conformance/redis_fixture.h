// A cache in Redis on two loops, as the tests use it that are about Redis alone.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <thread>

#include "cache/redis_cache.h"
#include "real_loops.h"

namespace kith::cache {

using runtime::Loop;
using runtime::Task;

class Lines final : public LogSink {
 public:
  bool enabled(Level) const override { return true; }
  void write(Level, std::string_view, std::string_view message, std::span<const Field> fields) override {
    const std::lock_guard lock(mutex_);
    text_ += message;
    for (const Field& field : fields) text_ += " " + std::string(field.value());
    text_ += "\n";
  }
  size_t count(std::string_view what) const {
    const std::lock_guard lock(mutex_);
    size_t found = 0;
    for (size_t at = text_.find(what); at != std::string::npos; at = text_.find(what, at + 1)) ++found;
    return found;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

inline RedisConfig config_for(std::vector<RedisAddress> addresses) {
  RedisConfig config;
  config.addresses = std::move(addresses);
  config.encryption.current = crypto::Secret(Bytes(32, 7));
  config.command_timeout = 20s;  // the machine may be busy
  config.connect_timeout = 10s;
  return config;
}

// A cache on two loops, called from the test's thread.
class Client {
 public:
  using Got = Result<std::optional<Bytes>>;
  using Wrote = Result<CacheWrite>;

  explicit Client(RedisConfig config) {
    auto made = make_redis_cache(loops_.ports(), std::move(config), Log(lines, "cache"));
    EXPECT_TRUE(made);
    cache_ = std::move(*made);
  }
  ~Client() { loops_.stop(); }

  Got get(const std::string& key, Duration patience = 20s) {
    return call<Got>([&](Loop& here) { return cache_->get(here, key, Dot{}, here.now() + patience); });
  }
  Wrote set(const std::string& key, Bytes value) {
    return call<Wrote>(
        [&](Loop& here) { return cache_->set(here, key, std::move(value), std::nullopt, here.now() + 20s); });
  }
  std::optional<Bytes> value(const std::string& key) {
    auto got = get(key);
    EXPECT_TRUE(got) << got.error().message();
    return got ? *got : std::nullopt;
  }
  std::string error(const std::string& key) {
    auto got = get(key);
    EXPECT_FALSE(got);
    if (got) return {};
    EXPECT_EQ(got.error().code(), Code::unavailable);
    return got.error().message();
  }
  RedisStats stats() const { return cache_->stats(); }
  RedisCache& cache() { return *cache_; }
  RealLoops& loops() { return loops_; }

  std::shared_ptr<Lines> lines = std::make_shared<Lines>();

 private:
  template <class T>
  static Task<void> keep(Task<T> task, std::optional<T>* out) {
    out->emplace(co_await std::move(task));
  }
  template <class T>
  T call(std::function<Task<T>(Loop&)> make) {
    std::optional<T> out;
    loops_.start(0, [&](Loop& here) { return keep(make(here), &out); }).wait();
    return std::move(*out);
  }

  RealLoops loops_{2};
  std::unique_ptr<RedisCache> cache_;
};

inline bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 6000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace kith::cache
