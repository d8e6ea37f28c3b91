// What is wrong with a configuration: a place in a file, the key, what was expected and what stood
// there. Everything is collected, so that one run of `kith validate` shows the whole list.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace kith::app {

// Counted from 1, as editors do. Line 0: the file as a whole.
struct Place {
  int line = 0;
  int column = 0;
  auto operator<=>(const Place&) const = default;
};

enum class Severity : uint8_t { warning, error };

// Texts never hold the value of a secret.
struct Problem {
  Severity severity = Severity::error;
  std::string file;
  Place place;
  std::string path;      // "clusters[0].addresses.membership"; "" = the document
  std::string message;   // whole sentence without the place
  std::string expected;  // "" where it makes no sense
  std::string found;
  std::string nearest;  // the known key or name that was probably meant, or ""
};

using Problems = std::vector<Problem>;

bool has_errors(const Problems& problems);
void sort_by_place(Problems& problems);

// "kith.yaml:12:5: error: clusters[0].disabled: expected true or false, found "maybe""
std::string to_line(const Problem& problem);
json::value to_json(const Problems& problems);

}  // namespace kith::app
