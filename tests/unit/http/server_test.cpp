#include "http/server.h"

#include <gtest/gtest.h>

#include <set>

#include "test_handler.h"

namespace kith::http {
namespace {

using namespace test;
using testing::Test;

constexpr std::string_view kDate = "Date: Sun, 06 Nov 1994 08:49:";

// Whether each way of waking works is a parameter of the whole suite.
class ServerTest : public testing::TestWithParam<bool> {
 protected:
  ServerTest() { world.network.options.prompt_close = GetParam(); }
  ~ServerTest() override { stop(); }

  void start(ServerOptions options = {}) {
    server = make_server(world.ports, options, handler, nullptr, Log());
    auto listener = world.network.listen(at(80), {});
    scope.spawn(server->serve(std::move(*listener)));
    world.loop.run();
  }
  void stop() {
    if (!server) return;
    if (!std::exchange(drained, true)) scope.spawn(server->drain(world.loop.now()));
    world.loop.advance(60s);
    EXPECT_EQ(server->connections(), 0u);
    EXPECT_EQ(scope.running(), 0u);
    server.reset();
  }
  std::unique_ptr<FakeStream> dial() {
    auto stream = world.network.dial(at(80));
    world.loop.run();
    return stream;
  }
  // Sends, and returns what comes back without time passing.
  std::string say(FakeStream& stream, std::string_view text) {
    stream.send(text);
    world.loop.run();
    return without_date(stream.take());
  }
  static std::string without_date(std::string text) {
    for (size_t at = text.find(kDate); at != text.npos; at = text.find(kDate))
      text.erase(at, kDate.size() + 8);
    return text;
  }

  World world;
  TestHandler handler{world.loop};
  std::unique_ptr<Server> server;
  runtime::Scope scope;
  bool drained = false;
};
INSTANTIATE_TEST_SUITE_P(Waking, ServerTest, testing::Bool());

const std::string kHello = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
const std::string kHelloClose =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";

TEST_P(ServerTest, AnswersAndKeepsTheConnection) {
  start();
  auto client = dial();
  client->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  world.loop.run();
  std::string raw = client->take();
  EXPECT_NE(raw.find(kDate), raw.npos);
  EXPECT_EQ(without_date(raw), kHello);
  EXPECT_EQ(say(*client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), kHello);
  EXPECT_EQ(server->connections(), 1u);
  EXPECT_EQ(server->requests_in_flight(), 0u);
}

TEST_P(ServerTest, ServesPipelinedRequestsInOrder) {
  start();
  auto client = dial();
  EXPECT_EQ(say(*client,
                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
                "GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n"
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n"
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nab" + kHello +
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nc" + kHelloClose);
  EXPECT_TRUE(client->at_end());
  EXPECT_FALSE(client->was_reset());
}

TEST_P(ServerTest, WorksWhenEachByteComesAlone) {
  world.network.options.max_read = 1;
  start();
  auto client = dial();
  EXPECT_EQ(say(*client,
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                "chunked\r\n\r\n2;x=y\r\nab\r\n3\r\ncde\r\n0\r\nT: 1\r\n\r\n"
                "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nabcde" + kHello);
}

TEST_P(ServerTest, SendsHeadAndFirstBodyBytesInOneWrite) {
  start();
  auto [client, theirs] = FakeStream::pair(world.loop);
  FakeStream* raw = theirs.get();
  struct One final : runtime::Listener {
    explicit One(std::unique_ptr<runtime::Stream> s) : stream(std::move(s)) {}
    runtime::Task<Result<std::unique_ptr<runtime::Stream>>> accept() override {
      if (!stream) co_return Error(Code::closed, "closed");
      co_return std::move(stream);
    }
    void close() override {}
    Endpoint local_endpoint() const override { return {}; }
    std::unique_ptr<runtime::Stream> stream;
  };
  scope.spawn(server->serve(std::make_unique<One>(std::move(theirs))));
  EXPECT_EQ(say(*client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), kHello);
  EXPECT_EQ(raw->writes(), 1u);
}

TEST_P(ServerTest, StreamsInChunksOrUntilCloseByVersion) {
  start();
  auto client = dial();
  EXPECT_EQ(say(*client, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
  EXPECT_EQ(say(*client, "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(say(*client, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(say(*client, "GET /empty HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(say(*client, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: keep-alive\r\nContent-Length: "
            "5\r\n\r\nhello");
  EXPECT_EQ(say(*client, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nonetwo");
  EXPECT_TRUE(client->at_end());
}

TEST_P(ServerTest, SendsAHeadThatWaitsForItsBody) {
  start();
  auto client = dial();
  EXPECT_EQ(say(*client, "GET /drip HTTP/1.1\r\nHost: a\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  world.loop.advance(1s);
  EXPECT_EQ(client->take(), "3\r\none\r\n");
  world.loop.advance(1s);
  EXPECT_EQ(client->take(), "3\r\ntwo\r\n0\r\n\r\n");
}

TEST_P(ServerTest, RefusesAmbiguityWith400AndCloses) {
  start();
  auto client = dial();
  std::string answer =
      say(*client,
          "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
          "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(answer,
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: "
            "12\r\n\r\nBad Request\n");
  EXPECT_TRUE(client->at_end());
  EXPECT_EQ(handler.handled, 0u);
}

TEST_P(ServerTest, RefusesLargeHeadsByStatus) {
  ServerOptions options;
  options.max_head_bytes = 1024;
  start(options);
  EXPECT_TRUE(
      say(*dial(), "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(5000, 'x')).starts_with("HTTP/1.1 431 "));
  EXPECT_TRUE(say(*dial(), "GET /" + std::string(9000, 'x')).starts_with("HTTP/1.1 4"));
  EXPECT_TRUE(say(*dial(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").starts_with("HTTP/1.1 505 "));
  EXPECT_EQ(handler.handled, 0u);
}

TEST_P(ServerTest, TakesAHeadOfExactlyTheLimit) {
  ServerOptions options;
  options.max_head_bytes = 4096;
  start(options);
  auto client = dial();
  std::string head = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  head += std::string(4096 - head.size() - 4, 'x') + "\r\n\r\n";
  EXPECT_EQ(say(*client, head), kHello);
  EXPECT_EQ(say(*client, "\r\n" + head + head), kHello + kHello);
}

TEST_P(ServerTest, DiscardsASmallUnreadBodyAndClosesAfterALargeOne) {
  start();
  auto client = dial();
  EXPECT_EQ(
      say(*client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n" + std::string(60000, 'x')),
      kHello);
  EXPECT_EQ(say(*client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), kHello);
  EXPECT_EQ(
      say(*client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n" + std::string(70000, 'x')),
      kHello);
  EXPECT_TRUE(client->at_end());
  EXPECT_FALSE(client->was_reset());
}

TEST_P(ServerTest, AsksForAnExpectedBodyOnlyWhenItIsRead) {
  start();
  auto client = dial();
  std::string head = " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  EXPECT_EQ(say(*client, "POST /echo" + head), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(say(*client, "ab"), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nab");
  EXPECT_EQ(say(*client, "POST /echo" + head + "cd"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\ncd");
  // Not read: whether the body comes is unknown, so the connection ends.
  EXPECT_EQ(say(*client, "POST /" + head), kHello);
  EXPECT_TRUE(client->at_end());
}

TEST_P(ServerTest, TellsTheHandlerOfABrokenBody) {
  start();
  auto client = dial();
  std::string answer =
      say(*client, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
  EXPECT_EQ(answer, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 8\r\n\r\nbad body");
  EXPECT_TRUE(client->at_end());
  auto other = dial();
  say(*other, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
  other->close();
  world.loop.run();
  EXPECT_EQ(handler.errors, (std::vector<std::string>{"protocol client", "reset client"}));
}

TEST_P(ServerTest, AnswersForAHandlerThatDidNot) {
  start();
  auto client = dial();
  EXPECT_TRUE(say(*client, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 500 "));
  EXPECT_TRUE(say(*client, "GET /split HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 500 "));
  EXPECT_EQ(handler.errors, std::vector<std::string>{"invalid"});
  EXPECT_EQ(say(*client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), kHello);
}

TEST_P(ServerTest, CutsAnAnswerThatWasNotFinished) {
  start();
  for (std::string path : {"/cut", "/abort"}) {
    auto client = dial();
    EXPECT_EQ(say(*client, "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"),
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n");
    EXPECT_TRUE(client->at_end());
  }
  EXPECT_EQ(handler.errors, std::vector<std::string>{"closed"});
}

TEST_P(ServerTest, AbortsFromOutsideMidStream) {
  start();
  auto client = dial();
  say(*client, "GET /drip HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_NE(handler.current, nullptr);
  handler.current->abort();
  world.loop.run();
  EXPECT_TRUE(client->at_end());
  world.loop.advance(5s);
  EXPECT_EQ(handler.errors, (std::vector<std::string>{"closed", "closed"}));
  EXPECT_EQ(server->connections(), 0u);
}

TEST_P(ServerTest, HandsOverAnUpgradedConnectionWithItsEarlyBytes) {
  start();
  auto client = dial();
  EXPECT_EQ(say(*client,
                "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly"),
            "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nConnection: Upgrade\r\nUpgrade: "
            "websocket\r\n\r\nearly");
  EXPECT_EQ(say(*client, "more"), "more");
  EXPECT_EQ(server->requests_in_flight(), 1u);
  handler.current->abort();
  world.loop.run();
  EXPECT_TRUE(client->at_end());
  EXPECT_EQ(handler.errors, std::vector<std::string>{"closed"});
  EXPECT_EQ(server->connections(), 0u);
}

TEST_P(ServerTest, RefusesAnUpgradeNobodyAskedFor) {
  start();
  auto client = dial();
  EXPECT_TRUE(say(*client, "GET /upgrade HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 500 "));
  EXPECT_EQ(handler.errors, std::vector<std::string>{"invalid"});
}

TEST_P(ServerTest, EndsSlowClientsByEachDeadline) {
  start();
  auto silent = dial();
  auto slow_head = dial();
  auto slow_body = dial();
  auto idle = dial();
  say(*slow_head, "GET / HT");
  say(*slow_body, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
  say(*idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  world.loop.advance(4s);
  slow_head->send("TP/1.1\r\nHost: a\r\n");  // progress is no excuse: the head has one deadline
  EXPECT_FALSE(silent->at_end());
  world.loop.advance(1100ms);
  EXPECT_TRUE(silent->at_end());
  EXPECT_TRUE(slow_head->at_end());
  EXPECT_FALSE(slow_body->at_end());
  EXPECT_TRUE(handler.errors.empty());
  idle->take();
  world.loop.advance(54s);
  EXPECT_FALSE(idle->at_end());
  world.loop.advance(1s);
  EXPECT_TRUE(idle->at_end());
}

TEST_P(ServerTest, WaitsForABodyNoLongerThanTheReadTimeout) {
  struct Reader final : Handler {
    runtime::Task<void> handle(Exchange& exchange) override {
      Bytes buffer(100);
      for (;;) {
        auto n = co_await exchange.body().read(buffer);
        if (!n) code = n.error().code();
        if (!n || *n == 0) break;
      }
      exchange.abort();
    }
    std::optional<Code> code;
  } reader;
  ServerOptions options;
  server = make_server(world.ports, options, reader, nullptr, Log());
  auto listener = world.network.listen(at(80), {});
  scope.spawn(server->serve(std::move(*listener)));
  auto client = dial();
  client->send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
  for (int i = 0; i < 19; ++i) {
    world.loop.advance(1s);
    client->send("x");
  }
  EXPECT_FALSE(reader.code);
  world.loop.advance(2s);
  EXPECT_EQ(reader.code, Code::timeout);
  stop();
}

TEST_P(ServerTest, EndsAClientThatStopsReadingButNotASlowOne) {
  world.network.options.capacity = 64 << 10;
  start();
  auto stuck = dial();
  auto slow = dial();
  stuck->send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  slow->send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  std::string got;
  for (int i = 0; i < 40; ++i) {
    world.loop.advance(10s);
    got += slow->take();
  }
  EXPECT_GT(got.size(), 1u << 20);
  EXPECT_TRUE(got.ends_with("xx"));
  stuck->take();
  EXPECT_TRUE(stuck->at_end());
}

TEST_P(ServerTest, ClosesConnectionsAboveItsLimit) {
  ServerOptions options;
  options.max_connections = 2;
  start(options);
  auto one = dial();
  auto two = dial();
  auto three = dial();
  EXPECT_TRUE(three->at_end());
  EXPECT_EQ(say(*one, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), kHello);
  one->close();
  world.loop.run();
  EXPECT_EQ(say(*dial(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), kHello);
}

TEST_P(ServerTest, DrainsIdleConnectionsAtOnceAndBusyOnesWithTheirAnswer) {
  start();
  auto idle = dial();
  auto fresh = dial();
  auto busy = dial();
  say(*idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  say(*busy, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  auto half = dial();
  say(*half, "GET / HTTP/1.1\r\n");
  drained = true;
  scope.spawn(server->drain(world.loop.now() + 30s));
  world.loop.run();
  EXPECT_TRUE(idle->at_end());
  EXPECT_TRUE(fresh->at_end());
  EXPECT_EQ(server->connections(), 2u);
  EXPECT_EQ(say(*half, "Host: a\r\n\r\n"), kHelloClose);
  world.loop.advance(10s);
  EXPECT_EQ(
      without_date(busy->take()),
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 4\r\n\r\nslow");
  world.loop.advance(2s);
  EXPECT_EQ(server->connections(), 0u);
  EXPECT_EQ(scope.running(), 0u);
}

TEST_P(ServerTest, CutsWhatIsLeftAtTheDrainDeadline) {
  start();
  auto busy = dial();
  auto upgraded = dial();
  say(*busy, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  say(*upgraded, "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  drained = true;
  scope.spawn(server->drain(world.loop.now() + 2s));
  world.loop.advance(1s);
  EXPECT_FALSE(busy->at_end());
  world.loop.advance(1s);
  EXPECT_TRUE(busy->at_end());
  EXPECT_TRUE(upgraded->at_end());
  EXPECT_EQ(server->connections(), 1u);  // whose handler still sleeps
  world.loop.advance(8s);
  EXPECT_EQ(scope.running(), 0u);
}

// At the deadline the end of one request may end the others: here each handler, cut off, aborts the rest.
struct Chained final : Handler {
  runtime::Task<void> handle(Exchange& exchange) override {
    open.insert(&exchange);
    Bytes buffer(100);
    for (;;) {
      auto n = co_await exchange.body().read(buffer);
      if (!n || *n == 0) break;
    }
    open.erase(&exchange);
    while (!open.empty()) (*open.extract(open.begin()).value()).abort();
  }
  std::set<Exchange*> open;
};

runtime::Task<void> drain_and_destroy(std::unique_ptr<Server>& server, MonoTime deadline) {
  co_await server->drain(deadline);
  server.reset();
}

TEST_P(ServerTest, MayBeDestroyedAsSoonAsItsDrainHasEnded) {
  Chained chained;
  ServerOptions options;
  options.read_timeout = 0s;
  server = make_server(world.ports, options, chained, nullptr, Log());
  auto listener = world.network.listen(at(80), {});
  scope.spawn(server->serve(std::move(*listener)));
  std::vector<std::unique_ptr<FakeStream>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(dial());
    say(*clients.back(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
  }
  EXPECT_EQ(chained.open.size(), 3u);
  scope.spawn(drain_and_destroy(server, world.loop.now() + 2s));
  world.loop.advance(1s);
  EXPECT_NE(server, nullptr);
  world.loop.advance(1s);
  EXPECT_EQ(server, nullptr);
  EXPECT_EQ(scope.running(), 0u);
  for (auto& client : clients) EXPECT_TRUE(client->at_end());
}

TEST_P(ServerTest, EndsItsDrainWithTheLastConnectionAndNotAtTheDeadline) {
  start();
  auto busy = dial();
  say(*busy, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  scope.spawn(drain_and_destroy(server, world.loop.now() + 1h));
  world.loop.advance(12s);
  EXPECT_EQ(server, nullptr);
  EXPECT_EQ(scope.running(), 0u);
}

}  // namespace
}  // namespace kith::http
