// A JSON value as YAML for people to read. Texts are in double quotes, so nothing is ever ambiguous.
#pragma once

#include <string>

#include "base/json.h"

namespace kith::app {

std::string to_yaml(const json::value& value);

}  // namespace kith::app
