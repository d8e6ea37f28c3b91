// Coroutines on real loops: a runtime without workers for as long as one task takes.
#pragma once

#include "platform/runtime.h"
#include "runtime/scope.h"

namespace kith::platform {

// Runs make(Ports&, IoLoop&), a Task<void>, on a control loop of its own until it ends.
template <class Make>
void run_on_a_loop(Make make) {
  Runtime runtime(0);
  runtime::Scope scope;
  struct Body {
    static runtime::Task<void> run(Make body, Runtime& r) {
      co_await body(r.control_ports(), r.control());
      r.stop();
    }
  };
  runtime.control().post([&] { scope.spawn(Body::run(make, runtime)); });
  runtime.control().run();
}

}  // namespace kith::platform
