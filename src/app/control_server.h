// The local control door of a running node: a Unix socket that only the node's user may open, one small
// HTTP/1.1 server on it, JSON in its answers. Who may open the file may ask everything; there is nothing
// else to prove. Everything here runs on the control loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/json.h"
#include "http/server.h"
#include "platform/runtime.h"

namespace kith::app {

struct ControlReply {
  int status = 200;
  json::object body;  // of a failure: {"error": "words"}
};
ControlReply control_failure(int status, std::string words);

struct ControlRequest {
  std::string argument;                      // what follows a path that ends in '/', decoded
  std::map<std::string, std::string> query;  // decoded
  // "" when it is not there.
  std::string_view get(const std::string& name) const {
    auto found = query.find(name);
    return found == query.end() ? std::string_view() : found->second;
  }
};

class ControlServer final : http::Handler {
 public:
  using Action = std::function<runtime::Task<ControlReply>(ControlRequest request)>;

  // Binds the socket; errors name the path.
  static Result<std::unique_ptr<ControlServer>> open(platform::Runtime& runtime, const std::string& path,
                                                     Log log);
  ~ControlServer() override;

  // Before start(). "POST /v1/leave", or "DELETE /v1/departed/" with an argument.
  void on(std::string method_and_path, Action action);
  void start();
  // Answers what is in flight, then takes the socket away.
  runtime::Task<void> stop(MonoTime deadline);

 private:
  ControlServer(platform::Runtime& runtime, std::unique_ptr<runtime::Network> network, Log log);
  runtime::Task<void> handle(http::Exchange& exchange) override;
  runtime::Task<ControlReply> act(const http::RequestHead& request);
  // 404, or 405 when another method would be right.
  ControlReply no_action(const http::RequestHead& request) const;

  std::unique_ptr<runtime::Network> network_;
  runtime::Ports ports_;
  std::unique_ptr<runtime::Listener> listener_;
  std::unique_ptr<http::Server> server_;
  runtime::Scope scope_;
  std::map<std::string, Action> actions_;
};

}  // namespace kith::app
