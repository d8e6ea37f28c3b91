// A few threads for blocking or long work (password hashing, name look-ups).
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/ports.h"

namespace kith::platform {

class ThreadPool final : public runtime::Pool {
 public:
  // A full queue refuses work: the caller answers "busy" instead of piling up.
  ThreadPool(size_t threads, size_t max_queued);
  ~ThreadPool() override;
  // Finishes what runs, drops what waits, takes no more. Before the loops that it answers go.
  void stop();

  bool submit(std::function<void()> work, runtime::Loop& loop, std::function<void()> done) override;

 private:
  struct Job {
    std::function<void()> work;
    runtime::Loop* loop;
    std::function<void()> done;
  };
  void run();

  const size_t max_queued_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace kith::platform
