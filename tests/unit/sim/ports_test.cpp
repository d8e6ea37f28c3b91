#include "sim/ports.h"

#include <gtest/gtest.h>

#include "runtime/scope.h"
#include "runtime/sync.h"

namespace kith::sim {
namespace {

using runtime::Scope;
using runtime::Stream;
using runtime::Task;

constexpr uint16_t kPort = 8080;

Task<void> echo(std::unique_ptr<runtime::Listener>& listener) {
  auto stream = co_await listener->accept();
  if (!stream) co_return;
  Bytes buffer(1000);
  while (true) {
    auto size = co_await (*stream)->read(buffer, kNever);
    if (!size || *size == 0) break;
    ByteView piece = ByteView(buffer).first(*size);
    auto done = co_await (*stream)->write_all(piece, kNever);
    if (!done) break;
  }
}

Task<void> talk(ProcessPorts& ports, Endpoint to, Bytes send, Bytes& received, std::optional<Code>& failure) {
  auto stream = co_await ports.connect(to, ports.now() + 5s);
  if (!stream) {
    failure = stream.error().code();
    co_return;
  }
  Bytes buffer(4096);
  size_t sent = 0;
  while (received.size() < send.size()) {
    if (sent < send.size() && sent - received.size() < 100'000) {  // never more than the windows hold
      size_t step = std::min<size_t>(send.size() - sent, 50'000);
      auto done = co_await (*stream)->write_all(ByteView(send).subspan(sent, step), ports.now() + 5s);
      if (!done) {
        failure = done.error().code();
        co_return;
      }
      sent += step;
    }
    auto size = co_await (*stream)->read(buffer, ports.now() + 5s);
    if (!size || *size == 0) {
      failure = size ? Code::closed : size.error().code();
      co_return;
    }
    append(received, ByteView(buffer).first(*size));
  }
}

Task<void> close_all(Scope& scope, bool& closed) {
  co_await scope.close();
  closed = true;
}

class SimPorts : public testing::Test {
 protected:
  SimPorts()
      : a(world.add_host("a")), b(world.add_host("b")), client(world.start(a)), server(world.start(b)) {}
  Endpoint at() const { return {b.address, kPort}; }
  void finish(Scope& scope) {
    bool closed = false;
    Scope last;
    last.spawn(close_all(scope, closed));
    world.run_for(1min);
    EXPECT_TRUE(closed);
  }

  World world{5};
  Host& a;
  Host& b;
  ProcessPorts client, server;
};

TEST_F(SimPorts, EchoesAMegabyteThroughStreamsWithWindows) {
  auto listener = server.listen(at(), {});
  ASSERT_TRUE(listener);
  Bytes send(1 << 20);
  client.fill(send);
  Bytes received;
  std::optional<Code> failure;
  Scope scope;
  scope.spawn(echo(*listener));
  scope.spawn(talk(client, at(), send, received, failure));
  world.run_for(10s);
  EXPECT_FALSE(failure.has_value());
  EXPECT_EQ(received, send);
  finish(scope);
}

TEST_F(SimPorts, RefusesConnectionsWhereNobodyListens) {
  Bytes received;
  std::optional<Code> failure;
  Scope scope;
  scope.spawn(talk(client, at(), Bytes{1}, received, failure));
  world.run_for(1s);
  EXPECT_EQ(failure, Code::refused);
  finish(scope);
}

Task<void> read_once(Stream& stream, ProcessPorts& ports, Duration limit, std::optional<Code>& failure) {
  Bytes buffer(10);
  auto size = co_await stream.read(buffer, ports.now() + limit);
  failure = size ? Code::internal : size.error().code();
}
Task<void> open(ProcessPorts& ports, Endpoint to, std::unique_ptr<Stream>& out) {
  auto stream = co_await ports.connect(to, kNever);
  if (stream) out = *std::move(stream);
}

TEST_F(SimPorts, EndsAReadAtItsDeadlineAndAtClose) {
  auto listener = server.listen(at(), {});
  std::unique_ptr<Stream> one, two;
  std::optional<Code> timed_out, closed;
  Scope scope;
  scope.spawn(open(client, at(), one));
  scope.spawn(open(client, at(), two));
  world.run_for(10ms);
  ASSERT_TRUE(one && two);
  scope.spawn(read_once(*one, client, 1s, timed_out));
  scope.spawn(read_once(*two, client, 10s, closed));
  world.run_for(2s);
  EXPECT_EQ(timed_out, Code::timeout);
  EXPECT_FALSE(closed.has_value());
  two->close();
  world.run_for(1ms);
  EXPECT_EQ(closed, Code::closed);
  finish(scope);
}

TEST_F(SimPorts, LetsTheTasksOfAKilledProcessEndUnseen) {
  auto listener = server.listen(at(), {});
  std::unique_ptr<Stream> stream;
  std::optional<Code> end;
  Scope scope;
  scope.spawn(open(client, at(), stream));
  world.run_for(10ms);
  ASSERT_TRUE(stream != nullptr);
  scope.spawn(read_once(*stream, client, 1min, end));
  world.kill(client.process());
  world.run_for(1ms);
  EXPECT_EQ(end, Code::reset);
  std::unique_ptr<Stream> another;
  scope.spawn(open(client, at(), another));
  world.run_for(1s);
  EXPECT_TRUE(another == nullptr);
  EXPECT_FALSE(client.listen({a.address, 1}, {}));
  EXPECT_FALSE(client.write("/f", "x", 0600));
  finish(scope);
}

Task<void> look_up(ProcessPorts& ports, std::string name, std::vector<IpAddress>& out) {
  auto found = co_await ports.resolve(std::move(name), runtime::Family::any, kNever);
  if (found) out = *std::move(found);
}

using Services = Result<std::vector<runtime::ServiceRecord>>;

Task<void> ask_services(ProcessPorts& ports, std::string name, MonoTime deadline,
                        std::optional<Services>& out) {
  runtime::DnsOptions options{.servers = {}, .deadline = deadline, .stop = {}};
  out.emplace(co_await ports.services(std::move(name), std::move(options)));
}

TEST_F(SimPorts, DnsTellsEachHostWhatTheWorldWantsItToHear) {
  world.services()["_x._tcp.test"] = [this](const Host& asking) -> Services {
    if (&asking != &client.process().host()) return Error(Code::timeout, "silence");
    return std::vector<runtime::ServiceRecord>{{"b", 9450, 1, 2}};
  };
  ProcessPorts other(world.start(b));
  std::optional<Services> told, silence, nobody;
  Scope scope;
  scope.spawn(ask_services(client, "_x._tcp.test", kNever, told));
  scope.spawn(ask_services(client, "_y._tcp.test", kNever, nobody));
  scope.spawn(ask_services(other, "_x._tcp.test", world.now() + 3s, silence));
  world.run_for(1s);
  ASSERT_TRUE(told && *told);
  EXPECT_EQ((*told)->front(), (runtime::ServiceRecord{"b", 9450, 1, 2}));
  ASSERT_TRUE(nobody && !*nobody);
  EXPECT_EQ(nobody->error().code(), Code::not_found);
  EXPECT_FALSE(silence) << "the asker's patience is not at its end";
  world.run_for(3s);
  ASSERT_TRUE(silence && !*silence);
  EXPECT_EQ(silence->error().code(), Code::timeout);
  finish(scope);
}

TEST_F(SimPorts, ResolveNamesOfHostsAndLiterals) {
  std::vector<IpAddress> name, literal, nobody;
  Scope scope;
  scope.spawn(look_up(client, "b", name));
  scope.spawn(look_up(client, "192.0.2.7", literal));
  scope.spawn(look_up(client, "nobody", nobody));
  world.run_for(1s);
  EXPECT_EQ(name, std::vector<IpAddress>{b.address});
  EXPECT_EQ(literal, (std::vector<IpAddress>{IpAddress::v4(192, 0, 2, 7)}));
  EXPECT_TRUE(nobody.empty());
  finish(scope);
}

TEST_F(SimPorts, KeepFilesOfAHostBeyondAProcess) {
  ASSERT_TRUE(client.create("/key", "one", 0600));
  EXPECT_EQ(client.create("/key", "two", 0600).error().code(), Code::conflict);
  world.kill(client.process());
  ProcessPorts next(world.start(a));
  EXPECT_EQ(next.read("/key", 100).value_or("none"), "one");
  EXPECT_EQ(next.read("/key", 2).error().code(), Code::limit);
  EXPECT_EQ(server.read("/key", 100).error().code(), Code::not_found);
}

TEST_F(SimPorts, FireTimersInOrderUnlessTheyAreDropped) {
  std::string seen;
  auto second = client.call_after(2s, [&] { seen += "2"; });
  auto first = client.call_after(1s, [&] { seen += "1"; });
  auto dropped = client.call_after(1s, [&] { seen += "x"; });
  dropped.reset();
  client.post([&] { seen += "0"; });
  EXPECT_TRUE(client.submit([&] { seen += "w"; }, client, [&] { seen += "d"; }));
  world.run_for(5s);
  EXPECT_EQ(seen, "0wd12");
}

}  // namespace
}  // namespace kith::sim
