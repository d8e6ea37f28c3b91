#include "app/reload.h"

#include "runtime/sync.h"

namespace kith::app {

Reloader::Reloader(runtime::Ports& ports, ConfigSource source, std::function<void(const Config&)> apply,
                   Log log)
    : ports_(ports), source_(std::move(source)), apply_(std::move(apply)), log_(std::move(log)) {}

void Reloader::watch(runtime::Scope& scope) { scope.spawn(watch_secrets(scope)); }

void Reloader::reload(runtime::Scope& scope, std::string why) {
  if (!scope.stopping()) scope.spawn(load(std::move(why)));
}

runtime::Task<void> Reloader::watch_secrets(runtime::Scope& scope) {
  std::function<std::string()> look = source_.stamp;
  auto loaded = co_await runtime::run_in_pool<std::string>(ports_.loop, ports_.pool, look);
  if (!loaded || loaded->empty()) co_return;  // nothing that could change
  std::string seen = *loaded;
  while (!scope.stopping()) {
    co_await runtime::sleep(ports_.loop, kWatchInterval, scope.stop_token());
    if (scope.stopping()) co_return;
    auto now = co_await runtime::run_in_pool<std::string>(ports_.loop, ports_.pool, look);
    if (!now) continue;
    // Half-written files are seen at most once: what changes still is looked at again.
    const bool at_rest = *now == seen;
    seen = *now;
    if (!at_rest || seen == *loaded) continue;
    loaded = seen;
    co_await load("the secrets have changed");
  }
}

runtime::Task<void> Reloader::load(std::string why) {
  std::function<Loaded()> read = source_.load;
  auto loaded = co_await runtime::run_in_pool<Loaded>(ports_.loop, ports_.pool, read);
  if (!loaded) {
    log_.error("not reloaded: too much work at hand", {{"why", why}});
    co_return;
  }
  if (!loaded->ok()) {
    for (const Problem& problem : loaded->problems) {
      if (problem.severity == Severity::error)
        log_.error("the new configuration is not valid: " + to_line(problem));
    }
    log_.error("not reloaded: the node goes on with what it has", {{"why", why}});
    co_return;
  }
  log_.info("reloading", {{"why", why}});
  apply_(loaded->config);
}

}  // namespace kith::app
