#include "app/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "base/text.h"

namespace kith::app {

namespace {

struct Stop {};  // thrown out of the handler to end the parser; never leaves this file

Place place_of(const YAML::Mark& mark) {
  return mark.line < 0 ? Place{} : Place{mark.line + 1, mark.column + 1};
}

// Builds the tree from yaml-cpp's events. The stack holds the open lists and maps; a map alternates
// between a key and its value.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& file, Problems& problems, const YamlLimits& limits)
      : file_(file), problems_(problems), limits_(limits) {}

  Node take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) fail(mark, "a second document begins here, but one file holds one document");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    if (key_expected()) return add_key(mark, "null");
    add(mark, Node{});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    note(mark, "aliases are not supported: write the value out");
    if (key_expected()) return add_key(mark, "*");
    add(mark, Node{});
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (key_expected()) return add_key(mark, value);
    Node node;
    node.kind = Node::Kind::scalar;
    node.text = value;
    add(mark, std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::list);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::map);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Node node;
    Entry entry;  // the entry whose value comes next
    bool has_key = false;
    bool keep = true;     // false: a value under a refused key
    bool is_key = false;  // the collection itself stands where a key should
    std::set<std::string> seen;
  };

  bool key_expected() const {
    return !stack_.empty() && stack_.back().node.kind == Node::Kind::map && !stack_.back().has_key;
  }

  void add_key(const YAML::Mark& mark, const std::string& key) {
    count(mark);
    Open& map = stack_.back();
    map.has_key = true;
    map.keep = true;
    map.entry = Entry{key, place_of(mark), Node{}};
    if (key == "<<") {
      note(mark, "merge keys are not supported: write the values out");
      map.keep = false;
    } else if (!map.seen.insert(key).second) {
      auto first = std::find_if(map.node.entries.begin(), map.node.entries.end(),
                                [&](const Entry& entry) { return entry.key == key; });
      std::string where =
          first == map.node.entries.end() ? "" : ", first given in line " + std::to_string(first->place.line);
      note(mark, "the key \"" + printable(key, 80) + "\" is given twice" + where);
      map.keep = false;
    }
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Kind kind) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    count(mark);
    if (stack_.size() >= limits_.max_depth) {
      fail(mark, "nested deeper than " + std::to_string(limits_.max_depth) + " levels");
    }
    Open level;
    level.node.kind = kind;
    level.node.place = place_of(mark);
    level.is_key = key_expected();
    if (level.is_key) {
      note(mark,
           "expected a plain key, found a collection; templates such as \"{{ env.NAME }}\" have to "
           "stand in quotes");
    }
    stack_.push_back(std::move(level));
  }

  void close() {
    Open level = std::move(stack_.back());
    stack_.pop_back();
    if (level.is_key) {
      Open& map = stack_.back();
      map.has_key = true;
      map.keep = false;
      return;
    }
    place(std::move(level.node));
  }

  void add(const YAML::Mark& mark, Node node) {
    count(mark);
    node.place = place_of(mark);
    place(std::move(node));
  }

  void place(Node node) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = stack_.back();
    if (parent.node.kind == Node::Kind::list) {
      parent.node.items.push_back(std::move(node));
      return;
    }
    parent.has_key = false;
    if (!parent.keep) return;
    // An empty value has no place of its own.
    if (node.kind == Node::Kind::null) node.place = parent.entry.place;
    parent.entry.value = std::move(node);
    parent.node.entries.push_back(std::move(parent.entry));
  }

  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) note(mark, "anchors are not supported: write the value out where it is used");
  }
  // yaml-cpp reports "?" for a plain scalar and "!" for a quoted one.
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") note(mark, "tags are not supported: remove the \"!...\"");
  }
  void count(const YAML::Mark& mark) {
    if (++nodes_ > limits_.max_nodes) {
      fail(mark, "more than " + std::to_string(limits_.max_nodes) + " values in one file");
    }
  }
  void note(const YAML::Mark& mark, std::string message) {
    problems_.push_back({Severity::error, file_, place_of(mark), "", std::move(message), "", "", ""});
    if (++notes_ >= kMaxNotes) throw Stop{};
  }
  [[noreturn]] void fail(const YAML::Mark& mark, std::string message) {
    note(mark, std::move(message));
    throw Stop{};
  }

  const std::string& file_;
  Problems& problems_;
  const YamlLimits& limits_;
  Node root_;
  std::vector<Open> stack_;
  static constexpr size_t kMaxNotes = 100;  // a file this wrong is not read further
  size_t nodes_ = 0;
  size_t notes_ = 0;
  int documents_ = 0;
};

}  // namespace

const Entry* Node::find(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

YamlDocument parse_yaml(std::string_view text, const std::string& file, Problems& problems,
                        const YamlLimits& limits) {
  YamlDocument document;
  auto refuse = [&](Place place, std::string message) {
    problems.push_back({Severity::error, file, place, "", std::move(message), "", "", ""});
    document.complete = false;
  };
  if (text.size() > limits.max_bytes) {
    refuse({}, "larger than " + std::to_string(limits.max_bytes >> 20) + " MiB");
    return document;
  }
  TreeBuilder builder(file, problems, limits);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    document.root = builder.take_root();
  } catch (const Stop&) {
    document.complete = false;
  } catch (const YAML::Exception& error) {
    refuse(place_of(error.mark), "not YAML: " + printable(error.msg));
  }
  return document;
}

}  // namespace kith::app
