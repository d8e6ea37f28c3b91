// One reply of a server of the Redis protocol, as a tree.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace kith::resp {

struct Reply {
  enum class Type : uint8_t {
    null,        // of any kind
    simple,      // text
    error,       // text, code first: "MOVED 3999 127.0.0.1:6381"
    integer,     // number
    boolean,     // number, 0 or 1
    real,        // real
    bulk,        // text, any bytes
    big_number,  // text, decimal digits
    verbatim,    // text, without its format
    array,       // items
    map,         // items: key, value, key, value
    set,         // items
    push,        // items; not the answer to anything
  };

  Type type = Type::null;
  int64_t number = 0;
  double real = 0;
  std::string text;
  std::vector<Reply> items;

  bool operator==(const Reply&) const = default;
  bool is(Type what) const { return type == what; }
  bool is_null() const { return type == Type::null; }
  bool is_error() const { return type == Type::error; }
  bool is_text() const { return type == Type::simple || type == Type::bulk || type == Type::verbatim; }
  // RESP2 has arrays only, where RESP3 says more.
  bool is_list() const { return type >= Type::array; }
  // "MOVED" of an error, else "".
  std::string_view error_code() const;
  // The value of a key in a map, or in an array of RESP2 that stands for one; null when there is none.
  const Reply* find(std::string_view key) const;
};

}  // namespace kith::resp
