// IoLoop: a runtime::Loop on one thread over epoll, with the network and the resolver that belong to it.
// now() and wall_now() are taken once per round on the loop's own thread: a coroutine sees no time pass
// before it waits.
#pragma once

#include <memory>

#include "platform/pool.h"
#include "runtime/ports.h"

namespace kith::runtime {
class Dns;
}

namespace kith::platform {

// Addresses this process listens on through shared listeners, so that the first one can tell whether
// another process has the port. Shared by the loops of a process; thread-safe.
class SharedPorts;
std::shared_ptr<SharedPorts> make_shared_ports();

struct LoopState;

class IoLoop final : public runtime::Loop {
 public:
  // The pool runs name look-ups; it outlives the loop.
  IoLoop(ThreadPool& pool, std::shared_ptr<SharedPorts> shared_ports);
  ~IoLoop() override;

  // Runs on the calling thread until stop(). Called once.
  void run();
  // From any thread; what is still posted is dropped.
  void stop();

  MonoTime now() const override;
  WallTime wall_now() const override;
  void post(std::function<void()> fn) override;
  runtime::Timer call_at(MonoTime when, std::function<void()> fn) override;
  bool on_this_thread() const override;

  runtime::Network& network();
  runtime::Resolver& resolver();
  // Asks DNS itself (runtime/dns.h). Outlived by the loop.
  std::unique_ptr<runtime::Dns> dns();
  // A network of one place: whatever address is asked for, it is the Unix socket at this path, which only
  // the user of this process may open (mode 0600). listen() replaces a socket that nobody serves any more,
  // fails with conflict when somebody does, and takes the socket away when the listener is closed;
  // connect() fails with not_found or refused when nobody serves. Outlived by the loop.
  std::unique_ptr<runtime::Network> local_network(std::string path);

  // Calls fn(signal number) on this loop for each of the signals, until the loop goes.
  void on_signal(std::initializer_list<int> signals, std::function<void(int)> fn);

 private:
  std::unique_ptr<LoopState> state_;
};

}  // namespace kith::platform
