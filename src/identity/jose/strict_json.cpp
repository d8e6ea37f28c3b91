#include "identity/jose/strict_json.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/error.hpp>
#include <unordered_set>

#include "base/text.h"

namespace kith::identity::jose {
namespace {

using ErrorCode = boost::system::error_code;

// Sees every member name once and stops at the first repetition.
struct NameChecker {
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  std::vector<std::unordered_set<std::string>> names;  // one set per open object
  std::string key;
  bool repeated = false;

  bool on_document_begin(ErrorCode&) { return true; }
  bool on_document_end(ErrorCode&) { return true; }
  bool on_array_begin(ErrorCode&) { return true; }
  bool on_array_end(std::size_t, ErrorCode&) { return true; }
  bool on_object_begin(ErrorCode&) {
    names.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, ErrorCode&) {
    names.pop_back();
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, ErrorCode&) {
    key.append(part.data(), part.size());
    return true;
  }
  bool on_key(json::string_view part, std::size_t, ErrorCode& ec) {
    key.append(part.data(), part.size());
    repeated = !names.back().insert(std::exchange(key, {})).second;
    if (repeated) ec = json::make_error_code(json::error::syntax);
    return !repeated;
  }
  bool on_string_part(json::string_view, std::size_t, ErrorCode&) { return true; }
  bool on_string(json::string_view, std::size_t, ErrorCode&) { return true; }
  bool on_number_part(json::string_view, ErrorCode&) { return true; }
  bool on_int64(std::int64_t, json::string_view, ErrorCode&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, ErrorCode&) { return true; }
  bool on_double(double, json::string_view, ErrorCode&) { return true; }
  bool on_bool(bool, ErrorCode&) { return true; }
  bool on_null(ErrorCode&) { return true; }
  bool on_comment_part(json::string_view, ErrorCode&) { return true; }
  bool on_comment(json::string_view, ErrorCode&) { return true; }
};

Error wrong_type(std::string_view name, std::string_view wanted) {
  return Error(Code::invalid, "'" + std::string(name) + "' is not " + std::string(wanted));
}

}  // namespace

Result<json::object> parse_strict_object(std::string_view text, const JsonLimits& limits) {
  KITH_TRY(json::value value, parse_json(text, limits));
  if (!value.is_object()) return Error(Code::invalid, "JSON is not an object");
  json::parse_options options;
  options.max_depth = limits.max_depth;
  json::basic_parser<NameChecker> checker(options);
  ErrorCode ec;
  checker.write_some(false, text.data(), text.size(), ec);
  if (checker.handler().repeated) return Error(Code::invalid, "JSON has a member name twice");
  if (ec) return Error(Code::invalid, "JSON: " + ec.message());
  return std::move(value.get_object());
}

Result<std::optional<std::string>> optional_text(const json::object& object, std::string_view name) {
  const json::value* value = find(object, name);
  if (value == nullptr) return std::optional<std::string>();
  if (!value->is_string()) return wrong_type(name, "a text");
  return std::optional<std::string>(std::string(value->get_string()));
}

Result<std::vector<std::string>> optional_texts(const json::object& object, std::string_view name) {
  std::vector<std::string> texts;
  const json::value* value = find(object, name);
  if (value == nullptr) return texts;
  if (!value->is_array()) return wrong_type(name, "a list");
  for (const json::value& entry : value->get_array()) {
    if (!entry.is_string()) return wrong_type(name, "a list of texts");
    texts.emplace_back(entry.get_string());
  }
  return texts;
}

Result<std::optional<WallTime>> optional_date(const json::object& object, std::string_view name) {
  static constexpr double kEndOfTime = 253402300800.0;  // the year 10000
  const json::value* value = find(object, name);
  if (value == nullptr) return std::optional<WallTime>();
  double seconds = 0;
  if (value->is_int64()) {
    seconds = static_cast<double>(value->get_int64());
  } else if (value->is_double()) {
    seconds = value->get_double();
  } else {
    return wrong_type(name, "a point in time");
  }
  if (!(seconds >= 0 && seconds < kEndOfTime)) return wrong_type(name, "a point in time");
  return std::optional<WallTime>(from_unix_ms(static_cast<int64_t>(seconds * 1000)));
}

}  // namespace kith::identity::jose
