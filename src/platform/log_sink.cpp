// The one place that includes spdlog. Its sink interface is the seam: lines are formatted here and given
// to a spdlog sink, so a journal or a rotating file is another sink of the library.

#include "platform/log_sink.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <functional>
#include <mutex>
#include <vector>

#include "base/recycle.h"
#include "base/text.h"
#include "platform/io_loop_impl.h"
#include "platform/time_layout.h"

namespace kith::platform {

namespace {

constexpr int kPatienceMs = 200;

// Writes lines to a descriptor and gives up on a reader that does not read. A line fits into PIPE_BUF
// (4096 on Linux), so once poll says there is room, the write neither blocks nor tears (pipe(7)).
class DescriptorSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  using LostLine = std::function<std::string(size_t count)>;
  DescriptorSink(int descriptor, LostLine lost_line)
      : descriptor_(descriptor), lost_line_(std::move(lost_line)) {
    struct stat about {};
    if (fstat(descriptor, &about) != 0) return;
    socket_ = S_ISSOCK(about.st_mode);
    always_ready_ = S_ISREG(about.st_mode);
  }

 private:
  void sink_it_(const spdlog::details::log_msg& line) override {
    std::string_view lines(line.payload.data(), line.payload.size());
    while (!lines.empty()) {
      const std::string_view part = lines.substr(0, whole_lines(lines));
      lines.remove_prefix(part.size());
      if (lost_ > 0 && write_text(lost_line_(lost_), 0)) lost_ = 0;
      // After a loss there is no more waiting until the reader is back.
      if (!write_text(part, lost_ > 0 ? 0 : kPatienceMs))
        lost_ += static_cast<size_t>(std::count(part.begin(), part.end(), '\n'));
    }
  }

  // As many of the lines as one write takes: all of them in a file, else those that fit into PIPE_BUF.
  size_t whole_lines(std::string_view lines) const {
    if (always_ready_ || lines.size() <= PIPE_BUF) return lines.size();
    const size_t end = lines.rfind('\n', PIPE_BUF - 1);
    return end == std::string_view::npos ? lines.find('\n') + 1 : end + 1;
  }
  void flush_() override {}

  bool write_text(std::string_view text, int patience_ms) {
    while (!text.empty()) {
      if (!always_ready_) {
        pollfd ready{descriptor_, POLLOUT, 0};
        int count = poll(&ready, 1, patience_ms);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0 || (ready.revents & POLLOUT) == 0) return false;
      }
      ssize_t written = socket_ ? ::send(descriptor_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                                : ::write(descriptor_, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      text.remove_prefix(static_cast<size_t>(written));
    }
    return true;
  }

  int descriptor_;
  LostLine lost_line_;
  bool socket_ = false;
  bool always_ready_ = false;  // a file
  size_t lost_ = 0;
};

constexpr std::string_view kLevelNames[] = {"debug", "info", "warn", "error"};

// The documented order of fields; what is not named here comes after them, by name.
constexpr std::string_view kOrder[] = {
    "node",        "cluster",   "request_id", "trace_id",  "span_id",      "client_ip",
    "method",      "host",      "path",       "route",     "status",       "duration_seconds",
    "bytes_in",    "bytes_out", "upstream",   "served_by", "forwarded_to", "user_id",
    "session_ref", "decision",  "rule",       "reason",    "error",        "error_code"};

// Fields mostly come in order, so each is looked for from where the one before it was found.
size_t rank(std::string_view key, size_t from) {
  for (size_t step = 0; step < std::size(kOrder); ++step) {
    const size_t at = (from + step) % std::size(kOrder);
    if (kOrder[at] == key) return at;
  }
  return std::size(kOrder);
}

constexpr size_t kMaxWaiting = 32 << 10;  // bytes of lines that wait for the end of a round
constexpr size_t kUsualLine = 640;        // an access log line
constexpr size_t kMaxValue = 1500;  // bytes of a value, after escaping; leaves room for the other fields

enum Class : uint8_t {
  kPlain = 1,  // ASCII that stands in a JSON string as it is
  kWord = 2,   // what needs no quotes in key=value form
};
constexpr std::array<uint8_t, 256> make_table() {
  std::array<uint8_t, 256> table{};
  for (int c = 0x20; c < 0x7f; ++c) {
    const char letter = static_cast<char>(c);
    const bool is_mark = std::string_view("-_./:+@[],").find(letter) != std::string_view::npos;
    uint8_t bits = 0;
    if (letter != '"' && letter != '\\') bits |= kPlain;
    if (is_mark || is_digit(letter) || (lower(letter) >= 'a' && lower(letter) <= 'z')) bits |= kWord;
    table[static_cast<size_t>(c)] = bits;
  }
  return table;
}
constexpr std::array<uint8_t, 256> kTable = make_table();

bool is(Class wanted, char c) { return (kTable[static_cast<uint8_t>(c)] & wanted) != 0; }

// Text as the inside of a JSON string, cut when it gets long: valid UTF-8 stays, all else (controls,
// quotes, broken or overlong sequences, line separators that some readers break at) is escaped.
void append_escaped(std::string& out, std::string_view text) {
  const size_t end = out.size() + kMaxValue;
  static constexpr char kDigits[] = "0123456789abcdef";
  auto escape = [&](uint32_t code) {
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += kDigits[(code >> shift) & 15];
  };
  for (size_t i = 0; i < text.size();) {
    if (out.size() >= end) {
      out += "...";
      return;
    }
    // Most text is made of such runs.
    size_t run = i;
    while (run < text.size() && is(kPlain, text[run])) ++run;
    if (run > i) {
      out += text.substr(i, std::min(run - i, end - out.size()));
      i = run;
      continue;
    }
    auto byte = static_cast<uint8_t>(text[i]);
    if (byte < 0x80) {
      ++i;
      if (byte == '"' || byte == '\\') {
        out += '\\';
        out += static_cast<char>(byte);
      } else if (byte == '\n') {
        out += "\\n";
      } else if (byte < 0x20 || byte == 0x7f) {
        escape(byte);
      } else {
        out += static_cast<char>(byte);
      }
      continue;
    }
    size_t size = byte >= 0xf0 && byte < 0xf5 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 0;
    if (byte >= 0xf5) size = 0;
    bool good = size > 0 && i + size <= text.size();
    uint32_t code = size == 4 ? byte & 7U : size == 3 ? byte & 15U : byte & 31U;
    for (size_t k = 1; good && k < size; ++k) {
      auto next = static_cast<uint8_t>(text[i + k]);
      good = (next & 0xc0) == 0x80;
      code = code << 6 | (next & 63U);
    }
    bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    if (!good || overlong || surrogate || code > 0x10ffff) {
      escape(0xfffd);
      ++i;
      continue;
    }
    // C1 controls, bidirectional marks and the line separators.
    bool hidden = code < 0xa0 || (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
                  (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
    if (hidden) {
      escape(code);
    } else {
      out += text.substr(i, size);
    }
    i += size;
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return is(kWord, c); });
}

// A number as JSON has it (RFC 8259 section 6) without an exponent, or a boolean. Anything else gets
// quotes, whatever the field says.
bool is_bare(std::string_view text) {
  if (text == "true" || text == "false") return true;
  if (text.starts_with('-')) text.remove_prefix(1);
  size_t dot = text.find('.');
  std::string_view whole = text.substr(0, dot);
  auto digits = [](std::string_view part) {
    return !part.empty() && std::all_of(part.begin(), part.end(), is_digit);
  };
  if (!digits(whole) || (whole.size() > 1 && whole[0] == '0')) return false;
  return dot == std::string_view::npos || digits(text.substr(dot + 1));
}

class LineSink final : public LogSink, public std::enable_shared_from_this<LineSink> {
 public:
  LineSink(const LoggerConfig& config, int descriptor)
      : config_(config),
        layout_(time_layout(config.time_format).value_or("2006-01-02T15:04:05.000Z07:00")),
        out_(std::make_unique<DescriptorSink>(descriptor, [this](size_t count) {
          const Field lost[] = {Field("count", count)};
          return format(Level::warn, "log", "lines were lost: nobody reads them", lost);
        })) {}

  bool enabled(Level level) const override { return level >= config_.level; }

  void write(Level level, std::string_view component, std::string_view message,
             std::span<const Field> fields) override {
    if (!enabled(level)) return;
    if (level >= Level::warn) {
      flush();
      give(format(level, component, message, fields));
      return;
    }
    std::string& waiting = waiting_here();
    const bool first = waiting.empty();
    append_line(waiting, level, component, message, fields);
    // Lines of one round of a loop leave together; off the loops, each at once.
    const bool later = !first || at_end_of_round([self = shared_from_this()] { self->flush(); });
    if (!later || waiting.size() > kMaxWaiting) flush();
  }

 private:
  std::string format(Level level, std::string_view component, std::string_view message,
                     std::span<const Field> fields) const {
    std::string line;
    append_line(line, level, component, message, fields);
    return line;
  }

  void append_line(std::string& out, Level level, std::string_view component, std::string_view message,
                   std::span<const Field> fields) const {
    const size_t start = out.size();
    out.reserve(start + kUsualLine);
    if (config_.json_output) out += '{';
    add(out, start, config_.json_output ? "time" : "ts", time_text(), true);
    add(out, start, "level", kLevelNames[static_cast<size_t>(level)], true);
    if (config_.json_output) {
      add(out, start, "msg", message, true);
      add(out, start, "component", component, true);
    } else {
      add(out, start, "service", component, true);
      add(out, start, "msg", message, true);
    }
    for (const Place& place : in_order(fields))
      add(out, start, place.field->key, place.field->value(), place.field->quoted);
    out += config_.json_output ? "}\n" : "\n";
  }

  struct Place {
    size_t rank;
    const Field* field;
    bool operator<(const Place& other) const {
      if (rank != other.rank) return rank < other.rank;
      return rank == std::size(kOrder) && field->key < other.field->key;
    }
  };
  recycle::Vector<Place> in_order(std::span<const Field> fields) const {
    recycle::Vector<Place> places;
    places.reserve(fields.size());
    size_t last = 0;
    for (const Field& field : fields) {
      if (field.key == "session_ref" && !config_.log_session_id) continue;
      const size_t its = config_.field_ordering ? rank(field.key, last) : 0;
      if (its < std::size(kOrder)) last = its;
      places.push_back({its, &field});
    }
    if (!std::is_sorted(places.begin(), places.end())) std::stable_sort(places.begin(), places.end());
    return places;
  }

  // One field, when the line, which begins at `start`, has room for it.
  void add(std::string& out, size_t start, std::string_view key, std::string_view value, bool quoted) const {
    const size_t before = out.size();
    const bool first = before == start + (config_.json_output ? 1 : 0);
    if (config_.json_output) {
      if (!first) out += ',';
      append_quoted(out, key);
      out += ':';
    } else {
      if (!first) out += ' ';
      for (char c : key) out += is(kWord, c) ? c : '_';
      out += '=';
    }
    bool cut = value.size() > kMaxValue;
    if (!cut && ((!quoted && is_bare(value)) || (!config_.json_output && is_word(value)))) {
      out += value;
    } else {
      append_quoted(out, value);
    }
    if (out.size() - start + 2 > kMaxLogLine) out.resize(before);
  }

  // This thread's lines that were not given to the descriptor yet.
  std::string& waiting_here() {
    struct Waiting {
      std::shared_ptr<LineSink> sink;
      std::string lines;
    };
    static thread_local Waiting waiting;
    if (waiting.sink.get() != this) {  // a process has one sink, a test maybe more
      if (!waiting.lines.empty()) waiting.sink->give(waiting.lines);
      waiting = {shared_from_this(), {}};
    }
    return waiting.lines;
  }
  void flush() {
    std::string& waiting = waiting_here();
    if (waiting.empty()) return;
    give(waiting);
    waiting.clear();
  }
  void give(std::string_view lines) {
    spdlog::details::log_msg record(spdlog::string_view_t("kith"), spdlog::level::info,
                                    spdlog::string_view_t(lines.data(), lines.size()));
    out_->log(record);
  }

  // The time as text, which many lines of a busy thread have in common.
  const std::string& time_text() const {
    struct Last {
      const LineSink* sink = nullptr;
      int64_t ms = 0;
      std::string text;
    };
    static thread_local Last last;
    const auto now =
        std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    const int64_t ms = now.time_since_epoch().count();
    if (last.sink != this || last.ms != ms) last = {this, ms, format_time(layout_, from_unix_ms(ms))};
    return last.text;
  }

  LoggerConfig config_;
  std::string layout_;
  std::unique_ptr<spdlog::sinks::sink> out_;
};

}  // namespace

std::shared_ptr<LogSink> make_log_sink(const LoggerConfig& config, int descriptor) {
  return std::make_shared<LineSink>(config, descriptor);
}

}  // namespace kith::platform
