// The commands that talk to a running node through its control socket: members, leave, forget, health.
#pragma once

#include "app/cli.h"
#include "app/sources.h"

namespace kith::app {

struct NodeOptions {
  std::string socket;           // "": from the configuration
  std::string format = "text";  // or json
  std::string node;             // forget: an id, its beginning, or a name
  int timeout_seconds = 30;
};

class NodeCommands {
 public:
  // All outlive it.
  NodeCommands(Shell& shell, const SourceOptions& source, const NodeOptions& options)
      : shell_(shell), source_(source), options_(options) {}

  // Each returns the exit status of the program.
  int members();
  int leave();
  int forget();
  int health();

 private:
  Result<std::string> socket() const;
  // The body of an answer with the status 2xx; says what is wrong otherwise.
  std::optional<json::object> ask(const std::string& method, const std::string& path);
  void complain(const Error& error, const std::string& socket);

  Shell& shell_;
  const SourceOptions& source_;
  const NodeOptions& options_;
};

}  // namespace kith::app
