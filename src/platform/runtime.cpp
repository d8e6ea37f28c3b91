#include "platform/runtime.h"

namespace kith::platform {
namespace {
// Anybody may send passwords, so hashing must take neither all cores nor the threads that look up names,
// and its queue is short: a hash takes about 80 ms, and who would wait a second is told "busy" at once.
constexpr size_t kPoolThreads = 2;
constexpr size_t kPoolQueue = 16;
constexpr size_t kLookUpThreads = 4;  // they wait for DNS; each loop asks for a name once at a time
constexpr size_t kLookUpQueue = 256;
constexpr size_t kDiskThreads = 2;  // a journal's next frames do not wait for a snapshot's sync
constexpr size_t kDiskQueue = 256;
}  // namespace

Runtime::Runtime(size_t workers)
    : pool_(kPoolThreads, kPoolQueue),
      look_ups_(kLookUpThreads, kLookUpQueue),
      disk_pool_(kDiskThreads, kDiskQueue),
      disk_(disk_pool_),
      shared_ports_(make_shared_ports()) {
  control_ = std::make_unique<IoLoop>(look_ups_, shared_ports_);
  control_ports_ = ports_of(*control_);
  for (size_t i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<IoLoop>(look_ups_, shared_ports_));
    worker_ports_.push_back(ports_of(*workers_.back()));
  }
}

Runtime::~Runtime() {
  stop();
  join();
  pool_.stop();
  look_ups_.stop();
  disk_pool_.stop();
}

std::unique_ptr<runtime::Ports> Runtime::ports_of(IoLoop& loop) {
  return std::unique_ptr<runtime::Ports>(
      new runtime::Ports{loop, loop.network(), loop.resolver(), entropy_, files_, pool_});
}

void Runtime::start() {
  for (auto& worker : workers_) {
    IoLoop* loop = worker.get();
    threads_.emplace_back([loop] { loop->run(); });
  }
}

void Runtime::stop() {
  control_->stop();
  for (auto& worker : workers_) worker->stop();
}

void Runtime::join() {
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  threads_.clear();
}

}  // namespace kith::platform
