// Loads the configuration anew while the node runs: on SIGHUP, and when the place where secrets come from
// has changed (looked at each kWatchInterval; a change counts when it has come to rest). Files are read in
// the pool, never on a loop. Bad material is refused with a word in the log, and the old stays.
#pragma once

#include <functional>
#include <string>

#include "app/sources.h"
#include "base/log.h"
#include "runtime/ports.h"
#include "runtime/scope.h"

namespace kith::app {

class Reloader {
 public:
  static constexpr Duration kWatchInterval = 500ms;

  // apply is called on the loop, with a configuration without errors.
  Reloader(runtime::Ports& ports, ConfigSource source, std::function<void(const Config&)> apply, Log log);

  // Both spawn into the scope, which outlives this.
  void watch(runtime::Scope& scope);
  void reload(runtime::Scope& scope, std::string why);

 private:
  runtime::Task<void> watch_secrets(runtime::Scope& scope);
  runtime::Task<void> load(std::string why);

  runtime::Ports& ports_;
  ConfigSource source_;
  std::function<void(const Config&)> apply_;
  Log log_;
};

}  // namespace kith::app
