// The log facade. Services hold a Log by value: it names the component and knows where lines go; a
// line is an event in words plus fields. Pure rooms do not log, they return events.
//
//   log.info("member joined", {{"peer", id.hex()}, {"rtt_ms", rtt}});
//
// Values are escaped by the sink; never pass a secret, a cookie, a token or a query string.
#pragma once

#include <concepts>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace kith {

enum class Level : uint8_t { debug, info, warn, error };

struct Field {
  std::string_view key;
  std::string value;
  bool quoted = true;  // false for numbers and booleans, so that JSON output keeps the type

  Field(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, bool v) : key(k), value(v ? "true" : "false"), quoted(false) {}
  template <class Number>
  requires(std::integral<Number> || std::floating_point<Number>) Field(std::string_view k, Number v)
      : key(k), value(std::to_string(v)), quoted(false) {}
};

// Where lines go: platform/ has the real one, tests collect. Called from any thread.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual bool enabled(Level level) const = 0;
  virtual void write(Level level, std::string_view component, std::string_view message,
                     std::span<const Field> fields) = 0;
};

class Log {
 public:
  Log() = default;  // says nothing
  Log(std::shared_ptr<LogSink> sink, std::string component)
      : sink_(std::move(sink)), component_(std::move(component)) {}

  Log named(std::string component) const { return Log(sink_, std::move(component)); }
  bool enabled(Level level) const { return sink_ && sink_->enabled(level); }

  using Fields = std::initializer_list<Field>;
  void debug(std::string_view message, Fields fields = {}) const { write(Level::debug, message, fields); }
  void info(std::string_view message, Fields fields = {}) const { write(Level::info, message, fields); }
  void warn(std::string_view message, Fields fields = {}) const { write(Level::warn, message, fields); }
  void error(std::string_view message, Fields fields = {}) const { write(Level::error, message, fields); }
  void write(Level level, std::string_view message, Fields fields) const {
    write(level, message, std::span<const Field>(fields.begin(), fields.size()));
  }
  void write(Level level, std::string_view message, std::span<const Field> fields) const {
    if (enabled(level)) sink_->write(level, component_, message, fields);
  }

 private:
  std::shared_ptr<LogSink> sink_;
  std::string component_;
};

}  // namespace kith
