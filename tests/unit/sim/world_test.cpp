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

TEST(World, LetsTheClocksOfAHostDrift) {
  World world(1);
  Host& right = world.add_host("right");
  Host& fast = world.add_host("fast");
  fast.drift_ppm = 500;
  world.run_for(1000s);
  EXPECT_EQ(world.now(fast) - world.now(right), 500ms);
  EXPECT_EQ(world.wall_now(fast) - world.wall_now(right), 500ms);
  MonoTime wanted = world.now(fast) + 10s;
  world.run_until(world.when_it_is(wanted, fast));
  EXPECT_GE(world.now(fast), wanted);
  EXPECT_LT(world.now(fast), wanted + 1ms);
}

TEST(Callback, MovesWhatItHoldsAndDestroysItOnce) {
  auto held = std::make_shared<int>(0);
  std::array<char, 200> large{};
  Callback small = [held] { ++*held; };
  Callback big = [held, large] { *held += 10 + large[0]; };
  Callback moved = std::move(small);
  EXPECT_FALSE(small);
  moved();
  big();
  EXPECT_EQ(*held, 11);
  moved = std::move(big);
  moved();
  EXPECT_EQ(*held, 21);
  moved.reset();
  EXPECT_EQ(held.use_count(), 1);
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
      accepted->handle({[this](ByteView data) { server_saw += to_string(data); },
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
      connected->handle({[this](ByteView data) { client_saw += to_string(data); },
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
  world.run_for(20s);  // the last try was at 51.0 s, the next one is at 102.2 s
  EXPECT_EQ(server_saw, "");
  world.run_for(23s);
  EXPECT_EQ(server_saw, "patient");
}

TEST_F(Wired, StallsBothWaysWhenOneWayIsLost) {
  connect();
  world.run_for(10ms);
  world.set_deaf(b, true);
  EXPECT_FALSE(world.whole());
  connected->send(to_bytes("to"));
  accepted->send(to_bytes("fro"));
  world.run_for(1s);
  EXPECT_EQ(server_saw + client_saw, "");
  world.set_deaf(b, false);
  world.run_for(1s);
  EXPECT_EQ(server_saw + client_saw, "tofro");
  world.set_mute(b, true);
  connected->send(to_bytes("more"));
  world.run_for(1s);
  EXPECT_EQ(server_saw, "to");
  world.heal();
  world.run_for(1s);
  EXPECT_EQ(server_saw, "tomore");
  EXPECT_TRUE(world.whole());
}

TEST_F(Wired, IsSlowWhereMuchIsLost) {
  a.loss_per_mille = 800;
  connect(1min);
  world.run_for(1min);
  ASSERT_TRUE(connected && accepted);
  MonoTime sent = world.now();
  for (int i = 0; i < 20; ++i) connected->send(to_bytes("x"));
  world.run_while_not([&] { return server_saw.size() == 20; }, 1h);
  EXPECT_GT(world.now() - sent, 1s);
}

TEST_F(Wired, CarriesAllBytesThroughPartialReads) {
  connect();
  world.run_for(10ms);
  world.network().partial_per_mille = 900;
  std::string all;
  for (int i = 0; i < 50; ++i) {
    all += "segment " + std::to_string(i) + ";";
    connected->send(to_bytes("segment " + std::to_string(i) + ";"));
  }
  connected->shutdown();
  world.run_for(10s);
  EXPECT_EQ(server_saw, all + "<fin>");
}

TEST_F(Wired, IsAsSlowAsTheHostsBandwidth) {
  connect();
  world.run_for(10ms);
  a.bytes_per_second = 1000;
  connected->send(Bytes(2000));
  world.run_for(1900ms);
  EXPECT_EQ(server_saw, "");
  world.run_for(200ms);
  EXPECT_EQ(server_saw.size(), 2000u);
}

TEST_F(Wired, MayBeResetInBetween) {
  connect();
  world.run_for(10ms);
  connected->send(to_bytes("lost"));
  EXPECT_TRUE(world.wires().reset_one(a));
  world.run_for(10ms);
  EXPECT_EQ(server_saw + client_saw, "<reset><reset>");
}

TEST_F(Wired, MayBeForgottenInBetween) {
  connect();
  world.run_for(10ms);
  EXPECT_TRUE(world.wires().forget_one(b));
  EXPECT_FALSE(world.wires().forget_one(b));  // it had just this one
  connected->send(to_bytes("lost"));
  connected->close();
  world.run_for(1h);
  EXPECT_EQ(server_saw + client_saw, "");
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
  world.run_for(1min);
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
