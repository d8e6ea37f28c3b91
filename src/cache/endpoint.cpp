#include "cache/endpoint.h"

#include <algorithm>

namespace kith::cache {

// ---------------------------------------------------------------- one loop

runtime::Task<void> EndpointLoop::serve(std::unique_ptr<runtime::Listener> listener) {
  if (draining_) co_return;
  listener_ = listener.get();
  for (;;) {
    auto stream = co_await listener->accept();
    if (!stream) {
      if (stream.error().code() != Code::closed)
        shared_.log.error("accepting connections has ended", {{"error", stream.error().message()}});
      break;
    }
    if (draining_) break;
    // Strangers have half of the places.
    const bool guarded = !shared_.config.password.empty();
    const size_t strangers = !guarded ? 0
                                      : static_cast<size_t>(std::count_if(
                                            connections_.begin(), connections_.end(),
                                            [](const Connection* each) { return !each->authenticated(); }));
    if (connections_.size() >= max_connections_ ||
        (guarded && 2 * strangers >= std::max<size_t>(2, max_connections_))) {
      ++shared_.clients.rejected;
      shared_.log.debug("connection refused: too many are open");
      continue;
    }
    scope_.spawn(run(std::move(*stream)));
  }
  listener_ = nullptr;
}

runtime::Task<void> EndpointLoop::run(std::unique_ptr<runtime::Stream> stream) {
  Connection connection(shared_, loop_, std::move(stream));
  connections_.insert(&connection);
  co_await connection.run();
  connections_.erase(&connection);
  if (draining_ && connections_.empty()) all_gone_.request_stop();
}

runtime::Task<void> EndpointLoop::drain(MonoTime deadline) {
  draining_ = true;
  if (listener_ != nullptr) listener_->close();
  // What drain() does may end any of them at once.
  for (Connection* connection : std::vector(connections_.begin(), connections_.end()))
    if (connections_.contains(connection)) connection->drain();
  if (!connections_.empty()) scope_.spawn(cut_at(deadline));
  co_await scope_.close();
}

runtime::Task<void> EndpointLoop::cut_at(MonoTime deadline) {
  const bool passed = co_await runtime::sleep_until(loop_, deadline, all_gone_.get_token());
  if (!passed) co_return;
  for (Connection* connection : std::vector(connections_.begin(), connections_.end()))
    if (connections_.contains(connection)) connection->abort();
}

// ---------------------------------------------------------------- all loops

Endpoint::Endpoint(EndpointConfig config, cluster::ReplicatedCache& cache, std::string name,
                   cluster::AckLevel ack, PubSub& pubsub, std::shared_ptr<const crypto::TlsContext> tls,
                   std::string node_name, MonoTime now, Log log)
    : config_(std::move(config)),
      executor_(cache, std::move(name), ack),
      shared_{.config = config_,
              .executor = executor_,
              .pubsub = pubsub,
              .clients = clients_,
              .tls = std::move(tls),
              .node_name = std::move(node_name),
              .started = now,
              .log = std::move(log)} {}

Result<void> Endpoint::add_loop(runtime::Loop& loop, runtime::Network& network, size_t workers) {
  KITH_TRY(const IpAddress address, IpAddress::parse(config_.host.empty() ? "::" : config_.host));
  const uint16_t port = listeners_.empty() ? config_.port : port_;
  KITH_TRY(auto listener, network.listen({address, port}, {.shared = true}));
  port_ = listener->local_endpoint().port;
  listeners_.push_back(std::move(listener));
  const size_t share = std::max<size_t>(1, config_.max_connections / workers);
  loops_.push_back(std::make_unique<EndpointLoop>(shared_, loop, share));
  return {};
}

runtime::Task<void> Endpoint::serve(size_t loop) { return loops_[loop]->serve(std::move(listeners_[loop])); }

runtime::Task<void> Endpoint::drain(size_t loop, MonoTime deadline) { return loops_[loop]->drain(deadline); }

}  // namespace kith::cache
