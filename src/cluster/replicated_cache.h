// The cache entries of a cluster: reads from the replicated table on any thread, writes through the log on
// the control loop.
//
// A write is made here at once and spreads; of two at once the later one wins. What has to know the value
// before it (a counter, "only if absent") is decided by one node for each key, its home: the highest of the
// ready members by rendezvous hashing, so all agree as long as they see the same members. While they do not,
// or in a split, two nodes may decide for one key.
#pragma once

#include <map>
#include <vector>

#include "base/node.h"
#include "base/result.h"
#include "cluster/ack_level.h"
#include "cluster/calls.h"
#include "store/cache_table.h"

namespace kith::cluster {

class Cluster;

class ReplicatedCache {
 public:
  explicit ReplicatedCache(Cluster& cluster) : cluster_(cluster) {}

  // From any thread.
  const store::CacheTable& table() const;
  bool covers(const Dot& position) const;
  runtime::Loop& loop() const;  // the control loop
  // Whether this node has what the others had when it came: until then much is missing.
  bool ready() const;

  // The rest on the control loop.
  // Fail as CacheTable::set, and with unavailable when this node has left. Sent with the next flush().
  Result<Dot> set(store::CacheName name, Bytes data, std::optional<WallTime> expires);
  Result<Dot> remove(const store::Key& key);  // fail with limit as CacheTable's, and likewise
  Result<Dot> clear(std::string_view space);
  void flush();
  // What a node has to have applied to know all that is known here: the end of each log that moved lately.
  // What moved before then is everywhere, or a link is broken.
  static constexpr Duration kLately = 5s;
  std::vector<Dot> known() const;
  // More of this log is applied here; said by the cluster.
  void note_applied(const Dot& end);
  // Drops what did not move lately; called a few times per second.
  void tend();

  NodeId self() const;
  NodeId home_of(const store::Key& key) const;
  std::vector<NodeId> others() const;  // members with a link
  std::string name_of(NodeId node) const;
  Calls& calls() const;

  // False when it was not at the level at the deadline. Of a write of this node.
  runtime::Task<bool> reached(Dot position, AckLevel level, MonoTime deadline);
  // How many other members are known to have it.
  size_t held_by_others(const Dot& position) const;
  // False when it was not applied here by the deadline.
  runtime::Task<bool> applied(Dot position, MonoTime deadline);

 private:
  struct End {
    uint64_t seq = 0;
    MonoTime when;
  };
  Cluster& cluster_;
  std::map<Replica, End> moved_;
};

}  // namespace kith::cluster
