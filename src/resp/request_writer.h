// What a client of the Redis protocol sends: a command is an array of bulk strings, in both protocols.
#pragma once

#include <charconv>
#include <initializer_list>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace kith::resp {

namespace detail {
// "$5\r\n"
inline void append_header(Bytes& out, char type, int64_t value) {
  std::array<char, 24> text;
  text[0] = type;
  char* end = std::to_chars(text.data() + 1, text.data() + text.size() - 2, value).ptr;
  *end++ = '\r';
  *end++ = '\n';
  append(out, std::string_view(text.data(), static_cast<size_t>(end - text.data())));
}
inline void append_bulk(Bytes& out, std::string_view value) {
  append_header(out, '$', static_cast<int64_t>(value.size()));
  append(out, value);
  append(out, "\r\n");
}
}  // namespace detail

inline void append_command(Bytes& out, std::span<const std::string_view> args) {
  detail::append_header(out, '*', static_cast<int64_t>(args.size()));
  for (std::string_view arg : args) detail::append_bulk(out, arg);
}
inline void append_command(Bytes& out, std::initializer_list<std::string_view> args) {
  append_command(out, std::span<const std::string_view>(args.begin(), args.size()));
}

}  // namespace kith::resp
