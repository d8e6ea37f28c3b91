// The cluster's SessionStore: reads from the replicated table on any thread, writes through the log on
// the control loop, with acknowledgement by other members.
#pragma once

#include "cluster/session_store.h"

namespace kith::cluster {

class Cluster;

class ReplicatedSessions final : public SessionStore {
 public:
  explicit ReplicatedSessions(Cluster& cluster) : cluster_(cluster) {}

  SessionLookup get(const SessionKey& key, WallTime now) override;
  bool covers(const Dot& position) override;
  runtime::Task<CatchUp> catch_up(runtime::Loop& here, SessionKey key, Dot position, Duration wait, bool pull,
                                  MonoTime deadline) override;
  runtime::Task<Result<SessionWrite>> create(runtime::Loop& here, SessionKey key, SessionRecord record,
                                             AckLevel level, MonoTime deadline) override;
  runtime::Task<Result<SessionWrite>> update(runtime::Loop& here, SessionKey key, Bytes body, AckLevel level,
                                             MonoTime deadline) override;
  runtime::Task<Result<SessionWrite>> revoke(runtime::Loop& here, SessionKey key, EndReason reason,
                                             WallTime expires_hint, AckLevel level,
                                             MonoTime deadline) override;
  runtime::Task<Result<SessionWrite>> mark(runtime::Loop& here, store::Key scope, WallTime keep_until,
                                           AckLevel level, MonoTime deadline) override;
  void touch(const SessionKey& key, WallTime now) override;
  size_t size() const override;
  std::vector<SessionListing> list(size_t part, WallTime now) override;

 private:
  // These run on the control loop.
  runtime::Task<CatchUp> catch_up_there(SessionKey key, Dot position, Duration wait, bool pull,
                                        MonoTime deadline);
  runtime::Task<bool> pull_from(NodeId node, SessionKey key, Dot position, MonoTime deadline);
  runtime::Task<Result<SessionWrite>> append(Result<replication::Op> op, AckLevel level, MonoTime deadline);
  std::vector<NodeId> sources(const Dot& position);

  Cluster& cluster_;
};

}  // namespace kith::cluster
