#include "cluster/replicated_sessions.h"

#include <algorithm>

#include "cluster/cluster.h"
#include "runtime/sync.h"

namespace kith::cluster {

SessionLookup ReplicatedSessions::get(const SessionKey& key, WallTime now) {
  return cluster_.table_.get(key, now);
}

bool ReplicatedSessions::covers(const Dot& position) { return cluster_.applied_.covers(position); }

size_t ReplicatedSessions::size() const { return cluster_.table_.size(); }

std::vector<SessionListing> ReplicatedSessions::list(size_t part, WallTime now) {
  return cluster_.table_.list(part, now);
}

void ReplicatedSessions::touch(const SessionKey& key, WallTime now) {
  auto op = cluster_.table_.touch(key, now);
  if (!op) return;
  auto box = std::make_shared<replication::Op>(std::move(*op));
  Cluster* cluster = &cluster_;
  cluster_.ports_.loop.post([cluster, box] {
    cluster->replication_.append(std::move(*box), cluster->ports_.loop.now());
    cluster->pump();
  });
}

// ---------------------------------------------------------------- writes

runtime::Task<Result<SessionWrite>> ReplicatedSessions::append(Result<replication::Op> op, AckLevel level,
                                                               MonoTime deadline) {
  if (!op) co_return std::move(op).error();
  if (cluster_.phase() == Phase::left) co_return Error(Code::unavailable, "this node has left the cluster");
  SessionWrite write;
  write.position = cluster_.write(std::move(*op));
  cluster_.pump();
  write.at_level = co_await cluster_.wait_acks(write.position.seq, level, deadline);
  co_return write;
}

runtime::Task<Result<SessionWrite>> ReplicatedSessions::create(runtime::Loop& here, SessionKey key,
                                                               SessionRecord record, AckLevel level,
                                                               MonoTime deadline) {
  auto make = [this, key, &record, level, deadline] {
    return append(cluster_.table_.create(key, std::move(record), cluster_.ports_.loop.wall_now()), level,
                  deadline);
  };
  co_return co_await runtime::run_on<Result<SessionWrite>>(here, cluster_.ports_.loop, make);
}

runtime::Task<Result<SessionWrite>> ReplicatedSessions::update(runtime::Loop& here, SessionKey key,
                                                               Bytes body, AckLevel level,
                                                               MonoTime deadline) {
  auto make = [this, key, &body, level, deadline] {
    return append(cluster_.table_.update(key, std::move(body), cluster_.ports_.loop.wall_now()), level,
                  deadline);
  };
  co_return co_await runtime::run_on<Result<SessionWrite>>(here, cluster_.ports_.loop, make);
}

runtime::Task<Result<SessionWrite>> ReplicatedSessions::revoke(runtime::Loop& here, SessionKey key,
                                                               EndReason reason, WallTime expires_hint,
                                                               AckLevel level, MonoTime deadline) {
  auto make = [this, key, reason, expires_hint, level, deadline] {
    auto op = cluster_.table_.revoke(key, reason, expires_hint, cluster_.ports_.loop.wall_now());
    cluster_.note_merge(key, store::Merged::ended);
    return append(std::move(op), level, deadline);
  };
  co_return co_await runtime::run_on<Result<SessionWrite>>(here, cluster_.ports_.loop, make);
}

runtime::Task<Result<SessionWrite>> ReplicatedSessions::mark(runtime::Loop& here, store::Key scope,
                                                             WallTime keep_until, AckLevel level,
                                                             MonoTime deadline) {
  auto make = [this, scope, keep_until, level, deadline] {
    auto op = cluster_.table_.mark(scope, keep_until, cluster_.ports_.loop.wall_now());
    cluster_.note_merge(scope, store::Merged::marked);
    return append(std::move(op), level, deadline);
  };
  co_return co_await runtime::run_on<Result<SessionWrite>>(here, cluster_.ports_.loop, make);
}

// ---------------------------------------------------------------- catching up

runtime::Task<CatchUp> ReplicatedSessions::catch_up(runtime::Loop& here, SessionKey key, Dot position,
                                                    Duration wait, bool pull, MonoTime deadline) {
  auto make = [this, key, position, wait, pull, deadline] {
    return catch_up_there(key, position, wait, pull, deadline);
  };
  co_return co_await runtime::run_on<CatchUp>(here, cluster_.ports_.loop, make);
}

std::vector<NodeId> ReplicatedSessions::sources(const Dot& position) {
  std::vector<NodeId> nodes = cluster_.replication_.holders(position);
  // The origin has its own writes, whatever its last vector said.
  auto present = cluster_.replication_.present();
  bool origin_present = std::find(present.begin(), present.end(), position.origin.node) != present.end() &&
                        cluster_.is_member(position.origin);
  if (origin_present && std::find(nodes.begin(), nodes.end(), position.origin.node) == nodes.end())
    nodes.insert(nodes.begin(), position.origin.node);
  std::stable_partition(nodes.begin(), nodes.end(),
                        [&](const NodeId& node) { return !cluster_.silent_.contains(node); });
  return nodes;
}

runtime::Task<CatchUp> ReplicatedSessions::catch_up_there(SessionKey key, Dot position, Duration wait,
                                                          bool pull, MonoTime deadline) {
  runtime::Loop& loop = cluster_.ports_.loop;
  CatchUp here{CatchUp::Kind::here, cluster_.self_.node};
  const bool came = co_await cluster_.wait_applied(position, std::min(loop.now() + wait, deadline));
  if (came) co_return here;

  std::vector<NodeId> nodes = sources(position);
  if (pull) {
    for (NodeId node : nodes) {
      if (loop.now() >= deadline) break;
      if (co_await pull_from(node, key, position, deadline)) co_return here;
      if (cluster_.replication_.covers(position)) co_return here;
    }
    nodes = sources(position);
  }
  if (nodes.empty()) co_return CatchUp{CatchUp::Kind::lost, {}};
  co_return CatchUp{CatchUp::Kind::elsewhere, nodes.front()};
}

runtime::Task<bool> ReplicatedSessions::pull_from(NodeId node, SessionKey key, Dot position,
                                                  MonoTime deadline) {
  runtime::Loop& loop = cluster_.ports_.loop;
  uint64_t request =
      cluster_.replication_.pull(node, replication::StoreId::session, key, position, loop.now());
  cluster_.pulled_.emplace(request, std::nullopt);
  cluster_.pump();
  auto& answer = cluster_.pulled_[request];
  while (!answer) {
    bool woken = co_await cluster_.pulled_event_.wait_until(loop, deadline, cluster_.scope_.stop_token());
    if (!woken) break;
  }
  bool covers = answer && answer->covers;
  cluster_.pulled_.erase(request);
  co_return covers;
}

}  // namespace kith::cluster
