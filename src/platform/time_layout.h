// Time layouts as Go writes them: an example of Mon Jan 2 15:04:05 MST 2006. The documented
// `logger.timeFormat` is one of the layouts' names, in any case, or a layout.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace kith::platform {

// The layout of a name, or the text itself when it holds at least one element of time; invalid otherwise.
Result<std::string> time_layout(std::string_view name_or_layout);

// The time in UTC.
std::string format_time(std::string_view layout, WallTime time);

}  // namespace kith::platform
