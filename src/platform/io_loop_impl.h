// Internal to platform/: the state behind an IoLoop, as its sockets and timers see it.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/signal_set.hpp>
#include <boost/intrusive/list.hpp>
#include <coroutine>
#include <thread>

#include "platform/asio_config.h"
#include "platform/io_loop.h"

namespace kith::platform {

// How a wait for readiness ended.
enum class Wake : uint8_t { ready, timeout, closed };

// One direction of one descriptor: at most one coroutine waits here. It lives inside the socket's
// shared state, so that a late completion of Asio finds it, sees another generation and goes away.
struct Waiter : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  std::coroutine_handle<> handle;
  uint64_t generation = 0;
  MonoTime deadline = kNever;
  Wake outcome = Wake::ready;

  // Ends the present wait, if there is one, and resumes the coroutine.
  void wake(Wake how) {
    if (!handle) return;
    unlink();
    ++generation;
    outcome = how;
    std::exchange(handle, {}).resume();
  }
};

// Deadlines of socket operations: a hashed wheel with one coarse tick, so that setting and cancelling
// one costs two pointer writes instead of a timer (most are cancelled long before they pass).
// A deadline passes at most one tick late. (Varghese and Lauck, scheme 6.)
class DeadlineWheel {
 public:
  static constexpr Duration kTick = 50ms;

  void add(Waiter& waiter) { bucket(waiter.deadline).push_back(waiter); }
  void advance(MonoTime now);
  void start(MonoTime now) { next_ = tick_of(now); }

 private:
  using List = boost::intrusive::list<Waiter, boost::intrusive::constant_time_size<false>>;
  static constexpr size_t kBuckets = 1024;
  static int64_t tick_of(MonoTime time) { return time.time_since_epoch() / kTick; }
  List& bucket(MonoTime time) { return buckets_[static_cast<size_t>(tick_of(time)) % kBuckets]; }

  std::array<List, kBuckets> buckets_;
  int64_t next_ = 0;  // the first tick that was not advanced over yet
};

struct IoLoop::Impl {
  Impl(IoLoop& owner, ThreadPool& threads, std::shared_ptr<SharedPorts> ports);
  ~Impl();

  void tick();

  IoLoop& self;
  ThreadPool& pool;
  std::shared_ptr<SharedPorts> shared_ports;
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<Executor> work{context.get_executor()};
  std::atomic<std::thread::id> thread;  // asked for by other threads too
  DeadlineWheel wheel;
  SteadyTimer ticker{context};
  std::unique_ptr<runtime::Network> network;
  std::unique_ptr<runtime::Resolver> resolver;
  std::unique_ptr<boost::asio::signal_set> signals;
};

std::unique_ptr<runtime::Network> make_network(IoLoop::Impl& loop);
std::unique_ptr<runtime::Resolver> make_resolver(IoLoop::Impl& loop);

}  // namespace kith::platform
