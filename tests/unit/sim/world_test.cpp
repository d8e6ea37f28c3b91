#include "sim/world.h"

#include <gtest/gtest.h>

#include "sim/wire.h"

namespace kith::sim {
namespace {

TEST(World, RunsEventsByTimeAndThenByOrder) {
  World world(1);
  std::string seen;
  world.after(2ms, [&] { seen += "c"; });
  world.after(1ms, [&] { seen += "a"; });
  world.after(1ms, [&] { seen += "b"; });
  world.run_for(10ms);
  EXPECT_EQ(seen, "abc");
  EXPECT_EQ(world.now(), MonoTime(10ms));
}

TEST(World, HasTheSameHashForTheSameSeedAndHistoryOnly) {
  auto run = [](uint64_t seed, Duration delay) {
    World world(seed);
    world.after(delay, [] {});
    world.run_for(1s);
    return world.hash();
  };
  EXPECT_EQ(run(1, 1ms), run(1, 1ms));
  EXPECT_NE(run(1, 1ms), run(2, 1ms));
  EXPECT_NE(run(1, 1ms), run(1, 2ms));
}

TEST(World, SkipsWhatWasCancelled) {
  World world(1);
  auto cancel = std::make_shared<bool>(false);
  bool ran = false;
  world.at(
      world.now() + 1ms, [&] { ran = true; }, nullptr, cancel);
  *cancel = true;
  world.run_for(1s);
  EXPECT_FALSE(ran);
}

TEST(World, HoldsBackAPausedProcessAndKeepsItsOrder) {
  World world(1);
  Process& process = world.start(world.add_host("a"));
  std::string seen;
  world.after(
      1ms, [&] { seen += "a"; }, &process);
  world.after(
      2ms, [&] { seen += "b"; }, &process);
  world.pause(process);
  world.run_for(1s);
  EXPECT_EQ(seen, "");
  world.resume(process);
  world.after(
      0ms, [&] { seen += "c"; }, &process);
  world.run_for(0ms);
  EXPECT_EQ(seen, "abc");
}

TEST(World, StopsWhenAConditionHolds) {
  World world(1);
  bool done = false;
  world.after(5ms, [&] { done = true; });
  EXPECT_TRUE(world.run_while_not([&] { return done; }, 1s));
  EXPECT_EQ(world.now(), MonoTime(5ms));
  EXPECT_FALSE(world.run_while_not([] { return false; }, 1s));
  EXPECT_EQ(world.now(), MonoTime(1005ms));
}

TEST(World, GivesEachHostItsOwnWallClock) {
  World world(1);
  Host& right = world.add_host("right");
  Host& wrong = world.add_host("wrong");
  wrong.wall_offset = -1h;
  EXPECT_EQ(world.wall_now(right) - world.wall_now(wrong), 1h);
}

// Two hosts, one connection, what each side saw.
class Wired : public testing::Test {
 protected:
  Wired() : a(world.add_host("a")), b(world.add_host("b")), client(&world.start(a)), server(&world.start(b)) {
    listen();
  }
  void listen() {
    auto at = world.wires().listen(*server, {b.address, 80}, [this](std::unique_ptr<Wire> wire) {
      accepted = std::move(wire);
      accepted->handle({[this](Bytes data) { server_saw += to_string(data); },
                        [this](WireEnd end) { ended(server_saw, end); },
                        {}});
    });
    ASSERT_TRUE(at);
  }
  void connect(Duration limit = 10s, uint16_t port = 80) {
    world.wires().connect(*client, {b.address, port}, world.now() + limit, [this](auto wire) {
      if (!wire) {
        failure = wire.error().code();
        return;
      }
      connected = *std::move(wire);
      connected->handle({[this](Bytes data) { client_saw += to_string(data); },
                         [this](WireEnd end) { ended(client_saw, end); },
                         {}});
    });
  }
  static void ended(std::string& saw, WireEnd end) { saw += end == WireEnd::fin ? "<fin>" : "<reset>"; }

  World world{1};
  Host& a;
  Host& b;
  Process* client;
  Process* server;
  std::unique_ptr<Wire> connected, accepted;
  std::string client_saw, server_saw;
  std::optional<Code> failure;
};

TEST_F(Wired, CarriesBytesInOrderBothWays) {
  connect();
  world.run_for(10ms);
  ASSERT_TRUE(connected && accepted);
  for (char c = 'a'; c <= 'z'; ++c) connected->send(Bytes{static_cast<uint8_t>(c)});
  accepted->send(to_bytes("answer"));
  world.run_for(10ms);
  EXPECT_EQ(server_saw, "abcdefghijklmnopqrstuvwxyz");
  EXPECT_EQ(client_saw, "answer");
  EXPECT_EQ(accepted->remote(), connected->local());
}

TEST_F(Wired, EndsWithFinAfterTheLastByte) {
  connect();
  world.run_for(10ms);
  connected->send(to_bytes("last"));
  connected->close();
  world.run_for(10ms);
  EXPECT_EQ(server_saw, "last<fin>");
  accepted->send(to_bytes("too late"));  // nobody is there: RST
  world.run_for(10ms);
  EXPECT_EQ(server_saw, "last<fin><reset>");
  EXPECT_FALSE(accepted->send(to_bytes("x")));
}

TEST_F(Wired, RefusesWhereNobodyListens) {
  connect(10s, 81);
  world.run_for(10ms);
  EXPECT_EQ(failure, Code::refused);
}

TEST_F(Wired, FindsNoRouteToAHostThatDoesNotExist) {
  world.wires().connect(*client, {IpAddress::v4(192, 0, 2, 1), 80}, world.now() + 10s,
                        [this](auto wire) { failure = wire.error().code(); });
  world.run_for(10s);
  EXPECT_EQ(failure, Code::unreachable);
}

TEST_F(Wired, TimesOutAcrossAPartitionAndConnectsWhenItHealsInTime) {
  world.split({&a}, {&b});
  connect(1s);
  world.run_for(2s);
  EXPECT_EQ(failure, Code::timeout);
  connect(10s);
  world.run_for(2s);
  world.heal();
  world.run_for(2s);  // the SYN is tried again
  EXPECT_TRUE(connected != nullptr);
}

TEST_F(Wired, DeliversAfterAPartitionWhatWasSentInIt) {
  connect();
  world.run_for(10ms);
  world.split({&a}, {&b});
  connected->send(to_bytes("patient"));
  world.run_for(1min);
  EXPECT_EQ(server_saw, "");
  world.heal();
  world.run_for(1s);
  EXPECT_EQ(server_saw, "patient");
}

TEST_F(Wired, ShowsPeersThatAProcessWasKilled) {
  connect();
  world.run_for(10ms);
  world.kill(*server);
  world.run_for(10ms);
  EXPECT_EQ(client_saw, "<fin>");
  connected.reset();
  connect();
  world.run_for(10ms);
  EXPECT_EQ(failure, Code::refused);
  EXPECT_FALSE(accepted->send(to_bytes("a ghost says nothing")));
}

TEST_F(Wired, ShowsNobodyThatAMachineLostPowerUntilItIsBack) {
  connect();
  world.run_for(10ms);
  world.power_off(b);
  connected->send(to_bytes("hello?"));
  world.run_for(1min);
  EXPECT_EQ(client_saw, "");
  world.power_on(b);
  world.run_for(1s);
  EXPECT_EQ(client_saw, "<reset>");
}

TEST_F(Wired, ConnectsToAPausedProcessWhichHearsOfItLater) {
  world.pause(*server);
  connect();
  world.run_for(1s);
  ASSERT_TRUE(connected != nullptr);
  connected->send(to_bytes("queued"));
  world.run_for(1s);
  EXPECT_TRUE(accepted == nullptr);
  world.resume(*server);
  world.run_for(1ms);
  EXPECT_EQ(server_saw, "queued");
}

TEST_F(Wired, KeepsAnAddressToOneListener) {
  auto again = world.wires().listen(*server, {b.address, 80}, [](auto) {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Code::conflict);
  world.kill(*server);
  server = &world.start(b);
  listen();
  connect();
  world.run_for(10ms);
  EXPECT_TRUE(connected && accepted);
}

}  // namespace
}  // namespace kith::sim
