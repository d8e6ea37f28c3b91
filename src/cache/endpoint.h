// The Redis-protocol endpoint of a cluster's cache: applications use it as they would use a Redis, at any
// node. One listener and its connections for each worker loop; what they share is shared by all of them.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "cache/connection.h"

namespace kith::cache {

// The connections of one worker loop.
class EndpointLoop {
 public:
  EndpointLoop(EndpointShared& shared, runtime::Loop& loop, size_t max_connections)
      : shared_(shared), loop_(loop), max_connections_(max_connections) {}

  // Accepts until the listener fails or drain() is called.
  runtime::Task<void> serve(std::unique_ptr<runtime::Listener> listener);
  // Stops accepting, answers what has been asked, closes; at the deadline the rest is cut. Called at most
  // once; completes when no connection is left.
  runtime::Task<void> drain(MonoTime deadline);

 private:
  runtime::Task<void> run(std::unique_ptr<runtime::Stream> stream);
  runtime::Task<void> cut_at(MonoTime deadline);

  EndpointShared& shared_;
  runtime::Loop& loop_;
  const size_t max_connections_;
  runtime::Listener* listener_ = nullptr;
  std::set<Connection*> connections_;
  std::stop_source all_gone_;
  bool draining_ = false;
  runtime::Scope scope_;
};

class Endpoint {
 public:
  // pubsub is the cluster's. Everything outlives the endpoint.
  Endpoint(EndpointConfig config, cluster::ReplicatedCache& cache, std::string name, cluster::AckLevel ack,
           PubSub& pubsub, std::shared_ptr<const crypto::TlsContext> tls, std::string node_name, MonoTime now,
           Log log);

  // Binds one more worker's listener; all are of one port.
  Result<void> add_loop(runtime::Loop& loop, runtime::Network& network, size_t workers);
  size_t loops() const { return loops_.size(); }
  // On that loop.
  runtime::Task<void> serve(size_t loop);
  runtime::Task<void> drain(size_t loop, MonoTime deadline);
  const std::string& name() const { return executor_.name(); }
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

 private:
  const EndpointConfig config_;
  Executor executor_;
  Clients clients_;
  EndpointShared shared_;
  std::vector<std::unique_ptr<EndpointLoop>> loops_;
  std::vector<std::unique_ptr<runtime::Listener>> listeners_;
  uint16_t port_ = 0;  // that the first one got
};

}  // namespace kith::cache
