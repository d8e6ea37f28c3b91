// Internal to platform/: the reactor behind an IoLoop, as its sockets see it.
//
// Each descriptor is registered with epoll once, edge-triggered, for both directions, and keeps what the
// kernel said last. A coroutine waits only when its operation could not go on, so in steady state a
// request costs its reads and writes and a share of one epoll_wait, with no system call to re-arm.
#pragma once

#include <array>
#include <atomic>
#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <coroutine>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "platform/fd.h"
#include "platform/io_loop.h"
#include "platform/signals.h"

namespace kith::platform {

// How a wait for readiness ended.
enum class Wake : uint8_t { ready, timeout, closed };

// One direction of one descriptor: at most one coroutine waits here. In the wheel while it has a
// deadline, in the loop's list of those that yielded while it only lets others go first.
struct Waiter : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  std::coroutine_handle<> handle;
  MonoTime deadline = kNever;
  Wake outcome = Wake::ready;

  // Ends the present wait, if there is one, and resumes the coroutine.
  void wake(Wake how) {
    if (!handle) return;
    unlink();
    outcome = how;
    std::exchange(handle, {}).resume();
  }
};
using WaiterList = boost::intrusive::list<Waiter, boost::intrusive::constant_time_size<false>>;

// Deadlines of socket operations: a hashed wheel with one coarse tick, so that setting and cancelling
// one costs two pointer writes instead of a timer (most are cancelled long before they pass).
// A deadline passes at most one tick late. (Varghese and Lauck, scheme 6.)
class DeadlineWheel {
 public:
  static constexpr Duration kTick = 50ms;

  void add(Waiter& waiter) { bucket(waiter.deadline).push_back(waiter); }
  void advance(MonoTime now);
  void start(MonoTime now) { next_ = tick_of(now); }
  MonoTime next() const { return MonoTime((next_ + 1) * kTick); }

 private:
  static constexpr size_t kBuckets = 1024;
  static int64_t tick_of(MonoTime time) { return time.time_since_epoch() / kTick; }
  WaiterList& bucket(MonoTime time) { return buckets_[static_cast<size_t>(tick_of(time)) % kBuckets]; }

  std::array<WaiterList, kBuckets> buckets_;
  int64_t next_ = 0;  // the first tick that was not advanced over yet
};

// The timers of one loop, ordered by time and then by age. The caller's handle is the node of the tree.
class TimerQueue {
 public:
  ~TimerQueue() { timers_.clear(); }  // handles that outlive the loop find themselves unlinked
  runtime::Timer add(MonoTime when, std::function<void()> fn);
  MonoTime next() const { return timers_.empty() ? kNever : timers_.begin()->when; }
  // Runs what is due; a timer added meanwhile waits for the next call.
  void run(MonoTime now);

 private:
  struct Node final
      : runtime::TimerHandle,
        boost::intrusive::set_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    MonoTime when;
    uint64_t age = 0;
    std::function<void()> fn;
    bool operator<(const Node& other) const {
      return when != other.when ? when < other.when : age < other.age;
    }
  };

  boost::intrusive::set<Node, boost::intrusive::constant_time_size<false>> timers_;
  uint64_t next_age_ = 0;
};

struct LoopState;

// A descriptor registered with a loop. Whoever drops one gives it to LoopState::retire, since events
// of the present round may still name it.
class Channel {
 public:
  Channel(LoopState& loop, int fd);  // owns fd
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  int fd() const { return fd_; }
  bool closed() const { return fd_ < 0; }
  // Wakes both waiters within the call. Idempotent.
  void close();
  void on_events(uint32_t events);

  // What the kernel said last. An operation is tried while its flag is set and clears it on EAGAIN.
  bool readable = false;
  bool writable = false;
  bool hung_up = false;  // no more edges will come for reading: the end, or an error, is there to be read

  // False when this channel has had its share of this round: a peer that never pauses must not keep
  // the loop from the others. The next readiness wait then lasts until the next round.
  bool may_go_on();

  struct Readiness {
    Channel& channel;
    Waiter& waiter;
    MonoTime deadline;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle);
    Wake await_resume() const noexcept { return waiter.outcome; }
  };
  Readiness until_readable(MonoTime deadline) { return {*this, reader_, deadline}; }
  Readiness until_writable(MonoTime deadline) { return {*this, writer_, deadline}; }

 private:
  LoopState& loop_;
  int fd_;
  Waiter reader_;
  Waiter writer_;
  uint64_t round_ = 0;  // the loop's round in which operations_ were counted
  uint32_t operations_ = 0;
};

struct LoopState {
  LoopState(IoLoop& owner, ThreadPool& threads, std::shared_ptr<SharedPorts> ports);
  ~LoopState();

  void run();
  void post(std::function<void()> fn);
  void stop();
  // Closes the channel now and frees it when no event can name it any more. May be null.
  void retire(std::unique_ptr<Channel> channel);
  bool on_this_thread() const { return thread.load(std::memory_order_relaxed) == std::this_thread::get_id(); }

  IoLoop& self;
  ThreadPool& pool;
  std::shared_ptr<SharedPorts> shared_ports;
  Fd epoll;
  std::atomic<std::thread::id> thread;  // of run(); asked for by other threads too
  MonoTime now{};                       // of this round
  WallTime wall_now{};
  uint64_t round = 0;
  DeadlineWheel wheel;
  TimerQueue timers;
  WaiterList yielded;  // resumed in the next round
  std::vector<std::function<void()>> round_ends;
  std::unique_ptr<runtime::Network> network;
  std::unique_ptr<runtime::Resolver> resolver;
  std::unique_ptr<SignalPipe> signals;

 private:
  void wait();
  void run_posted();
  void resume_yielded();
  void end_round();

  std::atomic<bool> stopped_{false};
  std::vector<std::function<void()>> posted_here_;
  std::vector<std::unique_ptr<Channel>> retired_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_elsewhere_;  // guarded by mutex_
  Fd wake_up_;                                           // an eventfd, written when posted_elsewhere_ fills
  bool woken_ = false;
};

// Runs fn when the present round of this thread's loop is over: what many events of a round have in
// common is done once. False when no loop runs on this thread.
bool at_end_of_round(std::function<void()> fn);

std::unique_ptr<runtime::Network> make_network(LoopState& loop);
std::unique_ptr<runtime::Resolver> make_resolver(LoopState& loop);

}  // namespace kith::platform
