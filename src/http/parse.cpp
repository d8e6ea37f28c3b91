#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "http/authority.h"
#include "http/chars.h"
#include "http/codec.h"

namespace kith::http {
namespace {

constexpr size_t kMaxMethod = 32;  // the longest registered one has 18

// What the framing rules need to know of a head's fields.
struct Fields {
  Headers headers;
  std::optional<uint64_t> content_length;
  bool chunked = false;
  size_t hosts = 0;
  std::string_view host;
  std::string_view expect;
  bool close = false;       // Connection: close
  bool keep_alive = false;  // Connection: keep-alive
};

// The fields that say how messages are framed, and nothing else, are told apart by their keys first.
constexpr uint32_t kContentLengthKey = name_key("content-length");
constexpr uint32_t kTransferEncodingKey = name_key("transfer-encoding");
constexpr uint32_t kHostKey = name_key("host");
constexpr uint32_t kExpectKey = name_key("expect");
constexpr uint32_t kConnectionKey = name_key("connection");

void note_connection(std::string_view value, Fields& fields) {
  while (!value.empty()) {
    const size_t comma = value.find(',');
    const std::string_view token = trim(value.substr(0, comma));
    if (iequals(token, "close")) fields.close = true;
    if (iequals(token, "keep-alive")) fields.keep_alive = true;
    value = comma == std::string_view::npos ? std::string_view() : value.substr(comma + 1);
  }
}

// 1*DIGIT without a leading zero, so that no reader can take it for octal or anything else.
std::optional<uint64_t> strict_length(std::string_view text) {
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  auto value = parse_u64(text);
  if (!value || *value > INT64_MAX) return std::nullopt;
  return value;
}

// One field line into fields; returns why it is refused, or "". The line lies in the headers' own text.
std::string_view parse_field(std::string_view line, Fields& fields) {
  if (line.front() == ' ' || line.front() == '\t') return "folded header line";
  size_t colon = line.find(':');
  if (colon == std::string_view::npos) return "header line without a colon";
  std::string_view name = line.substr(0, colon);
  if (!chars::is_token(name)) return "malformed header name";
  std::string_view value = trim(line.substr(colon + 1));
  if (!chars::all_value(value)) return "control character in a header value";

  switch (name_key(name)) {
    case kContentLengthKey:
      if (!iequals(name, "content-length")) break;
      if (fields.content_length) return "repeated Content-Length";
      fields.content_length = strict_length(value);
      return fields.content_length ? "" : "malformed Content-Length";
    case kTransferEncodingKey:
      if (!iequals(name, "transfer-encoding")) break;
      if (fields.chunked) return "repeated Transfer-Encoding";
      fields.chunked = iequals(value, "chunked");
      return fields.chunked ? "" : "unknown Transfer-Encoding";
    case kHostKey:
      if (!iequals(name, "host")) break;
      ++fields.hosts;
      fields.host = value;
      break;
    case kExpectKey:
      if (!iequals(name, "expect")) break;
      if (!fields.expect.empty()) return "repeated Expect";
      fields.expect = value;
      break;
    case kConnectionKey:
      if (iequals(name, "connection")) note_connection(value, fields);
      break;
    default: break;
  }
  fields.headers.add_parsed(name, value);
  return "";
}

// The field lines of a head, which end with an empty line; returns why they are refused, or "".
std::string_view parse_fields(std::string_view lines, size_t count, Fields& fields) {
  fields.headers.reserve(count, lines.size());
  lines = fields.headers.own(lines);  // one copy; every name and value is a view into it
  for (;;) {
    // The scanner saw to it that each LF has its CR and that the empty line is there.
    size_t end = lines.find('\n');
    std::string_view line = lines.substr(0, end - 1);
    if (line.empty()) break;
    std::string_view why = parse_field(line, fields);
    if (!why.empty()) return why;
    lines.remove_prefix(end + 1);
  }
  if (fields.chunked && fields.content_length) return "both Content-Length and Transfer-Encoding";
  return "";
}

// "HTTP/1.0" and "HTTP/1.1" to 0 and 1; -1 another version; -2 no version at all.
int minor_version(std::string_view text) {
  if (text == "HTTP/1.1") return 1;
  if (text == "HTTP/1.0") return 0;
  bool versioned = text.size() == 8 && text.starts_with("HTTP/") && is_digit(text[5]) && text[6] == '.' &&
                   is_digit(text[7]);
  return versioned ? -1 : -2;
}

bool keeps_alive(const Fields& fields, int minor) {
  return !fields.close && (minor >= 1 || fields.keep_alive);
}

}  // namespace

HeadState HeadScanner::scan(std::string_view text) {
  while (at_ < text.size()) {
    const void* found = std::memchr(text.data() + at_, '\n', text.size() - at_);
    if (found == nullptr) {
      at_ = text.size();
      break;
    }
    auto newline = static_cast<size_t>(static_cast<const char*>(found) - text.data());
    if (newline == 0 || text[newline - 1] != '\r') return HeadState::refused;
    size_t length = newline - 1 - line_start_;
    at_ = line_start_ = newline + 1;
    ++lines_;
    if (lines_ == 1) first_line_ = length;
    if (length == 0) return HeadState::complete;
  }
  return HeadState::incomplete;
}

// --- requests -----------------------------------------------------------------------------------

void RequestParser::reset() {
  scanner_ = {};
  skipped_ = 0;
  line_done_ = false;
  authority_.clear();
  head_ = {};
  refusal_ = {};
}

HeadState RequestParser::refuse(int status, std::string_view why) {
  refusal_ = {status, why};
  return HeadState::refused;
}

HeadState RequestParser::parse(std::string_view buffer) {
  if (skipped_ == 0 && buffer.starts_with("\r\n")) skipped_ = 2;
  if (skipped_ == 0 && buffer == "\r") return HeadState::incomplete;
  std::string_view text = buffer.substr(skipped_);
  if (text.empty()) return HeadState::incomplete;
  if (!chars::is(text.front(), chars::kToken)) return refuse(400, "not an HTTP request");

  std::string_view seen = text.substr(0, limits_.max_head_bytes);
  HeadState state = scanner_.scan(seen);
  if (state == HeadState::refused) return refuse(400, "bare LF");
  if (scanner_.lines() == 0) {
    if (seen.size() > limits_.max_target_bytes + kMaxMethod + 16) return refuse(414, "too long request line");
  } else if (!line_done_) {
    line_done_ = true;
    if (parse_line(text.substr(0, scanner_.first_line())) == HeadState::refused) return HeadState::refused;
  }
  // The request line and the empty line are lines too.
  if (scanner_.lines() > limits_.max_headers + 2) return refuse(431, "too many headers");
  if (state == HeadState::incomplete) {
    return text.size() >= limits_.max_head_bytes ? refuse(431, "too large head") : HeadState::incomplete;
  }
  return parse_headers(text.substr(scanner_.first_line() + 2, scanner_.size() - scanner_.first_line() - 2));
}

HeadState RequestParser::parse_line(std::string_view line) {
  size_t first = line.find(' ');
  size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return refuse(400, "malformed request line");
  std::string_view method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, last - first - 1);
  if (!chars::is_token(method) || method.size() > kMaxMethod) return refuse(400, "malformed method");
  int minor = minor_version(line.substr(last + 1));
  if (minor == -2) return refuse(400, "malformed request line");
  if (minor == -1) return refuse(505, "unsupported HTTP version");
  if (target.size() > limits_.max_target_bytes) return refuse(414, "too long target");
  head_.method = std::string(method);
  head_.minor_version = minor;
  if (method == "CONNECT") return refuse(400, "CONNECT");
  return parse_target_text(target);
}

// Origin-form, or absolute-form whose authority must then agree with Host (RFC 9112 section 3.2.2).
HeadState RequestParser::parse_target_text(std::string_view text) {
  std::string rooted;
  if (!text.starts_with('/')) {
    size_t colon = text.find("://");
    std::string scheme = lower(text.substr(0, colon));
    if (colon == std::string_view::npos || (scheme != "http" && scheme != "https"))
      return refuse(400, "malformed target");
    std::string_view rest = text.substr(colon + 3);
    size_t end = std::min(rest.find_first_of("/?"), rest.size());
    auto authority = parse_authority(rest.substr(0, end));
    if (!authority) return refuse(400, "malformed target");
    authority_ = authority->text();
    rest.remove_prefix(end);
    rooted = rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest);
    text = rooted;
  }
  auto target = parse_target(text);
  if (!target) return refuse(400, "malformed target");
  head_.target = std::move(*target);
  return HeadState::complete;
}

HeadState RequestParser::parse_headers(std::string_view lines) {
  Fields fields;
  std::string_view why = parse_fields(lines, scanner_.lines(), fields);
  if (!why.empty()) return refuse(400, why);
  if (fields.chunked && head_.minor_version == 0) return refuse(400, "Transfer-Encoding in HTTP/1.0");

  if (fields.hosts > 1) return refuse(400, "repeated Host");
  if (fields.hosts == 0 && head_.minor_version >= 1) return refuse(400, "no Host");
  if (fields.hosts == 1) {
    auto authority = parse_authority(fields.host);
    if (!authority) return refuse(400, "malformed Host");
    head_.host = authority->text();
    if (!authority_.empty() && authority_ != head_.host) return refuse(400, "the target's host is not Host");
  } else {
    head_.host = authority_;
  }

  if (!fields.expect.empty() && head_.minor_version >= 1) {
    if (!iequals(fields.expect, "100-continue")) return refuse(417, "unknown expectation");
    head_.expects_continue = true;
  }
  head_.keep_alive = keeps_alive(fields, head_.minor_version);
  head_.headers = std::move(fields.headers);
  head_.content_length = fields.content_length;
  head_.chunked = fields.chunked;
  if (!head_.has_body()) head_.expects_continue = false;
  // An upgrade together with a body would leave it open which protocol the body belongs to.
  if (head_.minor_version >= 1 && !head_.has_body() && head_.headers.count("upgrade") == 1 &&
      head_.headers.has_token("connection", "upgrade")) {
    std::string_view protocol = head_.headers.get("upgrade");
    if (chars::is_token(protocol)) head_.upgrade = lower(protocol);
  }
  return HeadState::complete;
}

// --- responses ----------------------------------------------------------------------------------

void ResponseParser::reset() {
  scanner_ = {};
  head_ = {};
  refusal_ = {};
}

HeadState ResponseParser::refuse(std::string_view why) {
  refusal_ = {502, why};
  return HeadState::refused;
}

HeadState ResponseParser::parse(std::string_view buffer) {
  std::string_view prefix = "HTTP/1.";
  if (buffer.substr(0, prefix.size()) != prefix.substr(0, buffer.size()))
    return refuse("not an HTTP/1 response");
  std::string_view seen = buffer.substr(0, limits_.max_head_bytes);
  HeadState state = scanner_.scan(seen);
  if (state == HeadState::refused) return refuse("bare LF");
  if (scanner_.lines() > limits_.max_headers + 2) return refuse("too many headers");
  if (state == HeadState::incomplete)
    return buffer.size() >= limits_.max_head_bytes ? refuse("too large head") : state;
  size_t line = scanner_.first_line();
  if (parse_line(buffer.substr(0, line)) == HeadState::refused) return HeadState::refused;
  return parse_headers(buffer.substr(line + 2, scanner_.size() - line - 2));
}

// "HTTP/1.1 200 OK"; the blank before an absent reason may be missing, as many servers leave it out.
HeadState ResponseParser::parse_line(std::string_view line) {
  int minor = minor_version(line.substr(0, 8));
  if (minor < 0) return refuse("unsupported HTTP version");
  std::string_view rest = line.substr(8);
  if (rest.size() < 4 || rest[0] != ' ' || !is_digit(rest[1]) || !is_digit(rest[2]) || !is_digit(rest[3]) ||
      (rest.size() > 4 && rest[4] != ' '))
    return refuse("malformed status line");
  int status = (rest[1] - '0') * 100 + (rest[2] - '0') * 10 + (rest[3] - '0');
  if (status < 100 || status > 599) return refuse("malformed status");
  std::string_view reason = rest.size() > 5 ? rest.substr(5) : std::string_view();
  if (!reason.empty() && !chars::all(reason, chars::kValue)) return refuse("control character in the reason");
  head_.status = status;
  head_.reason = std::string(reason);
  head_.minor_version = minor;
  return HeadState::complete;
}

HeadState ResponseParser::parse_headers(std::string_view lines) {
  Fields fields;
  std::string_view why = parse_fields(lines, scanner_.lines(), fields);
  if (!why.empty()) return refuse(why);
  if (fields.chunked && head_.minor_version == 0) return refuse("Transfer-Encoding in HTTP/1.0");
  head_.keep_alive = keeps_alive(fields, head_.minor_version);
  head_.headers = std::move(fields.headers);
  head_.content_length = fields.content_length;
  head_.chunked = fields.chunked;
  return HeadState::complete;
}

// --- framing ------------------------------------------------------------------------------------

Framing request_framing(const RequestHead& head) {
  if (head.chunked) return Framing::chunked;
  return head.has_body() ? Framing::length : Framing::none;
}

Framing response_framing(const ResponseHead& head, std::string_view request_method) {
  if (request_method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304)
    return Framing::none;
  if (head.chunked) return Framing::chunked;
  if (head.content_length) return *head.content_length > 0 ? Framing::length : Framing::none;
  return Framing::until_close;
}

}  // namespace kith::http
