#include "app/problem.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"

namespace kith::app {

bool has_errors(const Problems& problems) {
  return std::any_of(problems.begin(), problems.end(),
                     [](const Problem& problem) { return problem.severity == Severity::error; });
}

void sort_by_place(Problems& problems) {
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.file, a.place) < std::tie(b.file, b.place);
  });
}

std::string to_line(const Problem& problem) {
  std::string out = printable(problem.file, 1000);
  if (problem.place.line > 0) {
    out += ':' + std::to_string(problem.place.line) + ':' + std::to_string(problem.place.column);
  }
  out += problem.severity == Severity::error ? ": error: " : ": warning: ";
  if (!problem.path.empty()) out += printable(problem.path, 300) + ": ";
  return out + problem.message;
}

json::value to_json(const Problems& problems) {
  json::array out;
  for (const Problem& problem : problems) {
    json::object item;
    item["severity"] = problem.severity == Severity::error ? "error" : "warning";
    item["file"] = problem.file;
    item["line"] = problem.place.line;
    item["column"] = problem.place.column;
    item["path"] = problem.path;
    item["message"] = problem.message;
    item["expected"] = problem.expected;
    item["found"] = problem.found;
    item["nearest"] = problem.nearest;
    out.push_back(std::move(item));
  }
  return out;
}

}  // namespace kith::app
