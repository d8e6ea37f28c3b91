#include "http/tls_stream.h"

#include <gtest/gtest.h>

#include "../crypto/certificates.h"
#include "http/client.h"
#include "test_handler.h"

namespace kith::http {
namespace {

using namespace test;
using crypto::TestCertificate;
using crypto::TlsProfile;

std::shared_ptr<const crypto::TlsContext> server_context(
    const TestCertificate& authority, TlsProfile::ClientAuth auth = TlsProfile::ClientAuth::none) {
  TestCertificate own = crypto::make_test_certificate("app", &authority, "DNS:app.test,IP:127.0.0.1");
  TlsProfile profile;
  profile.certificate_pem = own.certificate_pem;
  profile.private_key_pem = std::move(own.private_key_pem);
  profile.client_auth = auth;
  profile.client_ca_pem = auth == TlsProfile::ClientAuth::none ? "" : authority.certificate_pem;
  return *crypto::make_server_context(profile);
}

std::shared_ptr<const crypto::TlsContext> client_context(const TestCertificate& authority,
                                                         const TestCertificate* own = nullptr) {
  TlsProfile profile;
  profile.system_cas = false;
  profile.ca_pem = authority.certificate_pem;
  if (own != nullptr) {
    profile.certificate_pem = own->certificate_pem;
    profile.private_key_pem = own->private_key_pem;
  }
  return *crypto::make_client_context(profile);
}

class SubjectHandler final : public Handler {
 public:
  runtime::Task<void> handle(Exchange& exchange) override {
    tls = exchange.origin().tls;
    subject = exchange.origin().tls_subject;
    ResponseHead head;
    std::string text(100'000, 'x');
    std::string type;
    (void)co_await exchange.respond(std::move(head), std::move(text), std::move(type));
  }
  bool tls = false;
  std::string subject;
};

// The parameter is how many bytes one read of the network gives at most.
class TlsTest : public testing::TestWithParam<size_t> {
 protected:
  TlsTest() {
    world.network.options.max_read = GetParam();
    world.resolver.names["app.test"] = world.resolver.names["other.test"] = {at(443).address};
  }
  ~TlsTest() override {
    client.reset();
    world.loop.run();
    if (server) scope.spawn(server->drain(world.loop.now()));
    world.loop.advance(60s);
    EXPECT_EQ(scope.running(), 0u);
  }
  void serve(std::shared_ptr<const crypto::TlsContext> context) {
    server = make_server(world.ports, {}, handler, std::move(context), Log());
    auto listener = world.network.listen(at(443), {});
    scope.spawn(server->serve(std::move(*listener)));
    world.loop.run();
  }
  Result<Client::Whole> fetch(std::string host, std::shared_ptr<const crypto::TlsContext> context) {
    ClientRequest request;
    request.url = *parse_url("https://" + host + "/");
    request.tls = std::move(context);
    std::string none;
    return *run_now(world.loop, client->fetch(std::move(request), std::move(none)));
  }

  World world;
  TestCertificate authority = crypto::make_test_certificate("authority", nullptr, "");
  SubjectHandler handler;
  std::unique_ptr<Server> server;
  std::unique_ptr<Client> client = make_client(world.ports, {});
  runtime::Scope scope;
};
INSTANTIATE_TEST_SUITE_P(Splits, TlsTest, testing::Values(1, 1000, 100'000));

TEST_P(TlsTest, CarriesExchangesOnOneConnection) {
  serve(server_context(authority));
  auto context = client_context(authority);
  for (int i = 0; i < 3; ++i) {
    auto whole = fetch("app.test", context);
    ASSERT_TRUE(whole) << whole.error().message();
    EXPECT_EQ(whole->body.size(), 100'000u);
  }
  EXPECT_TRUE(handler.tls);
  EXPECT_EQ(handler.subject, "");
  EXPECT_EQ(server->connections(), 1u);
}

TEST_P(TlsTest, ShowsTheVerifiedClientCertificate) {
  serve(server_context(authority, TlsProfile::ClientAuth::require_and_verify));
  TestCertificate own = crypto::make_test_certificate("alice", &authority, "DNS:alice");
  ASSERT_TRUE(fetch("127.0.0.1", client_context(authority, &own)));
  EXPECT_EQ(handler.subject, "CN=alice");
  EXPECT_FALSE(fetch("127.0.0.1", client_context(authority)));
}

TEST_P(TlsTest, DoesNotWaitToEndAConnectionWhoseClientDoesNotRead) {
  serve(server_context(authority));
  auto context = client_context(authority);
  // What the server sent to a client that asked and read no more, its end of TLS last.
  auto unread = [&](size_t capacity) {
    world.network.options.capacity = capacity;
    std::unique_ptr<runtime::Stream> stream = world.network.dial(at(443));
    auto* raw = static_cast<FakeStream*>(stream.get());
    MonoTime soon = world.loop.now() + 1s;
    auto secured = *run_now(world.loop, tls_connect(std::move(stream), context, "app.test", soon));
    EXPECT_TRUE(secured);
    const std::string text = "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";
    const ByteView request = as_bytes(text);
    auto asked = (*secured)->write(std::span<const ByteView>(&request, 1), kNever);
    EXPECT_TRUE(*run_now(world.loop, std::move(asked)));
    world.loop.advance(2s);
    EXPECT_EQ(server->connections(), 0u) << capacity;
    return raw->take().size();
  };
  size_t all = unread(1 << 20);
  EXPECT_GT(all, 100'000u);
  EXPECT_EQ(unread(all - 1), all - 1) << "there was room for all but the last byte";
}

TEST_P(TlsTest, RefusesAnotherNameOrAnotherAuthority) {
  serve(server_context(authority));
  auto other_name = fetch("other.test", client_context(authority));
  ASSERT_FALSE(other_name);
  EXPECT_EQ(other_name.error().code(), Code::unauthenticated);
  EXPECT_EQ(other_name.error().side(), Side::upstream);
  TestCertificate stranger = crypto::make_test_certificate("authority", nullptr, "");
  auto other_authority = fetch("app.test", client_context(stranger));
  ASSERT_FALSE(other_authority);
  EXPECT_EQ(other_authority.error().code(), Code::unauthenticated);
}

TEST_P(TlsTest, DoesNotShareConnectionsBetweenContexts) {
  serve(server_context(authority));
  ASSERT_TRUE(fetch("app.test", client_context(authority)));
  TestCertificate stranger = crypto::make_test_certificate("authority", nullptr, "");
  EXPECT_FALSE(fetch("app.test", client_context(stranger)));
}

TEST_P(TlsTest, EndsAClientThatDoesNotSpeakTlsOrNothingAtAll) {
  serve(server_context(authority));
  auto plain = world.network.dial(at(443));
  auto silent = world.network.dial(at(443));
  plain->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  world.loop.run();
  plain->take();
  EXPECT_TRUE(plain->at_end());
  EXPECT_FALSE(silent->at_end());
  world.loop.advance(5100ms);
  EXPECT_TRUE(silent->at_end());
  EXPECT_EQ(server->connections(), 0u);
}

TEST_P(TlsTest, DrainsAConnectionInItsHandshake) {
  serve(server_context(authority));
  auto silent = world.network.dial(at(443));
  world.loop.run();
  scope.spawn(server->drain(world.loop.now() + 1s));
  world.loop.run();
  EXPECT_EQ(server->connections(), 0u);
  server.reset();
}

using Accepted = Result<std::unique_ptr<TlsStream>>;
runtime::Task<void> keep(runtime::Task<Accepted> task, std::optional<Accepted>& out) {
  out.emplace(co_await std::move(task));
}

TEST_P(TlsTest, TellsAnOrderlyEndFromACut) {
  auto server_side = server_context(authority);
  auto client_side = client_context(authority);
  for (bool orderly : {true, false}) {
    auto [a, b] = FakeStream::pair(world.loop, world.network.options);
    FakeStream* raw = a.get();
    std::optional<Accepted> accepted, connected;
    scope.spawn(keep(tls_accept(std::move(b), server_side, kNever), accepted));
    scope.spawn(keep(tls_connect(std::move(a), client_side, "app.test", kNever), connected));
    world.loop.run();
    ASSERT_TRUE(accepted && *accepted && connected && *connected);
    std::unique_ptr<TlsStream> one = std::move(**connected);
    std::unique_ptr<TlsStream> two = std::move(**accepted);
    Bytes buffer(100);
    ASSERT_TRUE(*run_now(world.loop, one->write_all(as_bytes("bye"), kNever)));
    if (orderly) {
      ASSERT_TRUE(*run_now(world.loop, one->shutdown()));
    } else {
      raw->shut();
    }
    EXPECT_EQ(*run_now(world.loop, two->read(buffer, kNever)).value(), 3u);
    auto end = *run_now(world.loop, two->read(buffer, kNever));
    if (orderly) {
      ASSERT_TRUE(end);
      EXPECT_EQ(*end, 0u);
      EXPECT_TRUE(*run_now(world.loop, two->write_all(as_bytes("after you"), kNever)));
      EXPECT_EQ(*run_now(world.loop, one->read(buffer, kNever)).value(), 9u);
    } else {
      ASSERT_FALSE(end);
      EXPECT_EQ(end.error().code(), Code::reset);
    }
  }
}

}  // namespace
}  // namespace kith::http
