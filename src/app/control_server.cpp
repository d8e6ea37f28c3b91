#include "app/control_server.h"

#include <boost/json/serialize.hpp>

namespace kith::app {
namespace {

// People and their scripts ask here, a few at a time.
http::ServerOptions control_options() {
  http::ServerOptions options;
  options.max_connections = 16;
  options.max_head_bytes = 8 << 10;
  options.max_headers = 32;
  options.idle_timeout = 10s;
  return options;
}

}  // namespace

ControlReply control_failure(int status, std::string words) {
  return {status, {{"error", std::move(words)}}};
}

ControlServer::ControlServer(platform::Runtime& runtime, std::unique_ptr<runtime::Network> network, Log log)
    : network_(std::move(network)),
      ports_{runtime.control_ports().loop,     *network_,
             runtime.control_ports().resolver, runtime.control_ports().entropy,
             runtime.control_ports().files,    runtime.control_ports().pool},
      server_(http::make_server(ports_, control_options(), *this, nullptr, std::move(log))) {}

ControlServer::~ControlServer() = default;

Result<std::unique_ptr<ControlServer>> ControlServer::open(platform::Runtime& runtime,
                                                           const std::string& path, Log log) {
  auto network = runtime.control().local_network(path);
  KITH_TRY(auto listener, network->listen({}));
  std::unique_ptr<ControlServer> out(new ControlServer(runtime, std::move(network), std::move(log)));
  out->listener_ = std::move(listener);
  return out;
}

void ControlServer::on(std::string method_and_path, Action action) {
  actions_[std::move(method_and_path)] = std::move(action);
}

void ControlServer::start() { scope_.spawn(server_->serve(std::move(listener_))); }

runtime::Task<void> ControlServer::stop(MonoTime deadline) {
  co_await server_->drain(deadline);
  co_await scope_.close();
}

ControlReply ControlServer::no_action(const http::RequestHead& request) const {
  for (const auto& [name, action] : actions_) {
    std::string_view path = std::string_view(name).substr(name.find(' ') + 1);
    if (path == request.target.path || (path.ends_with('/') && request.target.path.starts_with(path)))
      return control_failure(405, "this path has no method " + request.method);
  }
  return control_failure(404, "this version of kith has nothing at " + request.target.path);
}

runtime::Task<ControlReply> ControlServer::act(const http::RequestHead& request) {
  std::string wanted = request.method + " " + request.target.path;
  ControlRequest asked;
  auto action = actions_.find(wanted);
  if (action == actions_.end()) {
    const size_t slash = wanted.rfind('/');
    auto argument = http::decode_component(std::string_view(wanted).substr(slash + 1));
    if (!argument) co_return control_failure(400, argument.error().message());
    asked.argument = std::move(*argument);
    action = actions_.find(wanted.substr(0, slash + 1));
  }
  if (action == actions_.end()) co_return no_action(request);
  auto query = http::parse_form(request.target.query);
  if (!query) co_return control_failure(400, query.error().message());
  asked.query.insert(query->begin(), query->end());
  co_return co_await action->second(std::move(asked));
}

runtime::Task<void> ControlServer::handle(http::Exchange& exchange) {
  ControlReply reply = co_await act(exchange.request());
  http::ResponseHead head;
  head.status = reply.status;
  head.headers.add("Cache-Control", "no-store");
  (void)co_await exchange.respond(std::move(head), json::serialize(reply.body) + "\n", "application/json");
}

}  // namespace kith::app
