#include "cluster/replicated_cache.h"

#include "base/codec.h"
#include "cluster/cluster.h"

namespace kith::cluster {

const store::CacheTable& ReplicatedCache::table() const { return cluster_.tables_.caches(); }

bool ReplicatedCache::covers(const Dot& position) const { return cluster_.applied_.covers(position); }

runtime::Loop& ReplicatedCache::loop() const { return cluster_.ports_.loop; }

bool ReplicatedCache::ready() const { return cluster_.phase() != Phase::syncing; }

Result<Dot> ReplicatedCache::set(store::CacheName name, Bytes data, std::optional<WallTime> expires) {
  if (cluster_.phase() == Phase::left) return Error(Code::unavailable, "this node has left the cluster");
  KITH_TRY(auto op, cluster_.tables_.caches().set(std::move(name), std::move(data), expires,
                                                  cluster_.ports_.loop.wall_now()));
  return cluster_.write(std::move(op));
}

Result<Dot> ReplicatedCache::remove(const store::Key& key) {
  if (cluster_.phase() == Phase::left) return Error(Code::unavailable, "this node has left the cluster");
  KITH_TRY(auto op, cluster_.tables_.caches().remove(key, cluster_.ports_.loop.wall_now()));
  return cluster_.write(std::move(op));
}

Result<Dot> ReplicatedCache::clear(std::string_view space) {
  if (cluster_.phase() == Phase::left) return Error(Code::unavailable, "this node has left the cluster");
  KITH_TRY(auto op, cluster_.tables_.caches().clear(space, cluster_.ports_.loop.wall_now()));
  return cluster_.write(std::move(op));
}

void ReplicatedCache::flush() { cluster_.pump(); }

void ReplicatedCache::note_applied(const Dot& end) {
  moved_[end.origin] = {end.seq, cluster_.ports_.loop.now()};
}

void ReplicatedCache::tend() {
  const MonoTime now = cluster_.ports_.loop.now();
  std::erase_if(moved_, [now](const auto& each) { return now - each.second.when > kLately; });
}

std::vector<Dot> ReplicatedCache::known() const {
  std::vector<Dot> out;
  for (const auto& [origin, end] : moved_) out.push_back({origin, end.seq});
  return out;
}

NodeId ReplicatedCache::self() const { return cluster_.self_.node; }

// Rendezvous hashing (Thaler and Ravishankar, 1998): when a member comes or goes, only its own keys move.
// Keys and ids are hashes, so that mixing a word of each is enough (the finalizer of splitmix64).
NodeId ReplicatedCache::home_of(const store::Key& key) const {
  NodeId home = self();
  uint64_t highest = 0;
  for (const NodeId& node : cluster_.homes_) {
    uint64_t weight = Reader(key.view()).u64() ^ Reader(node.view()).u64();
    weight = (weight ^ (weight >> 30)) * 0xbf58476d1ce4e5b9;
    weight = (weight ^ (weight >> 27)) * 0x94d049bb133111eb;
    weight ^= weight >> 31;
    if (weight < highest) continue;
    highest = weight;
    home = node;
  }
  return home;
}

std::vector<NodeId> ReplicatedCache::others() const { return cluster_.replication_.present(); }

std::string ReplicatedCache::name_of(NodeId node) const { return cluster_.name_of(node); }

Calls& ReplicatedCache::calls() const { return cluster_.calls_; }

runtime::Task<bool> ReplicatedCache::reached(Dot position, AckLevel level, MonoTime deadline) {
  co_return co_await cluster_.wait_acks(position.seq, level, deadline);
}

size_t ReplicatedCache::held_by_others(const Dot& position) const {
  return cluster_.replication_.acked_by(position.seq);
}

runtime::Task<bool> ReplicatedCache::applied(Dot position, MonoTime deadline) {
  co_return co_await cluster_.wait_applied(position, deadline);
}

}  // namespace kith::cluster
