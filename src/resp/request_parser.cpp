#include "resp/request_parser.h"

#include <algorithm>

#include "base/check.h"
#include "resp/scan.h"

namespace kith::resp {
namespace {

constexpr size_t kMaxCount = 32;  // characters of a length's line; a number of 64 bits has 20

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool ends_word(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char small = static_cast<char>(c | 0x20);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

char unescaped(char c) {
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
  }
}

// One word of an inline command, with the rules of sdssplitargs of Redis. It is decoded where it lies: its
// text is never longer than its source.
class Word {
 public:
  explicit Word(MutableByteView text) : text_(text) {}

  // False when a quote is not closed, or something stands right behind its end.
  bool decode() {
    while (in_ < text_.size() && !ends_word(at(in_))) {
      const char c = at(in_++);
      if (c == '"' || c == '\'') {
        const bool closed = c == '"' ? decode_double() : decode_single();
        return closed && (in_ == text_.size() || is_blank(at(in_)));
      }
      put(c);
    }
    return true;
  }
  size_t consumed() const { return in_; }
  size_t size() const { return out_; }

 private:
  char at(size_t index) const { return static_cast<char>(text_[index]); }
  void put(char c) { text_[out_++] = static_cast<uint8_t>(c); }
  size_t left() const { return text_.size() - in_; }

  bool decode_double() {
    while (in_ < text_.size()) {
      const char c = at(in_++);
      if (c == '"') return true;
      if (c != '\\' || left() == 0) {
        put(c);
      } else if (at(in_) == 'x' && left() >= 3 && hex_digit(at(in_ + 1)) >= 0 &&
                 hex_digit(at(in_ + 2)) >= 0) {
        put(static_cast<char>(hex_digit(at(in_ + 1)) * 16 + hex_digit(at(in_ + 2))));
        in_ += 3;
      } else {
        put(unescaped(at(in_++)));
      }
    }
    return false;
  }
  bool decode_single() {
    while (in_ < text_.size()) {
      const char c = at(in_++);
      if (c == '\'') return true;
      const bool quote = c == '\\' && left() > 0 && at(in_) == '\'';
      put(quote ? at(in_++) : c);
    }
    return false;
  }

  MutableByteView text_;
  size_t in_ = 0;
  size_t out_ = 0;
};

}  // namespace

MutableByteView RequestParser::space() {
  finish_last();
  return input_.space(std::max(limits_.max_command_bytes, limits_.max_inline_bytes) + kRead);
}

void RequestParser::feed(ByteView bytes) {
  finish_last();
  while (!bytes.empty()) {
    const MutableByteView room = input_.space(2 * (input_.size() + bytes.size()));
    const size_t fitting = std::min(room.size(), bytes.size());
    std::copy_n(bytes.begin(), fitting, room.begin());
    input_.commit(fitting);
    bytes = bytes.subspan(fitting);
  }
}

void RequestParser::shrink() {
  finish_last();
  input_.shrink();
}

void RequestParser::finish_last() {
  if (size_ == 0) return;
  input_.consume(size_);
  size_ = 0;
  args_.clear();
}

RequestParser::State RequestParser::next() {
  if (!error_.empty()) return State::refused;
  finish_last();
  return parse();
}

RequestParser::State RequestParser::parse() {
  while (!input_.empty()) {
    const State state = input_.text().front() == '*' ? parse_array() : parse_inline();
    if (state != State::command || !args_.empty()) return state;
    finish_last();  // an empty line or array
  }
  return State::incomplete;
}

RequestParser::State RequestParser::parse_inline() {
  const std::string_view text = input_.text();
  const size_t end = text.find('\n', seen_);
  seen_ = text.size();
  if (std::min(end, text.size()) > limits_.max_inline_bytes)
    return refuse("Protocol error: too big inline request");
  if (end == std::string_view::npos) return State::incomplete;
  at_ = end + 1;
  std::string_view line = text.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  line = line.substr(0, line.find('\0'));  // where Redis sees its end
  if (!split_inline(line.size())) return refuse("Protocol error: unbalanced quotes in request");
  if (pieces_.size() > limits_.max_args) return refuse("Protocol error: too big inline request");
  return complete();
}

bool RequestParser::split_inline(size_t size) {
  const MutableByteView line = input_.bytes().first(size);
  for (size_t at = 0; at < size;) {
    if (is_blank(static_cast<char>(line[at]))) {
      ++at;
      continue;
    }
    Word word(line.subspan(at));
    if (!word.decode()) return false;
    pieces_.push_back({at, word.size()});
    at += word.consumed();
  }
  return true;
}

RequestParser::State RequestParser::parse_array() {
  if (left_ == 0) {
    const State state = parse_count();
    if (state != State::command || left_ == 0) return state;
  }
  for (; left_ > 0; --left_) {
    if (bulk_ == kNoBulk) {
      const State state = parse_bulk_header();
      if (state != State::command) return state;
    }
    const std::string_view text = input_.text();
    if (text.size() - at_ < bulk_ + 2) return State::incomplete;
    if (text[at_ + bulk_] != '\r' || text[at_ + bulk_ + 1] != '\n')
      return refuse("Protocol error: invalid bulk length");
    pieces_.push_back({at_, bulk_});
    at_ += bulk_ + 2;
    bulk_ = kNoBulk;
  }
  return complete();
}

// "*N": command when it is understood, with left_ set; 0 when the array is empty, and so complete.
RequestParser::State RequestParser::parse_count() {
  std::string_view line;
  const Line found = find_line(input_.text(), 1, kMaxCount, seen_, line);
  if (found == Line::incomplete) return State::incomplete;
  if (found == Line::too_long) return refuse("Protocol error: too big mbulk count string");
  const auto count = found == Line::complete ? parse_integer(line) : std::nullopt;
  if (!count) return refuse("Protocol error: invalid multibulk length");
  at_ = 1 + line.size() + 2;
  if (*count <= 0) return complete();
  if (static_cast<uint64_t>(*count) > limits_.max_args)
    return refuse(limits_.authenticated ? "Protocol error: invalid multibulk length"
                                        : "Protocol error: unauthenticated multibulk length");
  left_ = static_cast<size_t>(*count);
  return State::command;
}

// "$N": command when it is understood, with bulk_ set.
RequestParser::State RequestParser::parse_bulk_header() {
  const std::string_view text = input_.text();
  if (at_ == text.size()) return State::incomplete;
  if (text[at_] != '$') return refuse(std::string("Protocol error: expected '$', got '") + text[at_] + "'");
  std::string_view line;
  const Line found = find_line(text, at_ + 1, kMaxCount, seen_, line);
  if (found == Line::incomplete) return State::incomplete;
  if (found == Line::too_long) return refuse("Protocol error: too big bulk count string");
  const auto size = found == Line::complete ? parse_integer(line) : std::nullopt;
  if (!size || *size < 0) return refuse("Protocol error: invalid bulk length");
  const size_t after = at_ + 1 + line.size() + 2;
  const auto bytes = static_cast<uint64_t>(*size);
  if (bytes > limits_.max_bulk_bytes || after + bytes + 2 > limits_.max_command_bytes)
    return refuse(limits_.authenticated ? "Protocol error: invalid bulk length"
                                        : "Protocol error: unauthenticated bulk length");
  bulk_ = static_cast<size_t>(bytes);
  at_ = after;
  return State::command;
}

RequestParser::State RequestParser::complete() {
  const std::string_view text = input_.text();
  args_.clear();
  for (const Piece& piece : pieces_) args_.push_back(text.substr(piece.offset, piece.size));
  pieces_.clear();
  size_ = at_;
  at_ = seen_ = 0;
  return State::command;
}

RequestParser::State RequestParser::refuse(std::string why) {
  error_ = std::move(why);
  args_.clear();
  return State::refused;
}

}  // namespace kith::resp
