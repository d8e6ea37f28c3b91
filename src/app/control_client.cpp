#include "app/control_client.h"

#include <optional>

#include "http/client.h"
#include "platform/runtime.h"
#include "runtime/scope.h"

namespace kith::app {
namespace {

constexpr size_t kMaxAnswer = 16 << 20;  // a thousand members, with room

runtime::Task<void> ask(platform::Runtime& runtime, http::Client& client, http::ClientRequest request,
                        std::optional<Result<http::Client::Whole>>& answer) {
  answer = co_await client.fetch(std::move(request), "", kMaxAnswer);
  runtime.stop();
}

}  // namespace

Result<ControlAnswer> ask_node(const std::string& socket, const std::string& method, const std::string& path,
                               Duration timeout) {
  platform::Runtime runtime(0);
  auto network = runtime.control().local_network(socket);
  runtime::Ports& real = runtime.control_ports();
  runtime::Ports ports{real.loop, *network, real.resolver, real.entropy, real.files, real.pool};
  auto client = http::make_client(ports, {});
  http::ClientRequest request;
  KITH_TRY(request.url, http::parse_url("http://127.0.0.1" + path));  // the network knows one place
  request.host_header = "kith";
  request.head.method = method;
  request.total_timeout = timeout;
  request.head_timeout = timeout;

  std::optional<Result<http::Client::Whole>> answer;
  runtime::Scope scope;
  runtime.control().post([&] { scope.spawn(ask(runtime, *client, std::move(request), answer)); });
  runtime.control().run();
  if (!answer->has_value()) return std::move(*answer).error();
  auto body = parse_json((*answer)->body, {.max_bytes = kMaxAnswer});
  if (!body || !body->is_object())
    return Error(Code::protocol, "what answers at " + socket + " is not a node");
  return ControlAnswer{(*answer)->head.status, std::move(body->as_object())};
}

}  // namespace kith::app
