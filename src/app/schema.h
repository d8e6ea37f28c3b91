// The schema of the configuration as a value. A table of keys says for each its name, its meaning, its
// shape and where it goes in the room's struct; decoding, the check for unknown keys, the JSON Schema,
// the reference table and `kith config show` are all driven by that one table, so they cannot disagree.
//
//   Keys<Health> keys = {key("location", &Health::location, path(), "where the status is served"), ...};
//
// Defaults are not written down: they are what a default-constructed struct shows.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "app/reader.h"
#include "base/json.h"
#include "base/text.h"

namespace kith::app {

struct Property;

// The form of a value, for people and for JSON Schema.
struct Shape {
  enum class Kind : uint8_t { text, flag, number, choice, list, map, object, variant, any };
  Kind kind = Kind::any;
  std::string expected;              // in words, as in "expected ..."
  std::vector<std::string> choices;  // choice
  int64_t min = 0, max = INT64_MAX;  // number
  std::vector<Property> properties;  // object
  std::vector<Shape> inner;          // list, map: the item; variant: one object for each `type`
  bool single_allowed = false;       // list: one item may stand without the list
  bool secret = false;
};

struct Property {
  std::string name;
  std::string doc;
  Shape shape;
  bool required = false;
  enum class Status : uint8_t { current, old_spelling, unsupported };
  Status status = Status::current;
  std::optional<json::value> fallback;  // the default, when there is one to show
};

// A function that never changes, so copies share it: a table holds tables, and copying one must not
// copy the tree of functions below it.
template <class Signature>
class Shared;
template <class R, class... A>
class Shared<R(A...)> {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Shared>) Shared(F&& body)
      : body_(std::make_shared<const std::function<R(A...)>>(std::forward<F>(body))) {}
  R operator()(A... arguments) const { return (*body_)(std::forward<A>(arguments)...); }

 private:
  std::shared_ptr<const std::function<R(A...)>> body_;
};

// How a T is written.
template <class T>
struct Codec {
  Shape shape;
  Shared<void(Reader&, const Node&, T&)> read;  // reports problems and leaves out as it was
  Shared<json::value(const T&)> show;           // secrets masked
};

// How one key of a T is written.
template <class T>
struct Key {
  Property property;
  Shared<void(Reader&, const Node&, T&)> read;
  Shared<std::optional<json::value>(const T&)> show;  // nullopt: nothing to show

  Key required() && {
    property.required = true;
    property.fallback.reset();
    return std::move(*this);
  }
  Key old_spelling() && {
    property.status = Property::Status::old_spelling;
    property.fallback.reset();
    show = [](const T&) { return std::nullopt; };
    return std::move(*this);
  }
};
template <class T>
using Keys = std::vector<Key<T>>;

inline const char* const kMasked = "***";

// ---- Values ----

using ParseText = std::function<Result<void>(const std::string&)>;
// Reads a scalar and hands its text to parse; an error is reported as "expected ...", with its message.
void read_scalar(Reader& reader, const Node& node, const Shape& shape, const ParseText& parse);
Error plain_mismatch();  // an error with nothing to add to "expected ..., found ..."

// The general leaf: parse gives the value or why not.
template <class T>
Codec<T> leaf(Shape shape, std::function<Result<T>(const std::string&)> parse,
              std::function<json::value(const T&)> show) {
  auto read = [shape, parse = std::move(parse)](Reader& reader, const Node& node, T& out) {
    read_scalar(reader, node, shape, [&](const std::string& text) -> Result<void> {
      KITH_TRY(out, parse(text));
      return {};
    });
  };
  return {std::move(shape), std::move(read), std::move(show)};
}

Codec<std::string> text(std::string expected = "a text",
                        size_t max = 4096);  // not empty, no control characters
Codec<std::string> any_scalar();             // also numbers, also empty
Codec<bool> flag();
Codec<Duration> duration(Duration min = Duration(0), Duration max = 24h * 3650);
Codec<Duration> seconds(int64_t max = 86'400);  // a whole number
Result<int64_t> parse_number(const std::string& text, int64_t min, int64_t max);

template <class T>
Codec<T> number(int64_t min, int64_t max) {
  Shape shape{Shape::Kind::number,
              "a whole number from " + std::to_string(min) + " to " + std::to_string(max),
              {},
              min,
              max,
              {},
              {}};
  return leaf<T>(
      shape,
      [min, max](const std::string& text) -> Result<T> {
        KITH_TRY(int64_t value, parse_number(text, min, max));
        return static_cast<T>(value);
      },
      [](const T& value) { return json::value(static_cast<int64_t>(value)); });
}

Error not_a_choice(const std::string& text, const std::vector<std::string>& choices);
Shape choice_shape(std::vector<std::string> choices);

// One of a few words, in any case.
template <class T>
Codec<T> choice(std::vector<std::pair<std::string, T>> words) {
  std::vector<std::string> names;
  for (const auto& [name, value] : words) names.push_back(name);
  Shape shape = choice_shape(names);
  return leaf<T>(
      shape,
      [words, names](const std::string& text) -> Result<T> {
        for (const auto& [name, value] : words) {
          if (iequals(name, text)) return value;
        }
        return not_a_choice(text, names);
      },
      [words](const T& value) {
        for (const auto& [name, candidate] : words) {
          if (candidate == value) return json::value(name);
        }
        return json::value();
      });
}

// ---- Containers ----

void read_items(Reader& reader, const Node& node, const Shape& shape,
                const std::function<void(const Node& item)>& read);

// A list. An item that cannot be read still takes its place, so that indices stay those of the file.
template <class T>
Codec<std::vector<T>> list(Codec<T> item, std::string expected = "a list", bool single_allowed = false) {
  Shape shape{Shape::Kind::list, std::move(expected), {}, 0, INT64_MAX, {}, {item.shape}};
  shape.single_allowed = single_allowed;
  shape.secret = item.shape.secret;
  auto show = item.show;
  return {shape,
          [shape, item](Reader& reader, const Node& node, std::vector<T>& out) {
            out.clear();
            read_items(reader, node, shape,
                       [&](const Node& one) { item.read(reader, one, out.emplace_back()); });
          },
          [show](const std::vector<T>& values) {
            json::array out;
            for (const T& value : values) out.push_back(show(value));
            return json::value(std::move(out));
          }};
}

void read_map(Reader& reader, const Node& node, const Shape& shape,
              const std::function<void(const std::string& key, const Node& value)>& read);

// Names chosen by the user, in a std::map or in a list of items with a name.
template <class T, class Less = std::less<std::string>>
Codec<std::map<std::string, T, Less>> map_of(Codec<T> item, std::string expected) {
  Shape shape{Shape::Kind::map, std::move(expected), {}, 0, INT64_MAX, {}, {item.shape}};
  auto show = item.show;
  return {shape,
          [shape, item](Reader& reader, const Node& node, std::map<std::string, T, Less>& out) {
            read_map(reader, node, shape,
                     [&](const std::string& key, const Node& value) { item.read(reader, value, out[key]); });
          },
          [show](const std::map<std::string, T, Less>& values) {
            json::object out;
            for (const auto& [name, value] : values) out[name] = show(value);
            return json::value(std::move(out));
          }};
}

// Type-erased keys, for the one loop that reads every object.
using ReadKey = std::function<void(const Property&, size_t index, const Entry&)>;
void read_object(Reader& reader, const Node& node, const std::vector<Property>& properties,
                 const ReadKey& read);

template <class T>
std::vector<Property> properties_of(const Keys<T>& keys) {
  std::vector<Property> out;
  for (const Key<T>& key : keys) out.push_back(key.property);
  return out;
}

template <class T>
void read_keys(Reader& reader, const Node& node, const Keys<T>& keys, const std::vector<Property>& properties,
               T& out) {
  read_object(reader, node, properties, [&](const Property&, size_t index, const Entry& entry) {
    keys[index].read(reader, entry.value, out);
  });
}

template <class T>
json::object show_keys(const Keys<T>& keys, const T& value) {
  json::object out;
  for (const Key<T>& key : keys) {
    if (auto shown = key.show(value)) out[key.property.name] = std::move(*shown);
  }
  return out;
}

// A map with known keys that make up a T.
template <class T>
Codec<T> object(Keys<T> keys, std::string expected = "a map") {
  auto properties = properties_of(keys);
  Shape shape{Shape::Kind::object, std::move(expected), {}, 0, INT64_MAX, properties, {}};
  return {shape,
          [keys, properties](Reader& reader, const Node& node, T& out) {
            read_keys(reader, node, keys, properties, out);
          },
          [keys](const T& value) { return json::value(show_keys(keys, value)); }};
}

// ---- Keys ----

bool worth_showing(const json::value& value);  // not null, not "", not empty
std::optional<json::value> if_worth_showing(json::value value);

template <class T, class M>
Key<T> key(std::string name, M T::*member, Codec<M> codec, std::string doc) {
  Property property{std::move(name), std::move(doc), codec.shape};
  json::value fallback = codec.show(T{}.*member);
  bool leaf_value = codec.shape.kind != Shape::Kind::object && !codec.shape.secret;
  if (leaf_value && worth_showing(fallback)) property.fallback = std::move(fallback);
  auto show = codec.show;
  return {
      std::move(property),
      [member, codec](Reader& reader, const Node& node, T& out) { codec.read(reader, node, out.*member); },
      [member, show](const T& value) { return if_worth_showing(show(value.*member)); }};
}

// A member that may be absent.
template <class T, class M>
Key<T> optional_key(std::string name, std::optional<M> T::*member, Codec<M> codec, std::string doc) {
  auto show = codec.show;
  return {Property{std::move(name), std::move(doc), codec.shape},
          [member, codec](Reader& reader, const Node& node, T& out) {
            codec.read(reader, node, (out.*member).emplace());
          },
          [member, show](const T& value) -> std::optional<json::value> {
            if (!(value.*member)) return std::nullopt;
            return show(*(value.*member));
          }};
}

// A key whose text goes to more than one member, or through a rule of its own.
template <class T>
Key<T> key_with(std::string name, Shape shape, std::function<Result<void>(const std::string&, T&)> parse,
                std::function<json::value(const T&)> show, std::string doc) {
  Property property{std::move(name), std::move(doc), shape};
  json::value fallback = show(T{});
  if (!shape.secret && worth_showing(fallback)) property.fallback = std::move(fallback);
  return {std::move(property),
          [shape, parse](Reader& reader, const Node& node, T& out) {
            read_scalar(reader, node, shape, [&](const std::string& text) { return parse(text, out); });
          },
          [show](const T& value) { return if_worth_showing(show(value)); }};
}

// Nested keys of the same struct: `lifetime: {maxTimeout: ...}` of a session.
template <class T>
Key<T> group(std::string name, std::string doc, Keys<T> keys) {
  auto codec = object<T>(keys);
  Property property{std::move(name), std::move(doc), codec.shape};
  return {std::move(property), codec.read, [keys](const T& value) -> std::optional<json::value> {
            json::object shown = show_keys(keys, value);
            if (shown.empty()) return std::nullopt;
            return json::value(std::move(shown));
          }};
}

// The keys of a member, seen as keys of the whole.
template <class T, class M>
Keys<T> of(M T::*member, Keys<M> keys) {
  Keys<T> out;
  for (Key<M>& inner : keys) {
    out.push_back({std::move(inner.property),
                   [member, read = std::move(inner.read)](Reader& reader, const Node& node, T& value) {
                     read(reader, node, value.*member);
                   },
                   [member, show = std::move(inner.show)](const T& value) { return show(value.*member); }});
  }
  return out;
}

// A key that belongs to the product family and that this version has not: refused by name.
Property unsupported_property(std::string name, std::string doc);
void report_unsupported(Reader& reader, const std::string& doc);

template <class T>
Key<T> unsupported(std::string name, std::string doc) {
  return {unsupported_property(std::move(name), doc),
          [doc](Reader& reader, const Node&, T&) { report_unsupported(reader, doc); },
          [](const T&) { return std::nullopt; }};
}

template <class T>
Keys<T> operator+(Keys<T> a, Keys<T> b) {
  for (Key<T>& one : b) a.push_back(std::move(one));
  return a;
}

// ---- Descriptions ----

json::value json_schema(const Shape& root);      // JSON Schema, draft 2020-12
std::string reference_table(const Shape& root);  // Markdown, one row for each key
std::vector<std::string> all_keys(
    const Shape& root);  // "session.store.type", "clusters[].name", in table order

}  // namespace kith::app
