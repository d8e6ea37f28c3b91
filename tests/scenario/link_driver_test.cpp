// A link whose stream fails inside the calls made on it, as real sockets do.
#include "cluster/link_driver.h"

#include <gtest/gtest.h>

#include "crypto/tls.h"
#include "sim/ports.h"
#include "sim/world.h"

namespace kith::cluster {
namespace {

using runtime::Task;

// The peer behind it goes through the TLS handshake, says HELLO and then falls silent; two seconds later the
// connection breaks, as the next write finds.
class BrokenStream final : public runtime::Stream {
 public:
  BrokenStream(runtime::Loop& loop, mesh::Link peer, int& failed_writes)
      : loop_(loop), breaks_at_(loop.now() + 2s), peer_(std::move(peer)), failed_writes_(failed_writes) {}
  Task<Result<size_t>> read(MutableByteView buffer, MonoTime deadline) override {
    while (said_.empty() && !closed_) {
      const bool woken = co_await heard_.wait_until(loop_, deadline);
      if (!woken) break;
    }
    if (closed_) co_return Error(Code::closed, "closed");
    const size_t n = std::min(buffer.size(), said_.size());
    std::copy_n(said_.begin(), n, buffer.begin());
    said_.erase(said_.begin(), said_.begin() + static_cast<std::ptrdiff_t>(n));
    co_return n;
  }
  Task<Result<void>> write(std::span<const ByteView> pieces, MonoTime) override {
    if (loop_.now() >= breaks_at_) {
      ++failed_writes_;
      co_return Error(Code::closed, "broken");
    }
    const Bytes data(pieces[0].begin(), pieces[0].end());
    co_await runtime::sleep(loop_, 1ms);
    peer_.handle_input(data, loop_.now());
    const Bytes answer = peer_.poll_transmit();
    if (answers_++ == 0) append(said_, answer);
    heard_.notify_all();
    co_return Result<void>();
  }
  Task<Result<void>> shutdown() override { co_return Result<void>(); }
  void close() override {
    if (!std::exchange(closed_, true)) heard_.notify_all();
  }
  Endpoint local_endpoint() const override { return {}; }
  Endpoint remote_endpoint() const override { return {}; }

 private:
  runtime::Loop& loop_;
  const MonoTime breaks_at_;
  mesh::Link peer_;
  int& failed_writes_;
  Bytes said_;
  int answers_ = 0;
  bool closed_ = false;
  runtime::Event heard_;
};

struct NoOwner final : LinkDriver::Owner {
  void on_established(LinkDriver&, const mesh::Established&) override {}
  void on_message(LinkDriver&, const mesh::Message&) override {}
  void on_drained(LinkDriver&) override {}
  void on_finished(LinkDriver&) override {}
};

// The link of an acceptor with whom the dialler has come as far as its ClientHello, which goes to `first`.
mesh::Link accept(const mesh::LinkConfig& config, mesh::Link& dialler, Bytes& first, MonoTime now) {
  mesh::Entrance entrance(mesh::Port::membership, {3});
  while (!entrance.done()) {
    const Bytes said = dialler.poll_transmit();
    ByteView rest = said;
    entrance.handle_input(rest, *config.keyring);
    first.assign(rest.begin(), rest.end());
    dialler.handle_input(entrance.poll_transmit(), now);
  }
  return mesh::Link::accept(config, entrance.take(), now);
}

// The driver ends with its task, as those of a LinkTable do.
Task<void> serve(runtime::Loop& loop, std::unique_ptr<runtime::Stream> stream, mesh::Link link, Bytes first,
                 LinkDriver::Owner& owner, bool& over) {
  LinkDriver driver(loop, std::move(stream), std::move(link), false, owner, std::move(first));
  std::stop_source stop;
  co_await driver.run(stop.get_token());
  over = true;
}

// The time-out of a handshake has something to say; saying it ends the driver inside its own timer.
TEST(LinkDriver, MayEndInsideItsTimerWhenTheLastWordsCannotBeWritten) {
  sim::World world(1);
  sim::ProcessPorts ports(world.start(world.add_host("a")));
  mesh::LinkConfig config{.cluster = "main",
                          .key = crypto::SigningKey::from_seed(Bytes(32, 1)),
                          .incarnation = 1,
                          .boot_nonce = 1,
                          .record = {},
                          .keyring = std::make_shared<const mesh::Keyring>(
                              mesh::Keyring::of({crypto::Secret(Bytes(mesh::kPskSize, 7))})),
                          .tls = crypto::make_psk_context()};
  NoOwner owner;
  bool over = false;
  runtime::Scope scope;
  int failed_writes = 0;
  const mesh::LinkConfig own = config;
  config.key = crypto::SigningKey::from_seed(Bytes(32, 2));
  mesh::Link peer = mesh::Link::dial(config, {mesh::Channel::membership, {}}, Bytes(16, 4), ports.now());
  Bytes first;
  mesh::Link link = accept(own, peer, first, ports.now());
  scope.spawn(serve(ports, std::make_unique<BrokenStream>(ports, std::move(peer), failed_writes),
                    std::move(link), std::move(first), owner, over));
  world.run_for(mesh::kHandshakeTimeout - 100ms);
  EXPECT_FALSE(over);
  EXPECT_EQ(failed_writes, 0);
  world.run_for(1s);
  EXPECT_EQ(failed_writes, 1);
  EXPECT_TRUE(over);
}

}  // namespace
}  // namespace kith::cluster
