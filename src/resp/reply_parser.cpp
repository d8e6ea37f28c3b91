#include "resp/reply_parser.h"

#include <algorithm>

#include "resp/scan.h"

namespace kith::resp {
namespace {

constexpr size_t kMaxLine = 64 << 10;  // of simple strings and errors
constexpr size_t kFirstItems = 64;     // reserved at most before they have come
constexpr size_t kVerbatimFormat = 4;  // "txt:"

constexpr std::string_view kTypes = "+-:,$!=*%~>|_#(";

bool is_number(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

MutableByteView ReplyParser::space() { return input_.space(std::max(limits_.max_bytes, kMaxLine) + 16); }

void ReplyParser::feed(ByteView bytes) {
  while (!bytes.empty()) {
    const MutableByteView room = input_.space(2 * (input_.size() + bytes.size()));
    const size_t fitting = std::min(room.size(), bytes.size());
    std::copy_n(bytes.begin(), fitting, room.begin());
    input_.commit(fitting);
    bytes = bytes.subspan(fitting);
  }
}

ReplyParser::State ReplyParser::next() {
  if (!error_.empty()) return State::refused;
  whole_ = false;
  while (!whole_) {
    const State state = read_value();
    if (state != State::reply) return state;
  }
  elements_ = bytes_ = 0;
  return State::reply;
}

ReplyParser::State ReplyParser::read_value() {
  if (bulk_) return read_bulk();
  const std::string_view text = input_.text();
  if (text.empty()) return State::incomplete;
  if (kTypes.find(text.front()) == std::string_view::npos) return refuse("a type that is not known");
  std::string_view line;
  const Line found = find_line(text, 1, kMaxLine, seen_, line);
  if (found == Line::incomplete) return State::incomplete;
  if (found == Line::too_long) return refuse_size("a line is too long");
  if (found == Line::malformed || line.find('\n') != std::string_view::npos)
    return refuse("a line does not end in CR LF");
  if (line.size() + 3 > limits_.max_bytes - bytes_) return refuse_size("the reply is too large");
  bytes_ += line.size() + 3;
  input_.consume(line.size() + 3);  // the view stays: nothing is received before it was used
  return read_line_value(text.front(), line);
}

ReplyParser::State ReplyParser::read_line_value(char type, std::string_view line) {
  switch (type) {
    case '+': return place({.type = Reply::Type::simple, .text = std::string(line)});
    case '-': return place({.type = Reply::Type::error, .text = std::string(line)});
    case ':': return read_number(line);
    case ',': return read_real(line);
    case '$': return begin_bulk(Reply::Type::bulk, line);
    case '!': return begin_bulk(Reply::Type::error, line);
    case '=': return begin_bulk(Reply::Type::verbatim, line);
    case '*':
    case '%':
    case '~':
    case '>':
    case '|': return begin_aggregate(type, line);
    case '_':
      if (!line.empty()) return refuse("a null with text");
      return place({});
    case '#':
      if (line != "t" && line != "f") return refuse("a boolean that is neither");
      return place({.type = Reply::Type::boolean, .number = line == "t" ? 1 : 0});
    default:  // '(', the last of kTypes
      if (!is_number(line)) return refuse("a big number that is none");
      return place({.type = Reply::Type::big_number, .text = std::string(line)});
  }
}

ReplyParser::State ReplyParser::read_number(std::string_view line) {
  if (line.starts_with('+') && !line.starts_with("+-")) line.remove_prefix(1);
  const auto value = parse_integer(line);
  if (!value) return refuse("an integer that is none");
  return place({.type = Reply::Type::integer, .number = *value});
}

ReplyParser::State ReplyParser::read_real(std::string_view line) {
  if (line.starts_with('+') && !line.starts_with("+-")) line.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error != std::errc() || end != line.data() + line.size()) return refuse("a double that is none");
  return place({.type = Reply::Type::real, .real = value});
}

ReplyParser::State ReplyParser::begin_bulk(Reply::Type type, std::string_view line) {
  if (line == "-1" && type == Reply::Type::bulk) return place({});
  const auto size = parse_integer(line);
  if (!size || *size < 0) return refuse("a length that is none");
  const size_t left = limits_.max_bytes - bytes_;
  if (left < 2 || static_cast<uint64_t>(*size) > left - 2) return refuse_size("the reply is too large");
  if (type == Reply::Type::verbatim && *size < static_cast<int64_t>(kVerbatimFormat))
    return refuse("a verbatim string without format");
  bulk_ = Bulk{type, static_cast<size_t>(*size)};
  return read_bulk();
}

ReplyParser::State ReplyParser::read_bulk() {
  const auto [type, size] = *bulk_;
  if (input_.size() < size + 2) return State::incomplete;
  std::string_view text = input_.text().substr(0, size + 2);
  if (!text.ends_with("\r\n")) return refuse("a string is not of its length");
  text.remove_suffix(2);
  if (type == Reply::Type::verbatim) {
    if (text[kVerbatimFormat - 1] != ':') return refuse("a verbatim string without format");
    text.remove_prefix(kVerbatimFormat);
  }
  Reply value{.type = type, .text = std::string(text)};
  bytes_ += size + 2;
  input_.consume(size + 2);
  bulk_.reset();
  return place(std::move(value));
}

ReplyParser::State ReplyParser::begin_aggregate(char type, std::string_view line) {
  if (line == "-1" && type == '*') return place({});
  const auto count = parse_integer(line);
  if (!count || *count < 0) return refuse("a count that is none");
  if (type == '>' && !stack_.empty()) return refuse("a push inside a reply");
  const bool pairs = type == '%' || type == '|';
  const size_t left = limits_.max_elements - elements_;
  // An aggregate counts itself, so that empty ones are not free.
  if (left < 1 || static_cast<uint64_t>(*count) > (left - 1) / (pairs ? 2 : 1))
    return refuse_size("the reply has too many elements");
  const size_t items = static_cast<size_t>(*count) * (pairs ? 2 : 1);
  elements_ += 1 + items;
  Frame frame{.reply = {}, .left = items, .attribute = type == '|'};
  switch (type) {
    case '%': frame.reply.type = Reply::Type::map; break;
    case '~': frame.reply.type = Reply::Type::set; break;
    case '>': frame.reply.type = Reply::Type::push; break;
    default: frame.reply.type = Reply::Type::array; break;
  }
  if (items == 0) return frame.attribute ? State::reply : place(std::move(frame.reply));
  if (stack_.size() >= limits_.max_depth) return refuse_size("the reply is too deep");
  frame.reply.items.reserve(std::min(items, kFirstItems));
  stack_.push_back(std::move(frame));
  return State::reply;
}

ReplyParser::State ReplyParser::place(Reply value) {
  while (!stack_.empty()) {
    Frame& top = stack_.back();
    top.reply.items.push_back(std::move(value));
    if (--top.left > 0) return State::reply;
    const bool attribute = top.attribute;
    value = std::move(top.reply);
    stack_.pop_back();
    if (attribute) return State::reply;  // what it describes is still to come
  }
  result_ = std::move(value);
  whole_ = true;
  return State::reply;
}

ReplyParser::State ReplyParser::refuse(std::string_view why) {
  error_ = why;
  return State::refused;
}

ReplyParser::State ReplyParser::refuse_size(std::string_view why) {
  over_limit_ = true;
  return refuse(why);
}

}  // namespace kith::resp
