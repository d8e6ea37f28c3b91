// Channels of the Redis protocol over a cluster: what is published at any node reaches the subscribers of
// all. At most once, as with Redis: who is cut off meanwhile misses it. What one connection publishes arrives
// in its order.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "cluster/replicated_cache.h"

namespace kith::cache {

struct Publication {
  std::string channel;
  std::string payload;
};

// Whoever subscribes: called on its loop. A mailbox that is closed gets nothing more.
class Mailbox {
 public:
  // pattern: by which it was subscribed; null: by the channel's own name.
  using Deliver = std::function<void(const Publication& publication, const std::string* pattern)>;
  Mailbox(runtime::Loop& loop, Deliver deliver) : loop_(loop), deliver_(std::move(deliver)) {}

  void close() { deliver_ = nullptr; }  // on its loop

 private:
  friend class PubSub;
  runtime::Loop& loop_;
  Deliver deliver_;
};

// All channels of one cluster's caches, on one node. Thread-safe.
class PubSub {
 public:
  static constexpr size_t kMaxPayload = 256 << 10;

  // Outlives the cluster's work; made before it starts.
  explicit PubSub(cluster::ReplicatedCache& cluster);

  using Box = std::shared_ptr<Mailbox>;
  void subscribe(const std::string& cache, const std::string& channel, const Box& box);
  void unsubscribe(const std::string& cache, const std::string& channel, const Box& box);
  void subscribe_pattern(const std::string& cache, const std::string& pattern, const Box& box);
  void unsubscribe_pattern(const std::string& cache, const std::string& pattern, const Box& box);

  // To how many subscriptions of this node it went. Subscribers of the caller's loop have it when this returns.
  // The channel is at most kMaxPattern, the payload kMaxPayload. Other members do not get it when more than
  // kMaxWaiting bytes wait to be told to them.
  static constexpr size_t kMaxWaiting = 16 << 20;
  size_t publish(const std::string& cache, Publication publication);

  std::vector<std::string> channels(const std::string& cache) const;
  size_t subscribers(const std::string& cache, const std::string& channel) const;
  size_t patterns(const std::string& cache) const;

 private:
  using Boxes = std::set<Box>;
  struct Cache {
    std::map<std::string, Boxes> channels, patterns;
  };
  size_t deliver(const std::string& cache, const std::shared_ptr<const Publication>& publication);

  cluster::ReplicatedCache& cluster_;
  const std::shared_ptr<std::atomic<size_t>> waiting_ = std::make_shared<std::atomic<size_t>>(0);
  mutable std::mutex mutex_;
  std::map<std::string, Cache> caches_;
};

}  // namespace kith::cache
