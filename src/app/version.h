// The version of this program, from the build.
#pragma once

#include <string_view>

namespace kith::app {

std::string_view version();  // "0.1.0"

}  // namespace kith::app
