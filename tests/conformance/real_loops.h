// Worker loops on threads of their own, for suites whose subject is asked from several of them at once.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <thread>
#include <vector>

#include "platform/runtime.h"
#include "runtime/scope.h"

namespace kith {

class RealLoops {
 public:
  using Make = std::function<runtime::Task<void>(runtime::Loop&)>;

  explicit RealLoops(size_t count) : runtime_(count), scopes_(count) {
    for (size_t i = 0; i < count; ++i) ports_.push_back(&runtime_.worker_ports(i));
    runtime_.start();
  }
  // Nothing runs any more: what uses the loops may go, then the loops.
  void stop() {
    runtime_.stop();
    runtime_.join();
  }

  size_t count() const { return ports_.size(); }
  const std::vector<runtime::Ports*>& ports() const { return ports_; }

  // Starts make(loop) on a loop; the future is ready when its task has ended.
  std::future<void> start(size_t loop, Make make) {
    auto ended = std::make_shared<std::promise<void>>();
    std::future<void> future = ended->get_future();
    runtime_.worker(loop).post([this, loop, make = std::move(make), ended = std::move(ended)] {
      scopes_[loop].spawn(body(make, runtime_.worker(loop), ended));
    });
    return future;
  }

 private:
  static runtime::Task<void> body(Make make, runtime::Loop& loop, std::shared_ptr<std::promise<void>> ended) {
    co_await make(loop);
    ended->set_value();
  }

  platform::Runtime runtime_;
  std::vector<runtime::Scope> scopes_;
  std::vector<runtime::Ports*> ports_;
};

}  // namespace kith
