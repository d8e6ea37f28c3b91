// The application behind the demo's gateway: it shows who the gateway says you are and which node
// asked. It believes the gateway's headers, so it listens on loopback only.
//
//   kith-demo-app PORT       GET / is a page and counts as a click, GET /whoami is the same as JSON

#include <csignal>
#include <cstdio>
#include <string>

#include "base/text.h"
#include "http/server.h"
#include "page.h"
#include "platform/runtime.h"
#include "runtime/scope.h"

namespace kith::demo {
namespace {

// Everything runs on the control loop, so the counts need no lock.
class App final : public http::Handler {
 public:
  runtime::Task<void> handle(http::Exchange& exchange) override {
    const http::RequestHead& request = exchange.request();
    Visit visit;
    visit.user = request.headers.get("X-User");
    visit.name = request.headers.get("X-Name");
    visit.email = request.headers.get("X-Email");
    visit.node = request.headers.get("X-Kith-Node");
    visit.forwarded_by = request.headers.get("X-Kith-Forwarded-By");

    http::ResponseHead head;
    head.headers.add("Cache-Control", "no-store");
    std::string body, type = "text/html; charset=utf-8";
    if (request.target.path == "/") {
      if (clicks_.size() < kMaxUsers || clicks_.contains(visit.user)) ++clicks_[visit.user][visit.node];
      visit.clicks = clicks_of(visit.user);
      body = render_page(visit);
    } else if (request.target.path == "/whoami") {
      visit.clicks = clicks_of(visit.user);
      body = render_json(visit);
      type = "application/json";
    } else {
      head.status = 404;
      body = "not found\n";
      type = "text/plain";
    }
    (void)co_await exchange.respond(std::move(head), std::move(body), std::move(type));
  }

 private:
  static constexpr size_t kMaxUsers = 10'000;  // more people than that are served, but not counted

  std::map<std::string, uint64_t> clicks_of(const std::string& user) const {
    auto found = clicks_.find(user);
    return found == clicks_.end() ? std::map<std::string, uint64_t>() : found->second;
  }

  std::map<std::string, std::map<std::string, uint64_t>> clicks_;
};

int run(uint16_t port) {
  platform::Runtime runtime(0);
  runtime::Ports& ports = runtime.control_ports();
  auto listener = ports.network.listen(Endpoint{IpAddress::v4(127, 0, 0, 1), port});
  if (!listener) {
    std::fprintf(stderr, "kith-demo-app: %s\n", listener.error().message().c_str());
    return 1;
  }
  App app;
  auto server = http::make_server(ports, http::ServerOptions{}, app, nullptr, Log());
  runtime::Scope scope;
  scope.spawn(server->serve(std::move(*listener)));
  struct Shutdown {
    static runtime::Task<void> run(http::Server& server, runtime::Loop& loop, platform::Runtime& runtime) {
      co_await server.drain(loop.now() + 2s);
      runtime.stop();
    }
  };
  bool stopping = false;
  runtime.control().on_signal({SIGTERM, SIGINT}, [&](int) {
    if (!std::exchange(stopping, true)) scope.spawn(Shutdown::run(*server, ports.loop, runtime));
  });
  runtime.control().run();
  return 0;
}

}  // namespace
}  // namespace kith::demo

int main(int argc, char** argv) {
  const auto port = argc == 2 ? kith::parse_u64(argv[1]) : std::nullopt;
  if (!port || *port == 0 || *port > 65535) {
    std::fprintf(stderr, "usage: kith-demo-app PORT\n");
    return 2;
  }
  return kith::demo::run(static_cast<uint16_t>(*port));
}
