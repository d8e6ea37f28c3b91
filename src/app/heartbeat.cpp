#include "app/heartbeat.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

namespace kith::app {
namespace {

Duration cpu_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  auto of = [](const timeval& time) { return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec); };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

// Resident memory; 0 where /proc is not mounted.
uint64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long long total = 0, resident = 0;
  int read = std::fscanf(file, "%llu %llu", &total, &resident);
  std::fclose(file);
  return read == 2 ? resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace

Heartbeat::Heartbeat(runtime::Loop& loop, Duration interval, Level level, std::string node, std::string version,
                     std::string config_version, Log log)
    : loop_(loop),
      interval_(interval),
      level_(level),
      node_(std::move(node)),
      version_(std::move(version)),
      config_version_(std::move(config_version)),
      log_(std::move(log)),
      last_(loop.now()),
      last_cpu_(cpu_time()),
      timer_(loop.call_after(interval, [this] { beat(); })) {}

void Heartbeat::beat() {
  MonoTime now = loop_.now();
  Duration cpu = cpu_time();
  double usage = static_cast<double>((cpu - last_cpu_).count()) / static_cast<double>((now - last_).count());
  last_ = now;
  last_cpu_ = cpu;
  log_.write(level_, "heartbeat",
             {{"node", node_},
              {"version", version_},
              {"config_version", config_version_},
              {"cpu_count", std::thread::hardware_concurrency()},
              {"cpu_usage", usage},
              {"total_memory", static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE))},
              {"memory_usage", resident_bytes()}});
  timer_ = loop_.call_after(interval_, [this] { beat(); });
}

}  // namespace kith::app
