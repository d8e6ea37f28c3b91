// The log facade. Services hold a Log by value: it names the component and knows where lines go; a
// line is an event in words plus fields. Pure rooms do not log, they return events.
//
//   log.info("member joined", {{"peer", id.hex()}, {"rtt_ms", rtt}});
//
// Values are escaped by the sink; never pass a secret, a cookie, a token or a query string.
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace kith {

enum class Level : uint8_t { debug, info, warn, error };

// A view: key and text outlive it, as temporaries do that are arguments of the call that logs them.
struct Field {
  std::string_view key;
  bool quoted = true;  // false for numbers and booleans, so that JSON output keeps the type

  Field(std::string_view k, std::string_view v) : key(k), text_(v) {}
  Field(std::string_view k, const std::string& v) : key(k), text_(v) {}
  Field(std::string_view k, const char* v) : key(k), text_(v) {}
  Field(std::string_view k, bool v) : key(k), quoted(false), text_(v ? "true" : "false") {}
  template <std::integral Number>
  Field(std::string_view k, Number v) : key(k), quoted(false) {
    note_digits(std::to_chars(digits_.begin(), digits_.end(), v));
  }
  template <std::floating_point Number>  // with six digits after the point
  Field(std::string_view k, Number v) : key(k), quoted(false) {
    auto made = std::to_chars(digits_.begin(), digits_.end(), v, std::chars_format::fixed, 6);
    const bool fits = made.ec == std::errc();
    note_digits(fits ? made : std::to_chars(digits_.begin(), digits_.end(), v));
  }

  std::string_view value() const { return size_ > 0 ? std::string_view(digits_.data(), size_) : text_; }

 private:
  void note_digits(std::to_chars_result made) { size_ = static_cast<uint8_t>(made.ptr - digits_.begin()); }

  std::string_view text_;
  std::array<char, 31> digits_;  // of a number
  uint8_t size_ = 0;
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
