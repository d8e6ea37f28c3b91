#include "http/client.h"

#include <gtest/gtest.h>

#include "fake_world.h"
#include "runtime/sync.h"

namespace kith::http {
namespace {

using namespace test;
using Sent = Result<std::unique_ptr<ClientResponse>>;

// A server of our own making: each accepted connection is kept, the test plays the other side by hand.
class Origin final {
 public:
  Origin(World& world, const Endpoint& where) : world_(world) {
    auto listener = world.network.listen(where, {});
    scope_.spawn(run(std::move(*listener)));
  }
  ~Origin() {
    listener_->close();
    world_.loop.run();
  }
  FakeStream& operator[](size_t index) { return *connections[index]; }
  std::vector<std::unique_ptr<FakeStream>> connections;

 private:
  runtime::Task<void> run(std::unique_ptr<runtime::Listener> listener) {
    listener_ = listener.get();
    for (;;) {
      auto stream = co_await listener->accept();
      if (!stream) break;
      connections.emplace_back(static_cast<FakeStream*>(stream->release()));
    }
  }
  World& world_;
  runtime::Listener* listener_ = nullptr;
  runtime::Scope scope_;
};

class PieceBody final : public BodyReader {
 public:
  explicit PieceBody(std::vector<std::string> pieces, bool fails = false)
      : pieces_(std::move(pieces)), fails_(fails) {}
  runtime::Task<Result<size_t>> read(MutableByteView buffer) override {
    if (next_ == pieces_.size()) {
      if (fails_) co_return Error(Code::reset, "the client went away", Side::client);
      co_return size_t{0};
    }
    const std::string& piece = pieces_[next_++];
    std::copy(piece.begin(), piece.end(), buffer.begin());
    co_return piece.size();
  }

 private:
  std::vector<std::string> pieces_;
  bool fails_;
  size_t next_ = 0;
};

class ClientTest : public testing::Test {
 protected:
  ClientTest() { world.resolver.names["app"] = {at(80).address}; }
  ~ClientTest() override {
    origin.reset();
    world.loop.run();
    EXPECT_EQ(scope.running(), 0u);
  }

  static ClientRequest get(std::string url = "http://app/x?y", std::string method = "GET") {
    ClientRequest request;
    request.url = *parse_url(url);
    request.head.method = std::move(method);
    return request;
  }
  static runtime::Task<void> keep(runtime::Task<Sent> task, std::optional<Sent>& out) {
    out.emplace(co_await std::move(task));
  }
  // Begins a request; its outcome appears in the result.
  std::optional<Sent>& begin(ClientRequest request) {
    outcomes.push_back(std::make_unique<std::optional<Sent>>());
    scope.spawn(keep(client->send(std::move(request)), *outcomes.back()));
    world.loop.run();
    return *outcomes.back();
  }
  std::string read_all(ClientResponse& response) {
    std::string text;
    Bytes buffer(7);
    for (;;) {
      auto n = *run_now(world.loop, response.body().read(buffer));
      if (!n) return text + "!" + std::string(to_string(n.error().code()));
      if (*n == 0) return text;
      text += as_text(ByteView(buffer).first(*n));
    }
  }
  // A whole exchange on the given connection of the origin.
  std::string exchange(size_t connection, ClientRequest request, std::string_view answer) {
    auto& outcome = begin(std::move(request));
    if (origin->connections.size() <= connection) return "no connection";
    (*origin)[connection].take();
    (*origin)[connection].send(answer);
    world.loop.run();
    if (!outcome) return "pending";
    if (!*outcome)
      return std::string(to_string(outcome->error().code())) + " " +
             std::string(to_string(outcome->error().side()));
    std::string text = read_all(***outcome);
    outcome.reset();
    return text;
  }

  World world;
  std::unique_ptr<Origin> origin = std::make_unique<Origin>(world, at(80));
  std::unique_ptr<Client> client = make_client(world.ports, {});
  std::vector<std::unique_ptr<std::optional<Sent>>> outcomes;
  runtime::Scope scope;
};

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST_F(ClientTest, SendsARequestAndReadsTheResponse) {
  ClientRequest request = get();
  request.head.headers.add("A", "b");
  request.head.headers.add("Host", "other");
  auto& outcome = begin(std::move(request));
  ASSERT_EQ(origin->connections.size(), 1u);
  EXPECT_EQ((*origin)[0].take(), "GET /x?y HTTP/1.1\r\nHost: app\r\nA: b\r\n\r\n");
  (*origin)[0].send(
      "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nX: y\r\n");
  world.loop.run();
  EXPECT_FALSE(outcome);
  (*origin)[0].send("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  world.loop.run();
  ASSERT_TRUE(outcome && *outcome);
  EXPECT_EQ((**outcome)->head().status, 404);
  EXPECT_EQ((**outcome)->head().headers.get("x"), "y");
  (*origin)[0].send("1\r\n!\r\n0\r\n\r\n");
  EXPECT_EQ(read_all(***outcome), "hello!");
}

TEST_F(ClientTest, ReusesTheConnectionUsedLast) {
  EXPECT_EQ(exchange(0, get(), kOk), "ok");
  EXPECT_EQ(exchange(0, get(), kOk), "ok");
  EXPECT_EQ(exchange(0, get("http://app/", "HEAD"), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), "");
  EXPECT_EQ(exchange(0, get(), "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), "");
  EXPECT_EQ(exchange(0, get(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"),
            "ab");
  EXPECT_EQ(exchange(0, get("http://app/", "POST"), kOk), "ok");
  EXPECT_EQ(origin->connections.size(), 1u);
  // Two at a time need two; afterwards the later one is taken first.
  begin(get());
  begin(get());
  ASSERT_EQ(origin->connections.size(), 2u);
  for (size_t i : {0, 1}) (*origin)[i].send(kOk);
  world.loop.run();
  for (size_t i : {0, 1}) EXPECT_EQ(read_all(****outcomes[outcomes.size() - 2 + i]), "ok");
  (*origin)[1].take();
  begin(get());
  EXPECT_NE((*origin)[1].take(), "");
  (*origin)[1].send(kOk);
  world.loop.run();
}

TEST_F(ClientTest, DoesNotReuseAConnectionThatEndedOrIsOutOfStep) {
  const std::string_view once[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
      "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
      // What follows the response would be taken for the answer to the next user's request.
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
  };
  size_t connection = 0;
  for (std::string_view answer : once) {
    EXPECT_EQ(exchange(connection++, get(), answer), "ok") << answer;
    world.loop.run();
  }
  // HEAD and 204 with a body all the same.
  EXPECT_EQ(
      exchange(connection++, get("http://app/", "HEAD"), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
      "");
  EXPECT_EQ(exchange(connection++, get(), "HTTP/1.1 204 No Content\r\n\r\nok"), "");
  // Bytes or an end that come while it is idle.
  EXPECT_EQ(exchange(connection, get(), kOk), "ok");
  (*origin)[connection++].send("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(exchange(connection, get(), kOk), "ok");
  (*origin)[connection++].close();
  EXPECT_EQ(exchange(connection, get("http://app/", "POST"), kOk), "ok");
  EXPECT_EQ(origin->connections.size(), connection + 1);
}

// NTLM and Negotiate (RFC 4559) log in the connection, not the request.
TEST_F(ClientTest, DoesNotReuseAConnectionThatIsSomebodys) {
  size_t connection = 0;
  for (std::string_view scheme : {"NTLM TlRM", "ntlm TlRM", "Negotiate YII=", "NEGOTIATE"}) {
    ClientRequest request = get();
    request.head.headers.add("authorization", scheme);
    EXPECT_EQ(exchange(connection++, std::move(request), kOk), "ok") << scheme;
  }
  for (std::string_view challenge : {"NTLM", "Negotiate", "Basic realm=\"a\", negotiate", "NTLM TlRM"}) {
    std::string answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nWWW-Authenticate: ";
    answer.append(challenge).append("\r\nContent-Length: 2\r\n\r\nno");
    EXPECT_EQ(exchange(connection++, get(), answer), "no") << challenge;
  }
  for (std::string_view scheme : {"Basic TlRM", "Bearer NTLM", "NTLMx"}) {
    ClientRequest request = get();
    request.head.headers.add("Authorization", scheme);
    EXPECT_EQ(exchange(connection, std::move(request), kOk), "ok") << scheme;
  }
  EXPECT_EQ(origin->connections.size(), connection + 1);
}

TEST_F(ClientTest, ReadsUntilCloseOnlyWhenNothingElseIsSaid) {
  auto& outcome = begin(get());
  (*origin)[0].take();
  (*origin)[0].send("HTTP/1.1 200 OK\r\n\r\nabc");
  (*origin)[0].close();
  world.loop.run();
  EXPECT_EQ(read_all(***outcome), "abc");
  for (std::string_view cut : {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
                               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"}) {
    auto& next = begin(get());
    origin->connections.back()->take();
    origin->connections.back()->send(cut);
    origin->connections.back()->close();
    world.loop.run();
    EXPECT_EQ(read_all(***next), "abc!reset");
  }
}

TEST_F(ClientTest, RefusesAmbiguousResponses) {
  EXPECT_EQ(exchange(0, get(), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"),
            "protocol upstream");
  EXPECT_EQ(exchange(1, get(), "<html>"), "protocol upstream");
  EXPECT_EQ(exchange(2, get(), "HTTP/1.1 200 OK\r\nX: " + std::string(40'000, 'x')), "protocol upstream");
  EXPECT_EQ(exchange(3, get(), "HTTP/1.1 101 Switching Protocols\r\n\r\n"), "protocol upstream");
  std::string interim;
  for (int i = 0; i < 20; ++i) interim += "HTTP/1.1 102 Processing\r\n\r\n";
  EXPECT_EQ(exchange(4, get(), interim), "protocol upstream");
  EXPECT_EQ(exchange(5, get(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "!protocol");
}

TEST_F(ClientTest, WorksWhenEachByteComesAlone) {
  world.network.options.max_read = 1;
  EXPECT_EQ(exchange(0, get(),
                     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
                     "chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n"),
            "ok");
  EXPECT_EQ(exchange(0, get(), kOk), "ok");
  EXPECT_EQ(origin->connections.size(), 1u);
}

TEST_F(ClientTest, StreamsARequestBodyByLengthOrInChunks) {
  PieceBody fixed({"abc", "de"});
  ClientRequest request = get("http://app/", "PUT");
  request.head.content_length = 5;
  request.body = &fixed;
  begin(std::move(request));
  EXPECT_EQ((*origin)[0].take(), "PUT / HTTP/1.1\r\nHost: app\r\nContent-Length: 5\r\n\r\nabcde");
  PieceBody chunks({"abc", std::string(20, 'x')});
  request = get("http://app/", "POST");
  request.head.chunked = true;
  request.body = &chunks;
  begin(std::move(request));
  EXPECT_EQ((*origin)[1].take(),
            "POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: "
            "chunked\r\n\r\n3\r\nabc\r\n14\r\nxxxxxxxxxxxxxxxxxxxx\r\n0\r\n\r\n");
  for (size_t i : {0, 1}) (*origin)[i].send(kOk);
  world.loop.run();
}

TEST_F(ClientTest, NeverSendsABodyOfAnotherLengthThanItSaid) {
  for (std::string piece : {"abcdef", "abc"}) {
    PieceBody body({piece});
    ClientRequest request = get("http://app/", "PUT");
    request.head.content_length = 5;
    request.body = &body;
    auto& outcome = begin(std::move(request));
    ASSERT_TRUE(outcome && !*outcome);
    EXPECT_EQ(outcome->error().code(), Code::internal);
    EXPECT_TRUE(origin->connections.back()->was_reset() || origin->connections.back()->at_end() ||
                !origin->connections.back()->take().empty());
  }
}

TEST_F(ClientTest, ReturnsTheFailureOfTheBodysReaderAsItIs) {
  PieceBody body({"abc"}, true);
  ClientRequest request = get("http://app/", "POST");
  request.head.chunked = true;
  request.body = &body;
  auto& outcome = begin(std::move(request));
  ASSERT_TRUE(outcome && !*outcome);
  EXPECT_EQ(outcome->error().side(), Side::client);
  EXPECT_EQ((*origin)[0].take().find("0\r\n\r\n"), std::string::npos);
}

TEST_F(ClientTest, TakesAnAnswerThatCameBeforeTheRequestWasWhole) {
  world.network.options.capacity = 1000;
  PieceBody body({std::string(900, 'x'), std::string(900, 'x'), std::string(900, 'x')});
  ClientRequest request = get("http://app/", "POST");
  request.head.chunked = true;
  request.body = &body;
  auto& outcome = begin(std::move(request));
  EXPECT_FALSE(outcome);
  (*origin)[0].send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
  (*origin)[0].take();
  (*origin)[0].stop_reading();
  world.loop.advance(100ms);
  ASSERT_TRUE(outcome && *outcome);
  EXPECT_EQ((**outcome)->head().status, 413);
  begin(get());
  EXPECT_EQ(origin->connections.size(), 2u);
  (*origin)[1].send(kOk);
  world.loop.run();
}

TEST_F(ClientTest, RetriesAnIdempotentRequestOnceWhenAKeptConnectionDies) {
  EXPECT_EQ(exchange(0, get(), kOk), "ok");
  auto& outcome = begin(get());
  (*origin)[0].reset();  // after the request was sent, before any answer
  world.loop.run();
  ASSERT_EQ(origin->connections.size(), 2u);
  EXPECT_EQ((*origin)[1].take(), "GET /x?y HTTP/1.1\r\nHost: app\r\n\r\n");
  (*origin)[1].reset();  // a fresh one is not tried again
  world.loop.run();
  ASSERT_TRUE(outcome && !*outcome);
  EXPECT_EQ(outcome->error().code(), Code::reset);
  EXPECT_EQ(outcome->error().side(), Side::upstream);
  EXPECT_EQ(origin->connections.size(), 2u);
}

TEST_F(ClientTest, DoesNotRetryWhatMayHaveHadAnEffect) {
  EXPECT_EQ(exchange(0, get(), kOk), "ok");
  auto& post = begin(get("http://app/", "POST"));
  (*origin)[0].reset();
  world.loop.run();
  ASSERT_TRUE(post && !*post);
  EXPECT_EQ(exchange(1, get(), kOk), "ok");
  PieceBody body({"abc"});
  ClientRequest request = get("http://app/", "PUT");
  request.head.content_length = 3;
  request.body = &body;
  auto& put = begin(std::move(request));
  (*origin)[1].reset();
  world.loop.run();
  ASSERT_TRUE(put && !*put);
  EXPECT_EQ(exchange(2, get(), kOk), "ok");
  auto& begun = begin(get());
  (*origin)[2].send("HTTP/1.1 2");
  (*origin)[2].shut();
  world.loop.run();
  ASSERT_TRUE(begun && !*begun);
  EXPECT_EQ(origin->connections.size(), 3u);
}

TEST_F(ClientTest, TriesAllAddresses) {
  world.resolver.names["many"] = {IpAddress::v4(10, 0, 0, 1), IpAddress::v4(10, 0, 0, 2), at(80).address};
  world.network.silent.insert({IpAddress::v4(10, 0, 0, 1), 80});
  auto& outcome = begin(get("http://many/"));
  world.loop.advance(5s);
  EXPECT_EQ(world.network.dialled.size(), 3u);
  ASSERT_EQ(origin->connections.size(), 1u);
  (*origin)[0].send(kOk);
  world.loop.run();
  EXPECT_TRUE(outcome && *outcome);
  auto& nobody = begin(get("http://10.0.0.9/"));
  ASSERT_TRUE(nobody && !*nobody);
  EXPECT_EQ(nobody->error().code(), Code::refused);
  auto& unknown = begin(get("http://unknown/"));
  ASSERT_TRUE(unknown && !*unknown);
  EXPECT_EQ(unknown->error().code(), Code::unreachable);
}

TEST_F(ClientTest, EndsEachWaitByItsDeadline) {
  ClientRequest request = get();
  request.head_timeout = 3s;
  request.body_timeout = 2s;
  auto& no_head = begin(get());
  no_head.reset();
  auto& head = begin(request);
  world.loop.advance(2900ms);
  EXPECT_FALSE(head);
  world.loop.advance(100ms);
  ASSERT_TRUE(head && !*head);
  EXPECT_EQ(head->error().code(), Code::timeout);

  auto& silent = begin(request);
  origin->connections.back()->send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
  world.loop.run();
  MonoTime before = world.loop.now();
  EXPECT_EQ(read_all(***silent), "abc!timeout");
  EXPECT_LE(world.loop.now() - before, 2100ms);

  request.total_timeout = 1s;
  auto& total = begin(request);
  world.loop.advance(1s);
  ASSERT_TRUE(total && !*total);
  EXPECT_EQ(total->error().code(), Code::timeout);
  world.loop.advance(30s);
}

TEST_F(ClientTest, ClosesKeptConnectionsThatAreNotUsed) {
  EXPECT_EQ(exchange(0, get(), kOk), "ok");
  world.loop.advance(49s);
  EXPECT_FALSE((*origin)[0].at_end());
  world.loop.advance(1s);
  EXPECT_TRUE((*origin)[0].at_end());
  EXPECT_EQ(exchange(1, get(), kOk), "ok");
}

TEST_F(ClientTest, DropsAConnectionWhoseBodyWasNotReadToItsEnd) {
  auto& outcome = begin(get());
  (*origin)[0].take();
  (*origin)[0].send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
  world.loop.run();
  outcome.reset();
  EXPECT_TRUE((*origin)[0].at_end());
  EXPECT_EQ(exchange(1, get(), kOk), "ok");
}

TEST_F(ClientTest, HandsOverAnUpgradedConnectionWithItsEarlyBytes) {
  ClientRequest request = get();
  request.head.upgrade = "websocket";
  auto& outcome = begin(std::move(request));
  EXPECT_EQ((*origin)[0].take(),
            "GET /x?y HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  (*origin)[0].send(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nearly");
  world.loop.run();
  ASSERT_TRUE(outcome && *outcome);
  std::unique_ptr<runtime::Stream> stream = (**outcome)->take_upgraded();
  outcome.reset();
  client.reset();
  Bytes buffer(100);
  auto n = *run_now(world.loop, stream->read(buffer, kNever));
  ASSERT_TRUE(n);
  EXPECT_EQ(as_text(ByteView(buffer).first(*n)), "early");
  (*origin)[0].send("more");
  n = *run_now(world.loop, stream->read(buffer, kNever));
  EXPECT_EQ(as_text(ByteView(buffer).first(*n)), "more");
}

class FetchTest : public ClientTest {
 protected:
  static runtime::Task<void> keep_whole(runtime::Task<Result<Client::Whole>> task,
                                        std::optional<Result<Client::Whole>>& out) {
    out.emplace(co_await std::move(task));
  }
  std::optional<Result<Client::Whole>> fetch(ClientRequest request, std::string body, std::string_view answer,
                                             size_t max) {
    std::optional<Result<Client::Whole>> out;
    runtime::Scope own;
    own.spawn(keep_whole(client->fetch(std::move(request), std::move(body), max), out));
    world.loop.run();
    sent = origin->connections.back()->take();
    origin->connections.back()->send(answer);
    world.loop.advance(61s);
    return out;
  }
  std::string sent;
};

TEST_F(FetchTest, BringsAWholeSmallBody) {
  auto whole = fetch(get("http://app/token", "POST"), "a=b", kOk, 2);
  ASSERT_TRUE(whole && *whole);
  EXPECT_EQ((*whole)->body, "ok");
  EXPECT_EQ(sent, "POST /token HTTP/1.1\r\nHost: app\r\nContent-Length: 3\r\n\r\na=b");
}

TEST_F(FetchTest, LimitsSizeAndTime) {
  auto large = fetch(get(), "", kOk, 1);
  ASSERT_TRUE(large && !*large);
  EXPECT_EQ(large->error().code(), Code::limit);
  auto chunked =
      fetch(get(), "", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 1);
  ASSERT_TRUE(chunked && !*chunked);
  EXPECT_EQ(chunked->error().code(), Code::limit);
  auto slow = fetch(get(), "", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", 10);
  ASSERT_TRUE(slow && !*slow);
  EXPECT_EQ(slow->error().code(), Code::timeout);
}

}  // namespace
}  // namespace kith::http
