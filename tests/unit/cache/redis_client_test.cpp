// The client against servers that say what a test wants them to: what real ones say rarely, or never.
#include "cache/redis_client.h"

#include <gtest/gtest.h>

#include "../platform/on_a_loop.h"
#include "resp/request_parser.h"
#include "resp/request_writer.h"

namespace kith::cache {
namespace {

using platform::IoLoop;
using platform::run_on_a_loop;
using runtime::Ports;
using runtime::Task;

// Answers commands on a loopback port with bytes, whatever they are. HELLO and CLUSTER SLOTS have answers
// already.
class FakeRedis {
 public:
  // "" closes the connection.
  using Answer = std::function<std::string(const std::vector<std::string>& args)>;

  FakeRedis(Ports& ports, Answer answer) : ports_(ports), answer_(std::move(answer)) {
    auto listener = ports.network.listen({IpAddress::v4(127, 0, 0, 1), 0});
    EXPECT_TRUE(listener);
    listener_ = std::move(*listener);
    address_ = {"127.0.0.1", listener_->local_endpoint().port};
    scope_.spawn(accept());
  }
  Task<void> stop() {
    listener_->close();
    for (runtime::Stream* stream : open_) stream->close();
    co_await scope_.close();
  }

  const RedisAddress& address() const { return address_; }
  std::string text() const { return "127.0.0.1:" + std::to_string(address_.port); }
  std::string slots = "-ERR This instance has cluster support disabled\r\n";
  std::string hello = "%1\r\n+role\r\n+master\r\n";
  std::vector<std::string> heard;  // the commands' names
  int connections = 0;

 private:
  Task<void> accept() {
    for (;;) {
      auto stream = co_await listener_->accept();
      if (!stream) co_return;
      if (!scope_.stopping()) scope_.spawn(serve(std::move(*stream)));
    }
  }
  std::string answer(const std::vector<std::string>& args) {
    if (args[0] == "HELLO") return hello;
    if (args[0] == "CLUSTER") return slots;
    heard.push_back(args[0]);
    return args[0] == "ASKING" ? "+OK\r\n" : answer_(args);
  }
  Task<void> serve(std::unique_ptr<runtime::Stream> stream) {
    ++connections;
    runtime::Stream* raw = stream.get();
    open_.push_back(raw);
    resp::RequestParser parser;
    for (bool on = true; on;) {
      std::string out;
      while (on && parser.next() == resp::RequestParser::State::command) {
        const std::string reply = answer({parser.args().begin(), parser.args().end()});
        on = !reply.empty();
        out += reply;
      }
      if (!out.empty()) {
        auto sent = co_await stream->write_all(as_bytes(out), kNever);
        if (!sent) break;
      }
      if (!on) break;
      const MutableByteView room = parser.space();
      auto n = co_await stream->read(room, kNever);
      if (!n || *n == 0) break;
      parser.commit(*n);
    }
    std::erase(open_, raw);
  }

  Ports& ports_;
  Answer answer_;
  std::unique_ptr<runtime::Listener> listener_;
  RedisAddress address_;
  std::vector<runtime::Stream*> open_;
  runtime::Scope scope_;
};

FakeRedis::Answer always(std::string reply) {
  return [reply](const auto&) { return reply; };
}

std::string map_of(const FakeRedis& server) {
  return "*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$9\r\n127.0.0.1\r\n:" + std::to_string(server.address().port) +
         "\r\n$1\r\nx\r\n";
}

std::shared_ptr<const RedisConfig> config_for(std::vector<RedisAddress> addresses, Duration patience = 10s) {
  auto config = std::make_shared<RedisConfig>();
  config->addresses = std::move(addresses);
  config->connect_timeout = config->command_timeout = patience;
  return config;
}

// "text" of a reply, or "code: message" of a failure.
Task<std::string> get(RedisClient& client) {
  Bytes command;
  resp::append_command(command, {"GET", "key"});
  const std::string key = "key";
  auto reply = co_await client.call(key, command, kNever);
  if (!reply) co_return std::string(to_string(reply.error().code())) + ": " + reply.error().message();
  co_return reply->text;
}

// The servers of a test, and what it does with them on a loop.
template <size_t N>
using Servers = std::array<std::unique_ptr<FakeRedis>, N>;

template <size_t N, class Test>
void with_servers(const std::array<FakeRedis::Answer, N>& answers, Test test) {
  struct Body {
    static Task<void> run(Ports& ports, std::array<FakeRedis::Answer, N> said, Test body) {
      Servers<N> servers;
      for (size_t i = 0; i < N; ++i) servers[i] = std::make_unique<FakeRedis>(ports, said[i]);
      co_await body(ports, servers);
      for (auto& server : servers) co_await server->stop();
    }
  };
  run_on_a_loop([&](Ports& ports, IoLoop&) { return Body::run(ports, answers, test); });
}

TEST(RedisClient, AsksOneServerOverOneConnection) {
  struct Body {
    static Task<void> run(Ports& ports, Servers<1>& servers) {
      RedisClient client(ports, config_for({servers[0]->address()}), Log());
      for (int i = 0; i < 5; ++i) {
        const std::string got = co_await get(client);
        EXPECT_EQ(got, "value");
      }
      EXPECT_EQ(servers[0]->connections, 1);
    }
  };
  with_servers<1>({always("$5\r\nvalue\r\n")}, Body::run);
}

TEST(RedisClient, PassesOverWhatNobodyAskedFor) {
  struct Body {
    static Task<void> run(Ports& ports, Servers<1>& servers) {
      RedisClient client(ports, config_for({servers[0]->address()}), Log());
      const std::string got = co_await get(client);
      EXPECT_EQ(got, "value");
    }
  };
  with_servers<1>({always(">1\r\n+invalidate\r\n|1\r\n+a\r\n+b\r\n$5\r\nvalue\r\n")}, Body::run);
}

TEST(RedisClient, DropsAConnectionThatSaysMoreThanItWasAsked) {
  struct Body {
    static Task<void> run(Ports& ports, Servers<1>& servers) {
      RedisClient client(ports, config_for({servers[0]->address()}), Log());
      for (int i = 0; i < 3; ++i) {
        const std::string got = co_await get(client);
        EXPECT_EQ(got, "value");
      }
      EXPECT_EQ(servers[0]->connections, 3);
    }
  };
  with_servers<1>({always("$5\r\nvalue\r\n$5\r\nother\r\n")}, Body::run);
}

TEST(RedisClient, WaitsForAServerThatSaysLater) {
  struct Body {
    static Task<void> run(Ports& ports, Servers<1>& servers) {
      RedisClient client(ports, config_for({servers[0]->address()}), Log());
      const std::string got = co_await get(client);
      EXPECT_EQ(got, "value");
      EXPECT_EQ(servers[0]->heard.size(), 4u);
    }
  };
  int asked = 0;
  with_servers<1>({[&asked](const auto&) -> std::string {
                    const char* const later[] = {"-LOADING x\r\n", "-TRYAGAIN x\r\n", "-CLUSTERDOWN x\r\n"};
                    return asked < 3 ? later[asked++] : "$5\r\nvalue\r\n";
                  }},
                  Body::run);
}

TEST(RedisClient, GivesUpWithTheWordsOfAServerThatSaysLaterForEver) {
  struct Body {
    static Task<void> run(Ports& ports, Servers<1>& servers) {
      RedisClient client(ports, config_for({servers[0]->address()}, 200ms), Log());
      const std::string got = co_await get(client);
      EXPECT_EQ(got, "unavailable: redis " + servers[0]->text() + ": LOADING the dataset");
    }
  };
  with_servers<1>({always("-LOADING the dataset\r\n")}, Body::run);
}

TEST(RedisClient, TriesADeadConnectionAnewAndThenFails) {
  struct Body {
    static Task<void> run(Ports& ports, Servers<1>& servers) {
      RedisClient client(ports, config_for({servers[0]->address()}), Log());
      const std::string got = co_await get(client);
      EXPECT_TRUE(got.starts_with("reset: redis")) << got;
      EXPECT_EQ(servers[0]->heard.size(), 2u);  // over the connection of the map, then over a fresh one
    }
  };
  with_servers<1>({always("")}, Body::run);
}

TEST(RedisClient, FailsForRepliesThatAreNoneAndGoesOn) {
  struct Body {
    static Task<void> run(Ports& ports, Servers<1>& servers) {
      RedisClient client(ports, config_for({servers[0]->address()}), Log());
      for (const char* expected : {"protocol", "limit", "limit", "protocol"}) {
        const std::string got = co_await get(client);
        EXPECT_TRUE(got.starts_with(expected)) << got;
      }
      const std::string got = co_await get(client);
      EXPECT_EQ(got, "value");
    }
  };
  int asked = 0;
  with_servers<1>({[&asked](const auto&) -> std::string {
                    const char* const replies[] = {"HTTP/1.1 400\r\n", "$99999999999\r\n", "*9999999999\r\n",
                                                   "$-2\r\n", "$5\r\nvalue\r\n"};
                    return replies[asked++];
                  }},
                  Body::run);
}

TEST(RedisClient, FollowsMovedForGoodAndAskOnce) {
  struct Body {
    static Task<void> run(Ports& ports, Servers<2>& servers) {
      for (auto& server : servers) server->slots = map_of(*servers[0]);
      RedisClient client(ports, config_for({servers[0]->address()}), Log());
      std::string got = co_await get(client);
      EXPECT_EQ(got, "value");
      EXPECT_EQ(servers[0]->heard.size(), 1u);
      EXPECT_EQ(servers[1]->heard, (std::vector<std::string>{"ASKING", "GET"}));
      got = co_await get(client);
      EXPECT_EQ(servers[0]->heard.size(), 2u);
      EXPECT_EQ(servers[1]->heard, (std::vector<std::string>{"ASKING", "GET", "GET"}));
      for (auto& server : servers) server->slots = map_of(*servers[1]);
      got = co_await get(client);
      EXPECT_EQ(got, "value");
      EXPECT_EQ(servers[1]->heard.size(), 4u);
    }
  };
  std::string target;
  int asked = 0;
  struct Start {
    static Task<void> run(Ports& ports, Servers<2>& servers, std::string& to) {
      to = servers[1]->text();
      co_await Body::run(ports, servers);
    }
  };
  with_servers<2>(
      {[&](const auto&) { return (asked++ == 0 ? "-ASK 1 " : "-MOVED 12539 ") + target + "\r\n"; },
       always("$5\r\nvalue\r\n")},
      [&](Ports& ports, Servers<2>& servers) { return Start::run(ports, servers, target); });
}

TEST(RedisClient, EndsWhenServersSendItRoundInCircles) {
  struct Body {
    static Task<void> run(Ports& ports, Servers<2>& servers, std::array<std::string, 2>& to) {
      to = {servers[1]->text(), servers[0]->text()};
      RedisClient client(ports, config_for({servers[0]->address()}, 500ms), Log());
      const std::string got = co_await get(client);
      EXPECT_TRUE(got.starts_with("unavailable: redis 127.0.0.1")) << got;
      EXPECT_LT(servers[0]->heard.size() + servers[1]->heard.size(), 20u);
    }
  };
  std::array<std::string, 2> to;
  const auto sends_to = [&to](size_t i) {
    return [&to, i](const auto&) { return "-MOVED 12539 " + to[i] + "\r\n"; };
  };
  with_servers<2>({sends_to(0), sends_to(1)},
                  [&](Ports& ports, Servers<2>& servers) { return Body::run(ports, servers, to); });
}

TEST(RedisClient, TakesNoMapThatMakesNoSense) {
  struct Body {
    static Task<void> run(Ports& ports, Servers<2>& servers) {
      servers[0]->slots = "*1\r\n*1\r\n:99999\r\n";
      servers[1]->slots = map_of(*servers[1]);
      RedisClient client(ports, config_for({servers[0]->address(), servers[1]->address()}), Log());
      const std::string got = co_await get(client);
      EXPECT_EQ(got, "second");
    }
  };
  const FakeRedis::Answer first = always("$5\r\nfirst\r\n"), second = always("$6\r\nsecond\r\n");
  with_servers<2>({first, second}, Body::run);
}

TEST(RedisClient, KeepsAwayFromReplicasWhereThereIsAPrimary) {
  struct Body {
    static Task<void> run(Ports& ports, Servers<2>& servers) {
      servers[0]->hello = "*2\r\n+role\r\n+replica\r\n";
      RedisClient client(ports, config_for({servers[0]->address(), servers[1]->address()}), Log());
      const std::string got = co_await get(client);
      EXPECT_EQ(got, "new");
      RedisClient alone(ports, config_for({servers[0]->address()}), Log());
      const std::string old = co_await get(alone);
      EXPECT_EQ(old, "old");
    }
  };
  const FakeRedis::Answer first = always("$3\r\nold\r\n"), second = always("$3\r\nnew\r\n");
  with_servers<2>({first, second}, Body::run);
}

}  // namespace
}  // namespace kith::cache
