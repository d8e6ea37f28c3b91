// A claim's value: what a provider, or the configuration of a local user, says of somebody.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace kith::identity {

// One text, or a list. Numbers and booleans are their JSON text; objects too.
struct Claim {
  std::vector<std::string> values;  // exactly one unless `list`
  bool list = false;
};

using ClaimMap = std::map<std::string, Claim, std::less<>>;  // by name

}  // namespace kith::identity
