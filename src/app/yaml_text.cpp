#include "app/yaml_text.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/text.h"

namespace kith::app {

namespace {

bool is_plain_key(std::string_view key) {
  return !key.empty() && !is_digit(key[0]) && key[0] != '-' &&
         std::all_of(key.begin(), key.end(), [](char c) {
           return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '.' || c == '-' || c == '_';
         });
}

bool is_nested(const json::value& value) {
  return (value.is_object() && !value.get_object().empty()) ||
         (value.is_array() && !value.get_array().empty());
}

// A collection begins on the next line in a map, and on the line of its dash in a list.
void emit(std::string& out, const json::value& value, size_t indent, bool after_dash) {
  bool first = true;
  auto start_line = [&] {
    if (!(first && after_dash)) out += std::string(indent, ' ');
    first = false;
  };
  if (const auto* object = value.if_object()) {
    for (const auto& [key, member] : *object) {
      start_line();
      out += is_plain_key(key) ? std::string(key) : json::serialize(json::value(key));
      out += ':';
      if (is_nested(member)) {
        out += '\n';
        emit(out, member, indent + 2, false);
      } else {
        out += " " + json::serialize(member) + "\n";
      }
    }
  } else if (const auto* array = value.if_array()) {
    for (const json::value& item : *array) {
      start_line();
      out += "- ";
      if (is_nested(item)) {
        emit(out, item, indent + 2, true);
      } else {
        out += json::serialize(item) + "\n";
      }
    }
  }
}

}  // namespace

std::string to_yaml(const json::value& value) {
  if (!is_nested(value)) return json::serialize(value) + "\n";
  std::string out;
  emit(out, value, 0, false);
  return out;
}

}  // namespace kith::app
