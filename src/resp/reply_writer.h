// What a server of the Redis protocol answers, appended to a buffer. RESP2 has fewer types: what it lacks is
// written as Redis writes it there.
#pragma once

#include <cmath>

#include "resp/request_writer.h"

namespace kith::resp {

enum class Protocol : uint8_t { resp2 = 2, resp3 = 3 };  // as HELLO numbers them

// The headers of aggregates are followed by their elements, which the caller writes: as many as it promised.
// The buffer outlives the writer.
class ReplyWriter {
 public:
  ReplyWriter(Bytes& out, Protocol protocol) : out_(out), resp3_(protocol == Protocol::resp3) {}

  void simple(std::string_view text) { line('+', text); }
  // The first word is the code that clients look at: "ERR unknown command".
  void error(std::string_view text) { line('-', text); }
  void integer(int64_t value) { detail::append_header(out_, ':', value); }
  void bulk(std::string_view value) { detail::append_bulk(out_, value); }
  void bulk(ByteView value) { bulk(as_text(value)); }
  void null() { append(out_, resp3_ ? "_\r\n" : "$-1\r\n"); }
  void null_array() { append(out_, resp3_ ? "_\r\n" : "*-1\r\n"); }
  void boolean(bool value) {
    if (resp3_) return append(out_, value ? "#t\r\n" : "#f\r\n");
    integer(value ? 1 : 0);
  }
  void real(double value) {
    std::array<char, 32> text;
    const char* end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    std::string_view shown(text.data(), static_cast<size_t>(end - text.data()));
    if (std::isnan(value)) shown = "nan";  // also when negative
    resp3_ ? line(',', shown) : bulk(shown);
  }
  // Decimal digits with an optional sign.
  void big_number(std::string_view digits) { resp3_ ? line('(', digits) : bulk(digits); }
  // format: three characters, "txt" or "mkd".
  void verbatim(std::string_view format, std::string_view text) {
    if (!resp3_) return bulk(text);
    detail::append_header(out_, '=', static_cast<int64_t>(text.size() + 4));
    append(out_, format);
    append(out_, ":");
    append(out_, text);
    append(out_, "\r\n");
  }

  void array(size_t elements) { header('*', elements); }
  // Then a key and its value, as many times.
  void map(size_t pairs) { resp3_ ? header('%', pairs) : header('*', 2 * pairs); }
  void set(size_t elements) { header(resp3_ ? '~' : '*', elements); }
  // What was not asked for: the first element is its kind, "message".
  void push(size_t elements) { header(resp3_ ? '>' : '*', elements); }

 private:
  void header(char type, size_t count) { detail::append_header(out_, type, static_cast<int64_t>(count)); }
  // A line cannot hold a line end: whatever text gets here ends no reply but its own.
  void line(char type, std::string_view text) {
    out_.push_back(static_cast<uint8_t>(type));
    for (char c : text) out_.push_back(static_cast<uint8_t>(c == '\r' || c == '\n' ? ' ' : c));
    append(out_, "\r\n");
  }

  Bytes& out_;
  bool resp3_;
};

}  // namespace kith::resp
