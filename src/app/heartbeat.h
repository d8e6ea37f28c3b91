// The heartbeat log line: the process in numbers, at an interval (health.heartbeat).
#pragma once

#include "base/log.h"
#include "base/time.h"
#include "runtime/ports.h"

namespace kith::app {

class Heartbeat {
 public:
  Heartbeat(runtime::Loop& loop, Duration interval, Level level, std::string node, std::string version,
            std::string config_version, Log log);
  void stop() { timer_.reset(); }

 private:
  void beat();

  runtime::Loop& loop_;
  const Duration interval_;
  const Level level_;
  const std::string node_;
  const std::string version_;
  const std::string config_version_;  // the key `version`
  Log log_;
  MonoTime last_;
  Duration last_cpu_;
  runtime::Timer timer_;
};

}  // namespace kith::app
