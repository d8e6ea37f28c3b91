// The process's threads: one control loop (the cluster), worker loops (connections), and small pools, for work
// (Ports::pool), for looking up names and for the disk.
//
//   Runtime runtime(workers);
//   runtime.start();                        // the workers run
//   runtime.control().run();                // on the main thread, until stop()
//   runtime.join();
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "platform/io_loop.h"
#include "platform/pool.h"
#include "platform/system.h"
#include "platform/system_disk.h"

namespace kith::platform {

class Runtime {
 public:
  explicit Runtime(size_t workers);
  ~Runtime();

  void start();
  // Stops all loops; from any thread.
  void stop();
  // After stop(): waits for the worker threads.
  void join();

  IoLoop& control() { return *control_; }
  const IoLoop& control() const { return *control_; }
  size_t worker_count() const { return workers_.size(); }
  IoLoop& worker(size_t index) { return *workers_[index]; }
  runtime::Disk& disk() { return disk_; }
  runtime::Ports& control_ports() { return *control_ports_; }
  runtime::Ports& worker_ports(size_t index) { return *worker_ports_[index]; }

 private:
  std::unique_ptr<runtime::Ports> ports_of(IoLoop& loop);

  SystemEntropy entropy_;
  SystemFiles files_;
  ThreadPool pool_;
  ThreadPool look_ups_;
  ThreadPool disk_pool_;
  SystemDisk disk_;
  std::shared_ptr<SharedPorts> shared_ports_;
  std::unique_ptr<IoLoop> control_;
  std::vector<std::unique_ptr<IoLoop>> workers_;
  std::unique_ptr<runtime::Ports> control_ports_;
  std::vector<std::unique_ptr<runtime::Ports>> worker_ports_;
  std::vector<std::thread> threads_;
};

}  // namespace kith::platform
