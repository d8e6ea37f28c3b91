// A client of Redis on one loop: finds the server that has a key, and asks it. Standalone servers and Redis
// Cluster; which of them it is, the servers say.
//
// In a cluster the map of slots is asked for at first, and again when it turns out to be old: a node sends us
// elsewhere, or is gone. Nobody asks for it in the background: the call that needs it does.
// (Redis Cluster Specification, "Client and Server roles in the Redis Cluster protocol".)
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "cache/redis_map.h"
#include "cache/redis_node.h"

namespace kith::cache {

class RedisClient {
 public:
  // ports outlive the client. The configuration has passed check().
  RedisClient(runtime::Ports& ports, std::shared_ptr<const RedisConfig> config, Log log);
  ~RedisClient();  // no call is under way

  // On its loop only. One encoded command about one key (resp/request_writer.h), which may be sent more than
  // once: it has to mean the same then. The reply may be an error of the server's, but none about where to
  // ask. Ends by the deadline, or command_timeout from now if that is sooner. Failures: timeout; limit when
  // the reply was larger than we take; unavailable with the server's words when it says "later" for too long;
  // unauthenticated, side config; else what kept us from the server.
  runtime::Task<Result<resp::Reply>> call(std::string key, Bytes command, MonoTime deadline);

  runtime::Loop& loop() { return ports_.loop; }

 private:
  // Where a call stands.
  struct Trip {
    uint16_t slot = 0;
    MonoTime deadline{};
    size_t redirections = 0;
    size_t addresses_tried = 1;
    bool refreshed = false;
    bool asking = false;  // the next node is to be told that it was named by ASK
    Duration pause{};     // the last one
  };

  // Each gives the node to go on with, or null when there is none.
  runtime::Task<RedisNode*> after_failure(Trip& trip, RedisAddress failed);
  runtime::Task<RedisNode*> after_reply(Trip& trip, const resp::Reply& reply, RedisAddress asked);
  runtime::Task<RedisNode*> later(Trip& trip);
  RedisNode* next_address(Trip& trip, const RedisAddress& failed);
  RedisNode* follow(Trip& trip, const Redirect& redirect);

  bool is_cluster() const { return !owners_.empty(); }
  bool is_replica_of_several(const RedisAddress& asked) const;
  RedisNode& node_at(const RedisAddress& address);
  RedisNode& node_of(uint16_t slot);
  // Ends by the deadline, with the map or without. `suspect` is asked last.
  runtime::Task<void> refresh(MonoTime deadline, RedisAddress suspect);
  runtime::Task<void> ask_for_map(MonoTime deadline, RedisAddress suspect);
  // False when the next node is to be asked.
  bool take_map(const resp::Reply& reply, const RedisAddress& asked);
  std::vector<RedisAddress> whom_to_ask(const RedisAddress& suspect) const;
  void forget_unused();

  runtime::Ports& ports_;
  std::shared_ptr<const RedisConfig> config_;
  Log log_;
  std::map<RedisAddress, std::unique_ptr<RedisNode>> nodes_;
  std::vector<RedisNode*> owners_;  // by slot, null where nobody is known; empty: not a cluster
  size_t address_ = 0;              // of the configuration, standalone: the one in use
  bool stale_ = true;               // the map is to be asked for
  MonoTime refresh_from_{};         // not before
  bool refreshing_ = false;
  runtime::Event refreshed_;
};

}  // namespace kith::cache
