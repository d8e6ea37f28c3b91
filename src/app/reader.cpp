#include "app/reader.h"

#include <algorithm>

#include "base/text.h"

namespace kith::app {

namespace {

constexpr size_t kMaxProblems = 500;  // nobody reads more; the rest shows up in the next run

bool is_name_char(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '_'; }

// The variable in the inner text of "{{ ... }}", or nullopt when it is no reference to the environment.
std::optional<std::string> env_name(std::string_view inner) {
  inner = trim(inner);
  if (!inner.starts_with("env.")) return std::nullopt;
  return std::string(trim(inner.substr(4)));
}

// Whether a text has an "{{ env.NAME }}" in it.
bool uses_environment(std::string_view text) {
  for (size_t at = text.find("{{"); at != std::string_view::npos; at = text.find("{{", at + 2)) {
    if (trim(text.substr(at + 2)).starts_with("env.")) return true;
  }
  return false;
}

std::string join_path(const std::string& path, const std::string& segment) {
  if (path.empty() || segment.starts_with('[')) return path + segment;
  return path + "." + segment;
}

}  // namespace

Reader::Reader(std::string file, const Surroundings& around, SecretProvider* secrets, Problems& problems)
    : file_(std::move(file)), around_(around), secrets_(secrets), problems_(problems) {}

Reader::Inside::~Inside() {
  reader_.path_.resize(reader_.steps_.back().path_size);
  reader_.steps_.pop_back();
}

void Reader::push(std::string segment, Place at, Place value) {
  steps_.push_back({path_.size(), at});
  path_ = join_path(path_, segment);
  places_.emplace(path_, value);
}

Reader::Inside Reader::enter(const Entry& entry) {
  // A map under a key begins at its first key, which is nobody's idea of where it is: show the key.
  bool scalar = entry.value.kind == Node::Kind::scalar;
  push(entry.key, entry.place, scalar ? entry.value.place : entry.place);
  return Inside(*this);
}

Reader::Inside Reader::enter(size_t index, const Node& item) {
  push("[" + std::to_string(index) + "]", item.place, item.place);
  return Inside(*this);
}

std::optional<Scalar> Reader::scalar(const Node& node, const std::string& expected, bool secret) {
  if (node.kind != Node::Kind::scalar) {
    mismatch(node, expected, "", secret);
    return std::nullopt;
  }
  auto value = substitute(node);
  if (!value) return std::nullopt;
  if (auto name = secret_reference(value->text)) return resolve(node, std::string(*name));
  return value;
}

std::optional<Scalar> Reader::substitute(const Node& node) {
  Scalar out;
  std::string_view rest = node.text;
  for (;;) {
    size_t begin = rest.find("{{");
    size_t end = begin == std::string_view::npos ? begin : rest.find("}}", begin);
    if (end == std::string_view::npos) break;
    auto name = env_name(rest.substr(begin + 2, end - begin - 2));
    if (!name) {  // a template of another kind, read later by those who know it
      out.text += rest.substr(0, end + 2);
      rest.remove_prefix(end + 2);
      continue;
    }
    if (name->empty() || is_digit(name->front()) || !std::all_of(name->begin(), name->end(), is_name_char)) {
      mismatch(node, "the name of an environment variable in \"{{ env.NAME }}\"");
      return std::nullopt;
    }
    out.text += rest.substr(0, begin);
    rest.remove_prefix(end + 2);
    out.from = Scalar::From::environment;
    auto value = around_.env(*name);
    if (value) {
      out.text += *value;
    } else if (unset_.emplace(*name, true).second) {
      Problem problem;
      problem.severity = Severity::warning;
      problem.place = node.place;
      problem.message = "the environment variable " + *name + " is not set and counts as empty";
      report(std::move(problem));
    }
  }
  out.text += rest;
  return out;
}

std::optional<Scalar> Reader::resolve(const Node& node, const std::string& name) {
  auto fail = [&](std::string why) {
    Problem problem;
    problem.place = node.place;
    problem.found = "<" + name + ">";
    problem.message = "the secret <" + name + "> cannot be read: " + why;
    report(std::move(problem));
    return std::nullopt;
  };
  if (!secrets_) {
    return fail(
        "no secret provider is set (KITH_SECRET_PROVIDER, MAVERICS_SECRET_PROVIDER or -secretProvider)");
  }
  auto value = find_secret(*secrets_, name);
  if (!value) return fail(value.error().message());
  return Scalar{std::string(value->reveal_text()), Scalar::From::secret};
}

std::string Reader::found(const Node& node, bool secret) {
  switch (node.kind) {
    case Node::Kind::null: return "nothing";
    case Node::Kind::list: return "a list";
    case Node::Kind::map: return "a map";
    case Node::Kind::scalar: break;
  }
  if (secret_reference(node.text)) return "the value of the secret " + node.text;
  if (uses_environment(node.text)) return "the value of \"" + printable(node.text, 80) + "\"";
  if (secret) return "a value that is not shown";
  return "\"" + printable(node.text, 80) + "\"";
}

void Reader::mismatch(const Node& node, const std::string& expected, const std::string& why, bool secret) {
  Problem problem;
  problem.place = node.kind == Node::Kind::scalar || node.kind == Node::Kind::list ? node.place : here();
  problem.expected = expected;
  problem.found = found(node, secret);
  problem.message = "expected " + expected + ", found " + problem.found;
  bool shown = problem.found.starts_with('"');
  if (!why.empty() && shown) problem.message += " (" + why + ")";
  report(std::move(problem));
}

void Reader::missing(std::string_view key, const std::string& expected) {
  Problem problem;
  problem.expected = expected;
  problem.found = "nothing";
  problem.message = "the key \"" + std::string(key) + "\" is missing: expected " + expected;
  report(std::move(problem));
}

void Reader::unknown_key(const Entry& entry, const std::vector<std::string_view>& known) {
  Problem problem;
  problem.place = entry.place;
  problem.path = join_path(path_, entry.key);
  problem.found = entry.key;
  problem.message = "unknown key \"" + printable(entry.key, 80) + "\"";
  if (auto near = nearest(std::string_view(entry.key).substr(0, 64), known)) {  // longer ones are no slips
    problem.nearest = std::string(*near);
    problem.message += ", did you mean \"" + problem.nearest + "\"?";
  } else {
    std::string list;
    for (std::string_view key : known) list += (list.empty() ? "" : ", ") + std::string(key);
    problem.expected = "one of " + list;
    problem.message += ", known here: " + list;
  }
  report(std::move(problem));
}

void Reader::report(Problem problem) {
  // The first error is always kept: it is what refuses the configuration.
  if (problems_.size() >= kMaxProblems && (problem.severity == Severity::warning || has_errors(problems_))) {
    return;
  }
  if (problem.file.empty()) problem.file = file_;
  if (problem.place.line == 0) problem.place = here();
  if (problem.path.empty()) problem.path = path_;
  problems_.push_back(std::move(problem));
}

Place Reader::place_of(const std::string& path) const {
  std::string at = path;
  while (!at.empty()) {
    if (auto found = places_.find(at); found != places_.end()) return found->second;
    size_t cut = at.find_last_of(".[");
    at.resize(cut == std::string::npos ? 0 : cut);
  }
  return {1, 1};
}

void Reader::error_at(const std::string& path, std::string message, std::string nearest) {
  Problem problem;
  problem.place = place_of(path);
  problem.path = path;
  problem.message = std::move(message);
  problem.nearest = std::move(nearest);
  if (!problem.nearest.empty()) problem.message += ", did you mean \"" + problem.nearest + "\"?";
  report(std::move(problem));
}

void Reader::warn_at(const std::string& path, std::string message) {
  Problem problem;
  problem.severity = Severity::warning;
  problem.place = place_of(path);
  problem.path = path;
  problem.message = std::move(message);
  report(std::move(problem));
}

bool Reader::failed(const std::string& path) const {
  return std::any_of(problems_.begin(), problems_.end(), [&](const Problem& problem) {
    if (problem.severity != Severity::error || !problem.path.starts_with(path)) return false;
    return problem.path.size() == path.size() || problem.path[path.size()] == '.' ||
           problem.path[path.size()] == '[';
  });
}

std::string Reader::absolute(const std::string& path) const {
  return path.starts_with('/') ? path : around_.directory + "/" + path;
}

}  // namespace kith::app
