// Carries out commands about keys where that has to be: reads anywhere, plain writes on this node's control
// loop, and what depends on what is there at the key's home (cluster/replicated_cache.h), which is asked by a
// call. Bytes of the call: docs/formats/calls.md.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/log.h"
#include "cache/commands.h"
#include "cluster/replicated_cache.h"

namespace kith::cache {

// Commands to be carried out, in order, as bytes: what is asked here and what is asked of another node is the
// same.
class Batch {
 public:
  static constexpr size_t kMaxBytes = 256 << 10;
  // What is carried out without a pause, in writes: more would keep the control loop from its heartbeats.
  static constexpr size_t kMaxWrites = 10'000;

  void add(int database, Args args);
  bool empty() const { return count_ == 0; }
  size_t count() const { return count_; }
  size_t bytes() const { return bytes_.size(); }
  size_t writes() const { return writes_; }
  // Each has to stay valid while views of it are used.
  struct Item {
    int database = 0;
    std::vector<std::string_view> args;  // of a known command, and as many as it takes
    const Command* command = nullptr;
  };
  // nullopt when they are malformed, as a member's may be.
  static std::optional<std::vector<Item>> parse(ByteView bytes);
  ByteView view() const { return bytes_; }

 private:
  Bytes bytes_;
  size_t count_ = 0, writes_ = 0;
};

class Executor {
 public:
  // Answers the calls of other members: for each cluster once, whether or not it has caches here.
  static void serve(cluster::ReplicatedCache& cache);

  // ack: what has to hold a write before it is answered. Everything outlives the executor.
  Executor(cluster::ReplicatedCache& cache, std::string name, cluster::AckLevel ack)
      : cache_(cache), name_(std::move(name)), ack_(ack) {}

  // One that is Place::read, on any thread, at once.
  void read(int database, const Command& command, Args args, resp::ReplyWriter& reply) const;
  // The replies, in order, one for each command. together: at one node, and nothing comes in between. What
  // has not begun when stop is requested is answered with an error.
  runtime::Task<Bytes> run(runtime::Loop& here, Batch batch, resp::Protocol protocol, bool together,
                           std::stop_token stop);

  // Whether this node has what the others had when it came.
  bool ready() const { return cache_.ready(); }
  const std::string& name() const { return name_; }
  cluster::ReplicatedCache& cache() const { return cache_; }

 private:
  cluster::ReplicatedCache& cache_;
  const std::string name_;
  const cluster::AckLevel ack_;
};

}  // namespace kith::cache
