#include <gtest/gtest.h>

#include <csignal>
#include <future>

#include "on_a_loop.h"
#include "platform/runtime.h"
#include "runtime/scope.h"
#include "runtime/sync.h"

namespace kith::platform {
namespace {

using runtime::Ports;
using runtime::Stream;
using runtime::Task;

const Endpoint kAnyLoopbackPort{IpAddress::v4(127, 0, 0, 1), 0};

std::unique_ptr<runtime::Listener> listen(Ports& ports, const Endpoint& at = kAnyLoopbackPort) {
  auto listener = ports.network.listen(at);
  EXPECT_TRUE(listener) << listener.error().message();
  return std::move(*listener);
}

Task<void> echo(std::unique_ptr<runtime::Listener>& listener) {
  auto accepted = co_await listener->accept();
  if (!accepted) co_return;
  std::unique_ptr<Stream> stream = std::move(*accepted);
  Bytes buffer(4096);
  for (;;) {
    auto n = co_await stream->read(buffer, kNever);
    if (!n || *n == 0) break;
    auto sent = co_await stream->write_all(ByteView(buffer).first(*n), kNever);
    if (!sent) break;
  }
  (void)co_await stream->shutdown();
}

Task<void> send_all(Stream& stream, const Bytes& data) {
  std::vector<ByteView> pieces = {ByteView(data).first(1000), ByteView(), ByteView(data).subspan(1000)};
  auto sent = co_await stream.write(pieces, kNever);
  EXPECT_TRUE(sent);
  (void)co_await stream.shutdown();
}

TEST(Network, CarriesMegabytesBothWaysWithGatheredWritesAndHalfClose) {
  run_on_a_loop([](Ports& ports, IoLoop&) -> Task<void> {
    auto listener = listen(ports);
    runtime::Scope scope;
    scope.spawn(echo(listener));
    auto connected = co_await ports.network.connect(listener->local_endpoint(), ports.loop.now() + 5s);
    EXPECT_TRUE(connected);
    Bytes data(3 << 20);
    for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i * 31 + i / 997);
    scope.spawn(send_all(**connected, data));
    Bytes back, buffer(50'000);
    for (;;) {
      auto n = co_await (*connected)->read(buffer, ports.loop.now() + 10s);
      EXPECT_TRUE(n);
      if (!n || *n == 0) break;
      append(back, ByteView(buffer).first(*n));
    }
    EXPECT_EQ(back, data);
    co_await scope.close();
  });
}

TEST(Network, AStreamIsQuietUntilSomethingArrives) {
  run_on_a_loop([](Ports& ports, IoLoop&) -> Task<void> {
    auto listener = listen(ports);
    auto connected = co_await ports.network.connect(listener->local_endpoint(), kNever);
    auto accepted = co_await listener->accept();
    std::unique_ptr<Stream> a = std::move(*connected);
    std::unique_ptr<Stream> b = std::move(*accepted);
    EXPECT_TRUE(a->quiet());
    (void)co_await b->write_all(as_bytes("x"), kNever);
    (void)co_await runtime::sleep(ports.loop, 1ms);  // the loop hears of it in its next round
    EXPECT_FALSE(a->quiet());
    Bytes buffer(10);
    auto n = co_await a->read(buffer, kNever);
    EXPECT_TRUE(n && *n == 1 && a->quiet());
    (void)co_await b->shutdown();
    (void)co_await runtime::sleep(ports.loop, 1ms);
    EXPECT_FALSE(a->quiet());
    a->close();
    EXPECT_FALSE(a->quiet());
  });
}

TEST(Network, SaysRefusedWhenNobodyListens) {
  run_on_a_loop([](Ports& ports, IoLoop&) -> Task<void> {
    auto listener = listen(ports);
    Endpoint at = listener->local_endpoint();
    listener.reset();
    auto connected = co_await ports.network.connect(at, ports.loop.now() + 5s);
    EXPECT_FALSE(connected);
    EXPECT_EQ(connected ? Code::internal : connected.error().code(), Code::refused);
  });
}

TEST(Network, AReadEndsAtItsDeadline) {
  run_on_a_loop([](Ports& ports, IoLoop&) -> Task<void> {
    auto listener = listen(ports);
    auto connected = co_await ports.network.connect(listener->local_endpoint(), ports.loop.now() + 5s);
    Bytes buffer(10);
    MonoTime before = ports.loop.now();
    auto n = co_await (*connected)->read(buffer, before + 120ms);
    EXPECT_FALSE(n);
    EXPECT_EQ(n ? Code::internal : n.error().code(), Code::timeout);
    EXPECT_GE(ports.loop.now() - before, 120ms);
  });
}

Task<void> read_one(Stream& stream, Code& code) {
  Bytes buffer(10);
  auto n = co_await stream.read(buffer, kNever);
  if (!n) code = n.error().code();
}

TEST(Network, CloseCompletesThePendingReadWithClosed) {
  run_on_a_loop([](Ports& ports, IoLoop&) -> Task<void> {
    auto listener = listen(ports);
    auto connected = co_await ports.network.connect(listener->local_endpoint(), ports.loop.now() + 5s);
    Code code = Code::internal;
    runtime::Scope scope;
    scope.spawn(read_one(**connected, code));
    (*connected)->close();
    EXPECT_EQ(code, Code::closed);
    co_await scope.close();
  });
}

TEST(Network, ASharedPortIsRefusedWhenAnotherProcessHasItAndJoinedWhenWeDo) {
  Runtime ours(1), other(0);
  runtime::ListenOptions shared{.shared = true};
  auto first = ours.control_ports().network.listen(kAnyLoopbackPort, shared);
  ASSERT_TRUE(first);
  Endpoint at = (*first)->local_endpoint();
  auto second = ours.worker_ports(0).network.listen(at, shared);
  EXPECT_TRUE(second);
  auto foreign = other.control_ports().network.listen(at, shared);
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code(), Code::conflict);
}

TEST(Resolver, ResolvesLiteralsAndLocalhost) {
  run_on_a_loop([](Ports& ports, IoLoop&) -> Task<void> {
    auto literal = co_await ports.resolver.resolve("192.0.2.7", runtime::Family::any, kNever);
    EXPECT_TRUE(literal && literal->front() == IpAddress::v4(192, 0, 2, 7));
    auto local = co_await ports.resolver.resolve("localhost", runtime::Family::any, ports.loop.now() + 10s);
    EXPECT_TRUE(local && local->front().is_loopback());
    auto under = co_await ports.resolver.resolve("idp.LocalHost.", runtime::Family::v6, kNever);
    EXPECT_TRUE(under && under->size() == 1 && under->front() == *IpAddress::parse("::1"));
    auto none =
        co_await ports.resolver.resolve("no-such-name.invalid", runtime::Family::any, ports.loop.now() + 30s);
    EXPECT_FALSE(none);
  });
}

TEST(Resolver, DoesNotWaitForTheWorkOfThePool) {
  run_on_a_loop([](Ports& ports, IoLoop&) -> Task<void> {
    std::promise<void> gate;
    std::shared_future<void> opened = gate.get_future().share();
    size_t taken = 0;
    while (taken < 1000 && ports.pool.submit([opened] { opened.wait(); }, ports.loop, [] {})) ++taken;
    EXPECT_LT(taken, 30u) << "the queue is short";
    auto none =
        co_await ports.resolver.resolve("no-such-name.invalid", runtime::Family::any, ports.loop.now() + 30s);
    EXPECT_EQ(none ? Code::internal : none.error().code(), Code::unreachable);
    gate.set_value();
  });
}

TEST(Loop, PostsRunInOrderAndTimersCanBeCancelled) {
  run_on_a_loop([](Ports& ports, IoLoop&) -> Task<void> {
    std::vector<int> seen;
    auto cancelled = ports.loop.call_after(1ms, [&seen] { seen.push_back(99); });
    cancelled.reset();
    for (int i = 0; i < 3; ++i) ports.loop.post([&seen, i] { seen.push_back(i); });
    co_await runtime::sleep(ports.loop, 20ms);
    EXPECT_EQ(seen, (std::vector<int>{0, 1, 2}));
  });
}

Task<std::string> thread_name(Ports& ports) {
  co_await runtime::sleep(ports.loop, 1ms);
  co_return std::string(ports.loop.on_this_thread() ? "there" : "lost");
}

TEST(RunOn, RunsThereAndComesBack) {
  Runtime runtime(1);
  runtime.start();
  runtime::Scope scope;
  struct Body {
    static Task<void> run(Runtime& r) {
      auto make = [&r] { return thread_name(r.worker_ports(0)); };
      std::string where = co_await runtime::run_on<std::string>(r.control(), r.worker(0), make);
      EXPECT_EQ(where, "there");
      EXPECT_TRUE(r.control().on_this_thread());
      r.stop();
    }
  };
  runtime.control().post([&] { scope.spawn(Body::run(runtime)); });
  runtime.control().run();
  runtime.join();
}

TEST(Pool, MayBeAtWorkWhenTheRuntimeEnds) {
  auto runtime = std::make_unique<Runtime>(0);
  Ports& ports = runtime->control_ports();
  // A promise that is dropped with what the loop has not run.
  auto with_the_loop = std::make_shared<std::promise<void>>();
  auto dropped = std::make_shared<std::future<void>>(with_the_loop->get_future());
  ports.loop.post([kept = std::move(with_the_loop)] {});
  std::promise<void> at_work;
  ASSERT_TRUE(ports.pool.submit(
      [dropped, &at_work] {
        at_work.set_value();
        dropped->wait_for(200ms);
      },
      ports.loop, [] {}));
  at_work.get_future().wait();
  runtime.reset();  // the answer must not come to a loop that is gone
}

TEST(Pool, RunsWorkElsewhereAndAnswersOnTheLoop) {
  run_on_a_loop([](Ports& ports, IoLoop&) -> Task<void> {
    std::function<int()> work = [] { return 42; };
    auto answer = co_await runtime::run_in_pool<int>(ports.loop, ports.pool, work);
    EXPECT_EQ(answer, 42);
    EXPECT_TRUE(ports.loop.on_this_thread());
  });
}

}  // namespace
}  // namespace kith::platform
