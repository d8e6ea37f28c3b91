// The commands that talk to a running node through its control socket: members, sessions, leave,
// forget, health.
#pragma once

#include "app/cli.h"
#include "app/sources.h"

namespace kith::app {

struct NodeOptions {
  std::string socket;           // "": from the configuration
  std::string format = "text";  // or json
  std::string node;             // forget: an id, its beginning, or a name
  std::string session;          // show, revoke: its reference
  std::string user, connector;  // sessions of whom; "": of anybody
  bool everybody = false;       // revoke
  int limit = 100;              // list
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
  int list_sessions();
  int show_session();
  int revoke_sessions();

 private:
  Result<std::string> socket() const;
  // The body of an answer with the status 2xx; says what is wrong otherwise.
  std::optional<json::object> ask(const std::string& method, const std::string& path);
  std::string session_query() const;
  // True, and it is printed, when that is how answers are wanted.
  bool print_json(const json::object& body);
  void complain(const Error& error, const std::string& socket);

  Shell& shell_;
  const SourceOptions& source_;
  const NodeOptions& options_;
};

}  // namespace kith::app
