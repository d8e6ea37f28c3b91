#include "http/relay.h"

#include <gtest/gtest.h>

#include "fake_world.h"
#include "http/body_codec.h"
#include "http/client.h"
#include "http/hop_headers.h"
#include "http/server.h"
#include "test_handler.h"

namespace kith::http {
namespace {

using namespace test;

TEST(HopHeaders, AreKnownInAnyCaseAndNothingElseIs) {
  Headers hop, others;
  for (const char* name :
       {"Connection", "Keep-Alive", "TE", "Trailer", "Upgrade", "Proxy-Connection", "expect",
        "Proxy-Authorization", "PROXY-AUTHENTICATE", "Transfer-Encoding", "Content-Length", "HTTP2-Settings"})
    hop.add(name, "1");
  for (const Header& header : hop) EXPECT_TRUE(hop_headers().contains(header)) << header.name;
  for (const char* name : {"Host", "Cookie", "Upgraded", "Content-Lengths", "Authorization", "Content-Type"})
    others.add(name, "1");
  for (const Header& header : others) EXPECT_FALSE(hop_headers().contains(header)) << header.name;
}

runtime::Task<void> relay(runtime::Loop& loop, runtime::Stream& a, runtime::Stream& b, Duration idle,
                          std::optional<DuplexCount>& out) {
  out = co_await relay_duplex(loop, a, b, idle);
}

class DuplexTest : public testing::TestWithParam<bool> {
 protected:
  DuplexTest() {
    StreamOptions options{.capacity = 1000, .prompt_close = GetParam()};
    std::tie(left, a) = FakeStream::pair(world.loop, options);
    std::tie(right, b) = FakeStream::pair(world.loop, options);
    scope.spawn(relay(world.loop, *a, *b, 60s, result));
    world.loop.run();
  }
  World world;
  std::unique_ptr<FakeStream> left, right, a, b;
  std::optional<DuplexCount> result;
  runtime::Scope scope;
};
INSTANTIATE_TEST_SUITE_P(Waking, DuplexTest, testing::Bool());

TEST_P(DuplexTest, PassesBothWaysAndRespectsAHalfClose) {
  left->send("hello");
  right->send("you");
  world.loop.run();
  EXPECT_EQ(right->take(), "hello");
  EXPECT_EQ(left->take(), "you");
  left->shut();
  world.loop.run();
  EXPECT_TRUE(right->at_end());
  EXPECT_FALSE(result);
  right->send("still here");
  world.loop.run();
  EXPECT_EQ(left->take(), "still here");
  right->shut();
  world.loop.run();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->a_to_b, 5u);
  EXPECT_EQ(result->b_to_a, 13u);
  EXPECT_FALSE(result->idle);
}

TEST_P(DuplexTest, AFailureOfOneEndsBoth) {
  left->reset();
  world.loop.run();
  EXPECT_TRUE(result);
  EXPECT_TRUE(right->at_end());
}

TEST_P(DuplexTest, ClosingOneStreamFromOutsideEndsBoth) {
  a->close();
  world.loop.run();
  EXPECT_TRUE(result);
  EXPECT_TRUE(right->at_end());
}

TEST_P(DuplexTest, SilenceOfBothEndsItButNotOfOne) {
  for (int i = 0; i < 5; ++i) {
    world.loop.advance(50s);
    left->send("x");
    world.loop.run();
    right->take();
  }
  EXPECT_FALSE(result);
  world.loop.advance(60s);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->idle);
  EXPECT_TRUE(left->at_end());
}

TEST_P(DuplexTest, AReceiverThatTakesNothingHoldsUpOnlyItsDirection) {
  left->send(std::string(100'000, 'x'));
  right->send("y");
  world.loop.run();
  EXPECT_EQ(left->take(), "y");
  std::string got;
  while (got.size() < 100'000) {
    std::string piece = right->take();
    if (piece.empty()) break;
    got += piece;
    world.loop.run();
  }
  EXPECT_EQ(got.size(), 100'000u);
  left->close();
  world.loop.run();
  EXPECT_FALSE(result);  // as far as can be seen, left only has no more to say
  right->send("z");
  world.loop.run();
  EXPECT_TRUE(result);
}

// Client to server to client to server: what a gateway does, in small.
class Forwarder final : public Handler {
 public:
  explicit Forwarder(World& world) : world_(world), client_(make_client(world.ports, {})) {}

  runtime::Task<void> handle(Exchange& exchange) override {
    ClientRequest request;
    request.url = *parse_url("http://127.0.0.1:81/");
    request.url.target = exchange.request().target;
    request.head = exchange.request();
    request.body = &exchange.body();
    auto sent = co_await client_->send(std::move(request));
    if (!sent) co_return;
    std::unique_ptr<ClientResponse> response = std::move(*sent);
    ResponseHead head = response->head();
    if (head.status == 101) {
      std::unique_ptr<runtime::Stream> up = response->take_upgraded();
      auto down = co_await exchange.upgrade(std::move(head));
      if (down) co_await relay_duplex(world_.loop, **down, *up, 60s);
      co_return;
    }
    auto started = co_await exchange.start(std::move(head));
    if (started) started = co_await relay_body(response->body(), exchange);
    if (!started) exchange.abort();
  }

 private:
  World& world_;
  std::unique_ptr<Client> client_;
};

class GatewayTest : public testing::TestWithParam<size_t> {
 protected:
  GatewayTest() {
    world.network.options.max_read = GetParam();
    serve(*back, 81);
    serve(*front, 80);
    world.loop.run();
    user = world.network.dial(at(80));
  }
  ~GatewayTest() override {
    user.reset();
    world.loop.advance(1s);
    for (Server* server : {front.get(), back.get()}) scope.spawn(server->drain(world.loop.now()));
    world.loop.advance(60s);
    EXPECT_EQ(scope.running(), 0u);
  }
  void serve(Server& server, uint16_t port) {
    auto listener = world.network.listen(at(port), {});
    scope.spawn(server.serve(std::move(*listener)));
  }
  std::string body_of(std::string_view request) {
    user->send(request);
    world.loop.run();
    std::string text = user->take();
    size_t end = text.find("\r\n\r\n");
    return end == text.npos ? "no head: " + text : text.substr(end + 4);
  }

  // The body, however it was cut into chunks on its way.
  static std::string unchunked(std::string_view text) {
    BodyDecoder decoder(Framing::chunked);
    std::string body;
    while (!text.empty()) {
      size_t n = std::min<size_t>(decoder.due(), text.size());
      body += text.substr(0, n);
      if (n > 0) decoder.advance(n);
      if (n == 0) n = decoder.parse(as_bytes(text)).value();
      text.remove_prefix(n);
    }
    return decoder.done() ? body : "not whole: " + body;
  }

  World world;
  TestHandler app{world.loop};
  Forwarder gateway{world};
  std::unique_ptr<Server> back = make_server(world.ports, {}, app, nullptr, Log());
  std::unique_ptr<Server> front = make_server(world.ports, {}, gateway, nullptr, Log());
  std::unique_ptr<FakeStream> user;
  runtime::Scope scope;
};
INSTANTIATE_TEST_SUITE_P(Splits, GatewayTest, testing::Values(1, 2, 3, 7, 64, 100'000));

TEST_P(GatewayTest, RelaysEveryKindOfMessage) {
  EXPECT_EQ(body_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "hello");
  EXPECT_EQ(body_of("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"), "");
  EXPECT_EQ(body_of("GET /empty HTTP/1.1\r\nHost: a\r\n\r\n"), "");
  EXPECT_EQ(unchunked(body_of("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")), "onetwo");
  EXPECT_EQ(body_of("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"), "abc");
  EXPECT_EQ(body_of("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                    "chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
            "abc");
  EXPECT_EQ(app.handled, 6u);
  EXPECT_EQ(back->connections(), 1u);
}

TEST_P(GatewayTest, RelaysALargeBody) {
  bool fine = GetParam() < 64;  // a million reads of one byte show nothing more than some thousands
  user->send(std::string("GET ") + (fine ? "/medium" : "/large") + " HTTP/1.1\r\nHost: a\r\n\r\n");
  std::string got;
  for (size_t before = 1; before != got.size();) {
    before = got.size();
    world.loop.run();
    got += user->take();
  }
  EXPECT_TRUE(got.ends_with("\r\n\r\n" + std::string(fine ? 20'000 : 1 << 20, 'x')));
}

TEST_P(GatewayTest, RelaysAWebSocket) {
  EXPECT_EQ(
      body_of("GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello"),
      "hello");
  user->send("more");
  world.loop.run();
  EXPECT_EQ(user->take(), "more");
  user->shut();
  world.loop.run();
  EXPECT_TRUE(user->at_end());
}

TEST_P(GatewayTest, ACutAnswerArrivesCut) {
  std::string body = body_of("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(user->at_end());
  EXPECT_FALSE(body.ends_with("0\r\n\r\n"));
}

}  // namespace
}  // namespace kith::http
