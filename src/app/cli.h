// The command line. Exit status: 0 done, 1 failed (an invalid configuration too), 2 wrong usage.
// Data goes to standard output, messages to standard error.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "app/control_client.h"
#include "app/sources.h"

namespace kith::app {

using AskNode = std::function<Result<ControlAnswer>(const std::string& socket, const std::string& method,
                                                    const std::string& path, Duration timeout)>;
using RunNode = std::function<int(Config, std::shared_ptr<LogSink>, ConfigSource)>;

// What the command line touches, so that tests can stand in for it.
struct Shell {
  std::ostream& out;
  std::ostream& err;
  std::function<std::string()> read_input;     // all of standard input
  std::function<std::string()> read_password;  // a line of it; from a terminal without echo
  runtime::Files& files;
  runtime::Entropy& entropy;
  Surroundings around;
  AskNode ask_node;
};

int run_cli(const std::vector<std::string>& arguments, Shell& shell, const RunNode& run_node);

// With the real machine.
int run_cli(int argc, char** argv, const RunNode& run_node);

}  // namespace kith::app
