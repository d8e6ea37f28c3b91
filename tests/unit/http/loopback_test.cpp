// The server and the client over real sockets, with and without TLS.
#include <gtest/gtest.h>

#include "../crypto/certificates.h"
#include "http/client.h"
#include "http/server.h"
#include "platform/runtime.h"

namespace kith::http {
namespace {

using runtime::Task;

class EchoHandler final : public Handler {
 public:
  Task<void> handle(Exchange& exchange) override {
    std::string body;
    Bytes buffer(16 << 10);
    for (;;) {
      auto n = co_await exchange.body().read(buffer);
      if (!n) co_return;
      if (*n == 0) break;
      body += as_text(ByteView(buffer).first(*n));
    }
    ResponseHead head;
    std::string type = "text/plain";
    (void)co_await exchange.respond(std::move(head), std::move(body), std::move(type));
  }
};

struct Contexts {
  std::shared_ptr<const crypto::TlsContext> server_tls;
  std::shared_ptr<const crypto::TlsContext> client_tls;
};

Task<void> fetch_some(Client& client, Endpoint where, const Contexts& contexts, int& good) {
  for (int i = 0; i < 20; ++i) {
    ClientRequest request;
    request.url = *parse_url((contexts.server_tls ? "https://" : "http://") + where.text() + "/");
    request.head.method = "POST";
    request.tls = contexts.client_tls;
    std::string body(static_cast<size_t>(1) << i, static_cast<char>('a' + i));
    std::string sent = body;
    auto whole = co_await client.fetch(std::move(request), std::move(body));
    EXPECT_TRUE(whole) << (whole ? "" : whole.error().message());
    if (whole && whole->body == sent) ++good;
  }
}

Task<void> run(platform::Runtime& platform, const Contexts& contexts, int& good) {
  runtime::Ports& ports = platform.control_ports();
  EchoHandler handler;
  auto server = make_server(ports, {}, handler, contexts.server_tls, Log());
  auto client = make_client(ports, {});
  Endpoint any{IpAddress::v4(127, 0, 0, 1), 0};
  auto listener = ports.network.listen(any);
  EXPECT_TRUE(listener);
  Endpoint where = (*listener)->local_endpoint();
  runtime::Scope scope;
  scope.spawn(server->serve(std::move(*listener)));
  runtime::Scope users;
  for (int i = 0; i < 8; ++i) users.spawn(fetch_some(*client, where, contexts, good));
  co_await users.close();
  EXPECT_LE(server->connections(), 8u);
  co_await server->drain(ports.loop.now() + 5s);
  co_await scope.close();
  platform.stop();
}

int good_exchanges(const Contexts& contexts) {
  platform::Runtime platform(0);
  int good = 0;
  runtime::Scope scope;
  platform.control().post([&] { scope.spawn(run(platform, contexts, good)); });
  platform.control().run();
  return good;
}

TEST(Loopback, CarriesExchangesOverSockets) { EXPECT_EQ(good_exchanges({}), 160); }

TEST(Loopback, CarriesExchangesOverTls) {
  auto authority = crypto::make_test_certificate("authority", nullptr, "");
  auto own = crypto::make_test_certificate("app", &authority, "IP:127.0.0.1");
  crypto::TlsProfile server;
  server.certificate_pem = own.certificate_pem;
  server.private_key_pem = std::move(own.private_key_pem);
  crypto::TlsProfile client;
  client.system_cas = false;
  client.ca_pem = authority.certificate_pem;
  Contexts contexts{*crypto::make_server_context(server), *crypto::make_client_context(client)};
  EXPECT_EQ(good_exchanges(contexts), 160);
}

}  // namespace
}  // namespace kith::http
