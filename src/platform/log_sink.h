// Where log lines go for real: one line for each event, key=value or JSON, to a file descriptor through
// spdlog. Whatever a field holds, it stays inside its line: everything is escaped here.
#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "base/result.h"

namespace kith::platform {

struct LoggerConfig {  // logger
  Level level = Level::info;
  bool json_output = false;     // jsonOutput: JSON lines instead of key=value
  bool log_session_id = false;  // logSessionID: keep the field session_ref (a keyed hash, never the id)
  std::string time_format = "RFC3339Milli";  // timeFormat: a layout's name or a layout, as Go writes them
  bool field_ordering = false;  // fieldOrdering.enabled: fields in the documented order, the rest by name
};

// Lines longer than this are cut, so that a line is one atomic write to a pipe.
inline constexpr size_t kMaxLogLine = 4096;

// Writes to the descriptor (1 = standard output), from any thread. A reader that went away or stands
// still never stops the process: after 200 ms without room the line is dropped and counted, and the
// next line that gets through says how many were lost.
std::shared_ptr<LogSink> make_log_sink(const LoggerConfig& config, int descriptor = 1);

}  // namespace kith::platform
