// The schema, told to others: to editors as JSON Schema (draft 2020-12), to people as a table.

#include <boost/json/serialize.hpp>

#include "app/schema.h"
#include "base/text.h"

namespace kith::app {

namespace {

std::string describe(const Property& property) {
  std::string out = property.doc;
  if (property.status == Property::Status::old_spelling) out += " (old spelling)";
  if (property.status == Property::Status::unsupported) out = "not supported by this version: " + out;
  return out;
}

// Numbers, flags and words may also be given by reference: "{{ env.NAME }}" or "<secret>".
json::value or_reference(json::object plain) {
  return json::object{{"anyOf", json::array{std::move(plain), json::object{{"$ref", "#/$defs/reference"}}}}};
}

json::value shape_schema(const Shape& shape);

json::object object_schema(const Shape& shape) {
  json::object properties;
  json::array required;
  for (const Property& property : shape.properties) {
    if (property.required) required.push_back(json::value(property.name));
    if (property.status == Property::Status::unsupported) {
      // `false` refuses the key in editors as kith does.
      properties[property.name] = json::object{{"not", json::object{}}, {"description", describe(property)}};
      continue;
    }
    json::value value = shape_schema(property.shape);
    value.as_object()["description"] = describe(property);
    if (property.fallback) value.as_object()["default"] = *property.fallback;
    if (property.status == Property::Status::old_spelling) value.as_object()["deprecated"] = true;
    properties[property.name] = std::move(value);
  }
  json::object out{{"type", json::array{"object", "null"}},
                   {"properties", std::move(properties)},
                   {"additionalProperties", false}};
  if (!required.empty()) {
    out["type"] = "object";
    out["required"] = std::move(required);
  }
  return out;
}

json::value shape_schema(const Shape& shape) {
  switch (shape.kind) {
    case Shape::Kind::text: return json::object{{"type", json::array{"string", "number", "boolean"}}};
    case Shape::Kind::flag: return or_reference({{"type", "boolean"}});
    case Shape::Kind::number:
      return or_reference({{"type", "integer"}, {"minimum", shape.min}, {"maximum", shape.max}});
    case Shape::Kind::choice: {
      json::array words;
      for (const std::string& word : shape.choices) words.push_back(json::value(word));
      return or_reference({{"enum", std::move(words)}});
    }
    case Shape::Kind::list: {
      json::value item = shape_schema(shape.inner[0]);
      json::object list{{"type", "array"}, {"items", item}};
      if (!shape.single_allowed) return list;
      return json::object{{"anyOf", json::array{std::move(list), std::move(item)}}};
    }
    case Shape::Kind::map:
      return json::object{{"type", "object"}, {"additionalProperties", shape_schema(shape.inner[0])}};
    case Shape::Kind::object: return object_schema(shape);
    case Shape::Kind::variant: {
      json::array kinds;
      for (const Shape& kind : shape.inner) kinds.push_back(shape_schema(kind));
      return json::object{{"anyOf", std::move(kinds)}};
    }
    case Shape::Kind::any: return json::object{};
  }
  return json::object{};
}

std::string cell(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

struct Row {
  std::string path;
  const Property* property;
};

void collect(const Shape& shape, const std::string& path, std::vector<Row>& rows) {
  switch (shape.kind) {
    case Shape::Kind::list: return collect(shape.inner[0], path + "[]", rows);
    case Shape::Kind::map: return collect(shape.inner[0], path + ".<name>", rows);
    case Shape::Kind::variant:
      for (const Shape& kind : shape.inner) collect(kind, path, rows);
      return;
    case Shape::Kind::object:
      for (const Property& property : shape.properties) {
        std::string inner = path.empty() ? property.name : path + "." + property.name;
        rows.push_back({inner, &property});
        collect(property.shape, inner, rows);
      }
      return;
    default: return;
  }
}

}  // namespace

json::value json_schema(const Shape& root) {
  json::object out{
      {"$schema", "https://json-schema.org/draft/2020-12/schema"},
      {"title", "Configuration of kith"},
      {"$defs", json::object{{"reference",
                              json::object{{"type", "string"},
                                           {"pattern", "\\{\\{ *env\\.|^<.+>$"},
                                           {"description", "\"{{ env.NAME }}\" or a secret: \"<name>\""}}}}}};
  for (auto& [name, value] : object_schema(root)) out[name] = value;
  return out;
}

std::string reference_table(const Shape& root) {
  std::vector<Row> rows;
  collect(root, "", rows);
  std::string out = "| Key | Value | Default | Meaning |\n|---|---|---|---|\n";
  for (const Row& row : rows) {
    const Property& property = *row.property;
    std::string fallback = property.required ? "required" : "";
    if (property.fallback) {
      fallback = property.fallback->is_string() ? std::string(property.fallback->get_string())
                                                : json::serialize(*property.fallback);
      fallback = "`" + fallback + "`";
    }
    out += "| `" + cell(row.path) + "` | " + cell(property.shape.expected) + " | " + cell(fallback) + " | " +
           cell(describe(property)) + " |\n";
  }
  return out;
}

std::vector<std::string> all_keys(const Shape& root) {
  std::vector<Row> rows;
  collect(root, "", rows);
  std::vector<std::string> out;
  for (const Row& row : rows) out.push_back(row.path);
  return out;
}

}  // namespace kith::app
