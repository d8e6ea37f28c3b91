#include "http/server.h"

#include <set>

#include "http/server_connection.h"

namespace kith::http {
namespace {

class LoopServer final : public Server {
 public:
  explicit LoopServer(ServerShared shared) : shared_(std::move(shared)) {}

  runtime::Task<void> serve(std::unique_ptr<runtime::Listener> listener) override {
    if (shared_.draining) co_return;
    listeners_.insert(listener.get());
    for (;;) {
      auto stream = co_await listener->accept();
      if (!stream) {
        if (stream.error().code() != Code::closed)
          shared_.log.error("accepting connections has ended", {{"error", stream.error().message()}});
        break;
      }
      if (shared_.draining) break;
      if (connections_.size() >= shared_.options.max_connections) {
        shared_.log.debug("connection refused: too many are open");
        continue;
      }
      scope_.spawn(run(std::move(*stream)));
    }
    listeners_.erase(listener.get());
  }

  runtime::Task<void> drain(MonoTime deadline) override {
    shared_.draining = true;
    for (runtime::Listener* listener : std::set(listeners_)) listener->close();
    each_connection([](ServerConnection& connection) { connection.close_if_idle(); });
    if (deadline != kNever && !connections_.empty()) scope_.spawn(cut_at(deadline));
    co_await scope_.close();
  }

  size_t connections() const override { return connections_.size(); }
  size_t requests_in_flight() const override { return shared_.in_flight; }

 private:
  runtime::Task<void> run(std::unique_ptr<runtime::Stream> stream) {
    ServerConnection connection(shared_, std::move(stream));
    connections_.insert(&connection);
    co_await connection.run();
    connections_.erase(&connection);
    if (shared_.draining && connections_.empty()) all_gone_.request_stop();
  }

  // A task and no timer's callback: while it cuts, the scope is not empty, so the server stays.
  runtime::Task<void> cut_at(MonoTime deadline) {
    bool passed = co_await runtime::sleep_until(shared_.ports.loop, deadline, all_gone_.get_token());
    if (passed) each_connection([](ServerConnection& connection) { connection.abort(); });
  }

  // What act does may end any of them at once.
  template <class Act>
  void each_connection(Act act) {
    for (ServerConnection* connection : std::vector(connections_.begin(), connections_.end())) {
      if (connections_.contains(connection)) act(*connection);
    }
  }

  ServerShared shared_;
  std::set<runtime::Listener*> listeners_;
  std::set<ServerConnection*> connections_;
  std::stop_source all_gone_;
  runtime::Scope scope_;
};

}  // namespace

std::unique_ptr<Server> make_server(runtime::Ports& ports, ServerOptions options, Handler& handler,
                                    std::shared_ptr<const crypto::TlsContext> tls, Log log) {
  return std::make_unique<LoopServer>(ServerShared{
      .ports = ports, .options = options, .handler = handler, .tls = std::move(tls), .log = std::move(log)});
}

}  // namespace kith::http
