#include "app/schema.h"

#include <algorithm>

#include "base/text.h"

namespace kith::app {

namespace {

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; });
}

Shape text_shape(std::string expected) { return {Shape::Kind::text, std::move(expected)}; }

json::value show_text(const std::string& value) { return json::value(value); }

}  // namespace

Error plain_mismatch() { return Error(Code::invalid, "", Side::config); }

void read_scalar(Reader& reader, const Node& node, const Shape& shape, const ParseText& parse) {
  auto scalar = reader.scalar(node, shape.expected, shape.secret);
  if (!scalar) return;
  auto done = parse(scalar->text);
  if (done) return;
  reader.mismatch(node, shape.expected, done.error().message(), shape.secret);
}

Codec<std::string> text(std::string expected, size_t max) {
  return leaf<std::string>(
      text_shape(std::move(expected)),
      [max](const std::string& value) -> Result<std::string> {
        if (value.empty()) return plain_mismatch();
        if (value.size() > max) {
          return Error(Code::limit, "longer than " + std::to_string(max) + " bytes", Side::config);
        }
        if (has_control(value)) return Error(Code::invalid, "with control characters", Side::config);
        return value;
      },
      show_text);
}

Codec<std::string> any_scalar() {
  return leaf<std::string>(
      text_shape("a text or number"), [](const std::string& value) -> Result<std::string> { return value; },
      show_text);
}

Codec<bool> flag() {
  return leaf<bool>(
      {Shape::Kind::flag, "true or false"},
      [](const std::string& value) -> Result<bool> {
        if (iequals(value, "true")) return true;
        if (iequals(value, "false")) return false;
        return plain_mismatch();
      },
      [](const bool& value) { return json::value(value); });
}

Codec<Duration> duration(Duration min, Duration max) {
  std::string expected = "a duration such as 30s, 5m or 1h30m";
  return leaf<Duration>(
      text_shape(expected),
      [min, max](const std::string& value) -> Result<Duration> {
        auto parsed = parse_duration(value);
        if (!parsed) return plain_mismatch();
        if (*parsed < min) return Error(Code::limit, "at least " + format_duration(min), Side::config);
        if (*parsed > max) return Error(Code::limit, "at most " + format_duration(max), Side::config);
        return *parsed;
      },
      [](const Duration& value) { return json::value(value == Duration(0) ? "0" : format_duration(value)); });
}

Codec<Duration> seconds(int64_t max) {
  Shape shape{Shape::Kind::number, "whole seconds from 0 to " + std::to_string(max), {}, 0, max, {}, {}};
  return leaf<Duration>(
      shape,
      [max](const std::string& value) -> Result<Duration> {
        KITH_TRY(int64_t count, parse_number(value, 0, max));
        return Duration(std::chrono::seconds(count));
      },
      [](const Duration& value) {
        return json::value(std::chrono::duration_cast<std::chrono::seconds>(value).count());
      });
}

Result<int64_t> parse_number(const std::string& text, int64_t min, int64_t max) {
  auto value = parse_u64(text);
  if (!value || *value > static_cast<uint64_t>(max) || static_cast<int64_t>(*value) < min) {
    return plain_mismatch();
  }
  return static_cast<int64_t>(*value);
}

Shape choice_shape(std::vector<std::string> choices) {
  std::string expected;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) expected += i + 1 == choices.size() ? " or " : ", ";
    expected += choices[i];
  }
  return {Shape::Kind::choice, std::move(expected), std::move(choices)};
}

Error not_a_choice(const std::string& text, const std::vector<std::string>& choices) {
  auto near = nearest(text, {choices.begin(), choices.end()});
  if (choices.size() < 3 || !near) return plain_mismatch();
  return Error(Code::invalid, "did you mean \"" + std::string(*near) + "\"?", Side::config);
}

void read_items(Reader& reader, const Node& node, const Shape& shape,
                const std::function<void(const Node& item)>& read) {
  if (node.kind == Node::Kind::null) return;
  if (shape.single_allowed && node.kind == Node::Kind::scalar) return read(node);
  if (node.kind != Node::Kind::list) return reader.mismatch(node, shape.expected, "", shape.secret);
  for (size_t i = 0; i < node.items.size(); ++i) {
    auto inside = reader.enter(i, node.items[i]);
    read(node.items[i]);
  }
}

void read_map(Reader& reader, const Node& node, const Shape& shape,
              const std::function<void(const std::string& key, const Node& value)>& read) {
  if (node.kind == Node::Kind::null) return;
  if (node.kind != Node::Kind::map) return reader.mismatch(node, shape.expected);
  for (const Entry& entry : node.entries) {
    auto inside = reader.enter(entry);
    read(entry.key, entry.value);
  }
}

void read_object(Reader& reader, const Node& node, const std::vector<Property>& properties,
                 const ReadKey& read) {
  if (node.kind != Node::Kind::map && node.kind != Node::Kind::null) return reader.mismatch(node, "a map");
  for (size_t i = 0; i < properties.size(); ++i) {
    const Entry* entry = node.find(properties[i].name);
    if (entry) {
      auto inside = reader.enter(*entry);
      read(properties[i], i, *entry);
    } else if (properties[i].required) {
      reader.missing(properties[i].name, properties[i].shape.expected);
    }
  }
  std::vector<std::string_view> known;
  for (const Property& property : properties) {
    if (property.status == Property::Status::current) known.push_back(property.name);
  }
  for (const Entry& entry : node.entries) {
    bool is_known = std::any_of(properties.begin(), properties.end(),
                                [&](const Property& property) { return property.name == entry.key; });
    if (!is_known) reader.unknown_key(entry, known);
  }
}

bool worth_showing(const json::value& value) {
  if (value.is_string()) return !value.get_string().empty();
  if (value.is_array()) return !value.get_array().empty();
  if (value.is_object()) return !value.get_object().empty();
  return !value.is_null();
}

std::optional<json::value> if_worth_showing(json::value value) {
  if (!worth_showing(value)) return std::nullopt;
  return value;
}

Property unsupported_property(std::string name, std::string doc) {
  Property property{std::move(name), std::move(doc), Shape{}};
  property.status = Property::Status::unsupported;
  return property;
}

void report_unsupported(Reader& reader, const std::string& doc) {
  Problem problem;
  problem.message = "not supported by this version of kith" + (doc.empty() ? "" : ": " + doc);
  reader.report(std::move(problem));
}

}  // namespace kith::app
