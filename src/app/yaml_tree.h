// YAML text as a plain tree in which every node and key knows its place. What configuration does not
// need and attackers like is refused by name: aliases and anchors, merge keys, tags, duplicate keys,
// keys that are not plain words, a second document, and sizes beyond the limits below.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/problem.h"

namespace kith::app {

struct Entry;

struct Node {
  enum class Kind : uint8_t { null, scalar, list, map };
  Kind kind = Kind::null;
  Place place;
  std::string text;            // scalar: after YAML unquoting
  std::vector<Node> items;     // list
  std::vector<Entry> entries;  // map, in the order of the text, no duplicates
  const Entry* find(std::string_view key) const;
};

struct Entry {
  std::string key;
  Place place;  // of the key
  Node value;
};

struct YamlLimits {
  size_t max_bytes = 4 << 20;
  size_t max_depth = 64;
  size_t max_nodes = 100'000;  // about 1,000 applications
};

// The document, or null when it is empty. Problems are appended; after an error the tree is what could
// be read (nothing after a syntax error), good enough to look for more problems only when there is no
// syntax error: `complete` says so.
struct YamlDocument {
  Node root;
  bool complete = true;
};
YamlDocument parse_yaml(std::string_view text, const std::string& file, Problems& problems,
                        const YamlLimits& limits = {});

}  // namespace kith::app
