// HTTP/1.1 heads, from bytes to values and back (RFC 9112), sans-IO.
//
// The problem: where two implementations disagree on where a message ends, an attacker speaks through
// one to the other (request smuggling). The idea: accept one spelling only. Whatever is ambiguous (both
// framings, a second Content-Length, a bare CR or LF, a folded line, a blank before the colon...) is
// refused, and what is sent on is written anew from the parsed values, never copied.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "http/message.h"

namespace kith::http {

struct HeadLimits {
  size_t max_head_bytes = 32 << 10;  // start line, headers and the empty line
  size_t max_headers = 100;
  size_t max_target_bytes = 8 << 10;
};

// Why a head is refused: for a request the status to answer with, for the log a constant text.
struct Refusal {
  int status = 400;  // 400, 414, 417, 431 or 505
  std::string_view why;
};

enum class HeadState : uint8_t { incomplete, complete, refused };

// Finds lines and the end of a head in a growing buffer, looking at each byte once.
class HeadScanner {
 public:
  // Continues where the last call stopped; text begins with the same bytes as then.
  HeadState scan(std::string_view text);
  size_t size() const { return at_; }                // bytes of the head with its empty line, when complete
  size_t first_line() const { return first_line_; }  // length of the first line without CRLF; 0 = not yet
  size_t lines() const { return lines_; }

 private:
  size_t at_ = 0;  // everything before was looked at
  size_t line_start_ = 0;
  size_t first_line_ = 0;
  size_t lines_ = 0;
};

class RequestParser {
 public:
  explicit RequestParser(const HeadLimits& limits) : limits_(limits) {}

  // buffer: all that was received and not consumed. Call again with more until it is not incomplete.
  HeadState parse(std::string_view buffer);
  size_t size() const { return skipped_ + scanner_.size(); }  // bytes to consume, when complete
  RequestHead take() { return std::move(head_); }             // when complete
  const Refusal& refusal() const { return refusal_; }         // when refused
  void reset();

 private:
  HeadState refuse(int status, std::string_view why);
  HeadState parse_line(std::string_view line);
  HeadState parse_target_text(std::string_view text);
  HeadState parse_headers(std::string_view lines);

  HeadLimits limits_;
  HeadScanner scanner_;
  size_t skipped_ = 0;  // one empty line before the request is passed over (RFC 9112 section 2.2)
  bool line_done_ = false;
  std::string authority_;  // of an absolute-form target
  RequestHead head_;
  Refusal refusal_;
};

class ResponseParser {
 public:
  explicit ResponseParser(const HeadLimits& limits) : limits_(limits) {}

  HeadState parse(std::string_view buffer);
  size_t size() const { return scanner_.size(); }
  ResponseHead take() { return std::move(head_); }
  const Refusal& refusal() const { return refusal_; }
  void reset();

 private:
  HeadState refuse(std::string_view why);
  HeadState parse_line(std::string_view line);
  HeadState parse_headers(std::string_view lines);

  HeadLimits limits_;
  HeadScanner scanner_;
  ResponseHead head_;
  Refusal refusal_;
};

// How a message's body is delimited (RFC 9112 section 6.3).
enum class Framing : uint8_t { none, length, chunked, until_close };

Framing request_framing(const RequestHead& head);
// Of a response as received, to a request of that method.
Framing response_framing(const ResponseHead& head, std::string_view request_method);

// What the sender of a response decides beside the head itself.
struct ResponseWire {
  Framing framing = Framing::none;
  bool keep_alive = true;
  int request_minor = 1;     // an HTTP/1.0 client is told of keep-alive explicitly
  std::string_view date;     // IMF-fixdate, used when the head has no Date of its own
  std::string_view upgrade;  // for 101
};

// Both append to out. Connection, Keep-Alive, Upgrade, Transfer-Encoding, Content-Length, TE, Trailer
// and Proxy-Connection in the head are passed over: they are of one hop and written here. A header that
// could not be parsed back to the same value (a control character, an empty name) is Code::invalid.
Result<void> encode_response(std::string& out, const ResponseHead& head, const ResponseWire& wire);
// Expect is passed over too. host becomes the Host header.
Result<void> encode_request(std::string& out, const RequestHead& head, const Target& target,
                            std::string_view host);

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7).
std::string format_http_date(WallTime time);

}  // namespace kith::http
