// Host and path to app. The most specific pattern wins: an exact host beats any host, then the longer
// path beats the shorter. Paths match on segment borders: "/x" is /x and /x/..., never /xy.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kith::gateway {

// Whether path is prefix or lies below it. The prefix has no trailing slash but for "/" itself.
bool path_under(std::string_view path, std::string_view prefix);
// A configured path prefix without its trailing slash; fails unless it is an absolute canonical path.
Result<std::string> clean_prefix(std::string_view text);
// A Host value without its port: "app.test:8443" is "app.test", "[::1]:80" is "[::1]".
std::string_view host_name(std::string_view host);

class Router {
 public:
  // "/", "/x", "app.example.test", "app.example.test/x", with a port too ("app.example.test:8443").
  // Fails on anything else (invalid) and on a pattern that is there already (conflict); side config.
  Result<void> add(std::string_view pattern, size_t app);
  // host: lower case, maybe with a port; path: canonical.
  std::optional<size_t> find(std::string_view host, std::string_view path) const;

 private:
  struct Entry {
    std::string host;  // "" = any
    std::string path;
    size_t app = 0;
  };
  std::vector<Entry> entries_;  // most specific first
};

}  // namespace kith::gateway
