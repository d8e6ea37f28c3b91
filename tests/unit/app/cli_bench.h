// Runs the command line in an invented world; the running node is a list of answers.
#pragma once

#include <sstream>

#include "app/cli.h"
#include "support.h"

namespace kith::app {

class CountingEntropy final : public runtime::Entropy {
 public:
  void fill(MutableByteView out) override {
    for (uint8_t& byte : out) byte = next_++;
  }

 private:
  uint8_t next_ = 1;
};

struct Ran {
  int status = -1;
  std::string out, err;
  bool node_ran = false;
  Config config;
};

struct Bench {
  World world;
  std::string input;
  std::vector<Result<ControlAnswer>> answers;  // of the running node; none: there is no node
  std::vector<std::string> asked;

  Ran run(const std::vector<std::string>& arguments) {
    Ran ran;
    std::ostringstream out, err;
    CountingEntropy entropy;
    AskNode ask = [this](const std::string& socket, const std::string& method, const std::string& path,
                         Duration) {
      asked.push_back(method + " " + path + " at " + socket);
      if (answers.empty()) return Result<ControlAnswer>(Error(Code::not_found, "connecting: No such file"));
      Result<ControlAnswer> answer = answers.front();
      answers.erase(answers.begin());
      return answer;
    };
    Shell shell{out,         err,     [this] { return input; }, [this] { return input; },
                world.files, entropy, world.surroundings(),     ask};
    ran.status = run_cli(arguments, shell, [&](Config config, std::shared_ptr<LogSink> sink, ConfigSource) {
      ran.node_ran = sink != nullptr;
      ran.config = std::move(config);
      return 0;
    });
    ran.out = out.str();
    ran.err = err.str();
    return ran;
  }
};

inline const char* const kGood =
    "http: {address: ':8080'}\n"
    "apps: [{name: a, type: proxy, routePatterns: [/], upstream: 'http://10.0.0.5', policies: [{location: /, "
    "authentication: {allowUnauthenticated: true}, authorization: {allowAll: true}}]}]\n";

inline Bench with_file(const std::string& text = kGood) {
  Bench bench;
  bench.world.files.content["/k.yaml"] = text;
  return bench;
}

}  // namespace kith::app
