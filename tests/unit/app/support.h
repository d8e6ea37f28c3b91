// Loads configurations from texts in an invented world: files, variables and secrets are maps.
#pragma once

#include <map>
#include <string>

#include "app/config.h"

namespace kith::app {

class FakeFiles final : public runtime::Files {
 public:
  Result<std::string> read(const std::string& path, size_t max_bytes) override {
    auto at = content.find(path);
    if (at == content.end()) return Error(Code::not_found, "opening " + path + ": No such file or directory");
    if (at->second.size() > max_bytes) return Error(Code::limit, path + " is too large");
    return at->second;
  }
  Result<void> write(const std::string& path, std::string_view text, uint32_t mode) override {
    content[path] = std::string(text);
    modes[path] = mode;
    return {};
  }
  Result<void> create(const std::string& path, std::string_view text, uint32_t mode) override {
    if (content.contains(path)) return Error(Code::conflict, "creating " + path + ": File exists");
    return write(path, text, mode);
  }
  bool exists(const std::string& path) override { return content.contains(path); }

  std::map<std::string, std::string> content;
  std::map<std::string, uint32_t> modes;
};

class FakeSecrets final : public SecretProvider {
 public:
  Result<crypto::Secret> find(std::string_view name) override {
    auto at = values.find(std::string(name));
    if (at == values.end())
      return Error(Code::not_found, "there is no secret named \"" + std::string(name) + "\"");
    return crypto::Secret(std::string_view(at->second));
  }
  std::map<std::string, std::string> values;
};

struct World {
  FakeFiles files;
  FakeSecrets secrets;
  std::map<std::string, std::string> variables;
  std::string exposed;  // one path

  Surroundings surroundings() {
    return {&files,
            [this](const std::string& name) -> std::optional<std::string> {
              auto at = variables.find(name);
              if (at == variables.end()) return std::nullopt;
              return at->second;
            },
            [this](const std::string& path) { return path == exposed; }, "/etc/kith"};
  }
  Loaded load(std::string_view text) { return load_config(text, "kith.yaml", surroundings(), &secrets); }
};

inline std::string lines(const Problems& problems) {
  std::string out;
  for (const Problem& problem : problems) out += to_line(problem) + "\n";
  return out;
}

// A file of tests/config, as text.
std::string fixture(const std::string& name);

}  // namespace kith::app
