// The state of one decoding: where in the document we are, what was found wrong so far, and the texts
// behind {{ env.NAME }} and <secret> references. Every decoder reports here and goes on, so that all
// problems come out in one pass.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/secrets.h"
#include "app/yaml_tree.h"

namespace kith::app {

// A scalar after substitution. What came from the environment or from a secret provider is not shown
// in problems.
struct Scalar {
  std::string text;
  enum class From : uint8_t { file, environment, secret };
  From from = From::file;
};

class Reader {
 public:
  // secrets may be null: then a reference is a problem. All outlive the reader.
  Reader(std::string file, const Surroundings& around, SecretProvider* secrets, Problems& problems);

  // While it lives, the decoding is inside the named key (or list item).
  class Inside {
   public:
    ~Inside();
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    friend class Reader;
    explicit Inside(Reader& reader) : reader_(reader) {}
    Reader& reader_;
  };
  [[nodiscard]] Inside enter(const Entry& entry);
  [[nodiscard]] Inside enter(size_t index, const Node& item);

  // The text of a scalar with its references replaced; nullopt after reporting why there is none.
  // `expected` says in words what the place wants.
  std::optional<Scalar> scalar(const Node& node, const std::string& expected, bool secret = false);

  // "expected ..., found ..." at the node. `why` (may be "") is added in brackets; it is left out when
  // the value must not be shown.
  void mismatch(const Node& node, const std::string& expected, const std::string& why = "",
                bool secret = false);
  void missing(std::string_view key, const std::string& expected);  // at the current place
  void unknown_key(const Entry& entry, const std::vector<std::string_view>& known);
  void report(Problem problem);  // file, place and path are filled in from the current place when empty

  // For checks between keys: at the place of a path that was read, or of its nearest parent.
  void error_at(const std::string& path, std::string message, std::string nearest = "");
  void warn_at(const std::string& path, std::string message);
  bool has(const std::string& path) const { return places_.contains(path); }
  bool failed(const std::string& path) const;  // whether an error was reported at the path or below it

  const Surroundings& around() const { return around_; }
  std::string absolute(const std::string& path) const;  // relative ones start at the file's folder

 private:
  struct Step {
    size_t path_size;  // of path_ before this step
    Place place;       // where a problem of the whole thing is shown
  };
  Place here() const { return steps_.empty() ? Place{1, 1} : steps_.back().place; }
  Place place_of(const std::string& path) const;
  std::optional<Scalar> substitute(const Node& node);
  std::optional<Scalar> resolve(const Node& node, const std::string& name);
  std::string found(const Node& node, bool secret);
  void push(std::string segment, Place at, Place value);

  std::string file_;
  const Surroundings& around_;
  SecretProvider* secrets_;
  Problems& problems_;
  std::string path_;
  std::vector<Step> steps_;
  std::map<std::string, Place> places_;
  std::map<std::string, bool> unset_;  // variables already warned about
};

}  // namespace kith::app
