// Internal to platform/: signals as events of a loop.
#pragma once

#include <csignal>
#include <functional>
#include <initializer_list>
#include <vector>

#include "platform/fd.h"
#include "runtime/scope.h"

namespace kith::platform {

class Channel;
struct LoopState;

// While it lives, the signals given to it are written into a pipe by their handler (the one thing a
// handler may do) and read from there on the loop. One at a time in a process: a handler has no other
// way to find its pipe than a variable of the process.
class SignalPipe {
 public:
  SignalPipe(LoopState& loop, std::initializer_list<int> signals, std::function<void(int)> fn);
  ~SignalPipe();

 private:
  struct Former {
    int signal;
    struct sigaction action;
  };
  runtime::Task<void> read();

  LoopState& loop_;
  std::function<void(int)> fn_;
  Fd write_end_;
  std::unique_ptr<Channel> channel_;
  std::vector<Former> former_;
  runtime::Scope scope_;
};

}  // namespace kith::platform
