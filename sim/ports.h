// The runtime's ports for one simulated process: what src/platform is for a real one. Outlives whatever
// runs on it; a ghost's owner (see world.h) first lets its tasks end, then destroys it, then this.
#pragma once

#include "runtime/disk.h"
#include "runtime/dns.h"
#include "runtime/ports.h"
#include "sim/wire.h"
#include "sim/world.h"

namespace kith::sim {

class ProcessPorts final : public runtime::Loop,
                           public runtime::Network,
                           public runtime::Resolver,
                           public runtime::Dns,
                           public runtime::Entropy,
                           public runtime::Files,
                           public runtime::Disk,
                           public runtime::Pool {
 public:
  explicit ProcessPorts(Process& process);
  runtime::Ports ports() { return {*this, *this, *this, *this, *this, *this}; }
  Process& process() const { return process_; }

  // Clock, Loop
  MonoTime now() const override { return world_.now(); }
  WallTime wall_now() const override { return world_.wall_now(process_.host()); }
  void post(std::function<void()> fn) override;
  runtime::Timer call_at(MonoTime when, std::function<void()> fn) override;
  bool on_this_thread() const override { return true; }  // all of the world is one thread

  // Network. ListenOptions are of no matter here: a shared address is not modelled.
  Result<std::unique_ptr<runtime::Listener>> listen(const Endpoint& at,
                                                    const runtime::ListenOptions& options) override;
  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> connect(Endpoint to, MonoTime deadline) override;

  // Resolver: World::names(), after a latency.
  runtime::Task<Result<std::vector<IpAddress>>> resolve(std::string host, runtime::Family family,
                                                        MonoTime deadline) override;
  // DNS: World::services() and World::names(), after a latency.
  runtime::Task<Result<std::vector<runtime::ServiceRecord>>> services(std::string name,
                                                                      runtime::DnsOptions options) override;
  runtime::Task<Result<std::vector<std::vector<IpAddress>>>> addresses(std::vector<std::string> hosts,
                                                                       runtime::DnsOptions options) override;

  void fill(MutableByteView out) override;

  // Files of the host; they outlive the process.
  Result<std::string> read(const std::string& path, size_t max_bytes) override;
  Result<void> write(const std::string& path, std::string_view content, uint32_t mode) override;
  Result<void> create(const std::string& path, std::string_view content, uint32_t mode) override;
  bool exists(const std::string& path) override;

  // Disk: the host's.
  Result<std::unique_ptr<runtime::DiskLock>> lock(const std::string& folder) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Result<std::unique_ptr<runtime::DiskReader>> open(const std::string& path) override;
  Result<std::unique_ptr<runtime::DiskWriter>> create(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  runtime::Pool& pool() override { return *this; }

  // Pool: an event of its own.
  bool submit(std::function<void()> work, runtime::Loop& loop, std::function<void()> done) override;

 private:
  Process& process_;
  World& world_;
  Random entropy_;
};

}  // namespace kith::sim
