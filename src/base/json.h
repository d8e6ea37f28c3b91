// JSON through Boost.JSON, with the limits of the house: bounded size and depth, no exceptions.
#pragma once

#include <boost/json/value.hpp>
#include <string_view>

#include "base/result.h"

namespace kith {

namespace json = boost::json;

struct JsonLimits {
  size_t max_bytes = 1 << 20;  // larger documents are refused before parsing
  size_t max_depth = 32;
};

Result<json::value> parse_json(std::string_view text, const JsonLimits& limits = {});

// A member: null when absent; as text: "" when absent or of another type.
const json::value* find(const json::object& object, std::string_view key);
std::string_view find_string(const json::object& object, std::string_view key);

}  // namespace kith
