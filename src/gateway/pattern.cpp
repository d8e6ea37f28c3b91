#include "gateway/pattern.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/text.h"

namespace kith::gateway {

namespace {

using ByteClass = std::bitset<256>;

struct Node {
  enum class Kind : uint8_t { empty, byte_class, begin, end, sequence, choice, repeat };
  Kind kind = Kind::empty;
  ByteClass bytes;
  std::vector<size_t> children;  // indices into the tree
  int min = 0;
  int max = -1;  // -1: no end
};

ByteClass range(char from, char to) {
  ByteClass set;
  for (int c = static_cast<uint8_t>(from); c <= static_cast<uint8_t>(to); ++c)
    set.set(static_cast<size_t>(c));
  return set;
}

ByteClass one(char c) { return range(c, c); }

}  // namespace

// Recursive descent into a tree, then code from the tree; depth is bounded by kMaxDepth.
class PatternCompiler {
 public:
  explicit PatternCompiler(std::string_view text) : text_(text) {}

  Result<Pattern> compile() {
    if (text_.substr(0, 4) == "(?i)") {
      fold_case_ = true;
      at_ = 4;
    }
    KITH_TRY(size_t root, choice(0));
    if (at_ < text_.size()) return fail("unmatched ')'");
    if (!emit(root)) return fail("expression too large");
    push(Pattern::Op::accept);
    return std::move(pattern_);
  }

 private:
  Error fail(std::string what) const {
    return Error(Code::invalid, what + " at character " + std::to_string(at_ + 1), Side::config);
  }
  bool more() const { return at_ < text_.size(); }
  char peek() const { return text_[at_]; }
  bool take(char c) {
    if (!more() || peek() != c) return false;
    ++at_;
    return true;
  }
  size_t add(Node node) {
    tree_.push_back(std::move(node));
    return tree_.size() - 1;
  }

  Result<size_t> choice(int depth) {
    if (depth > Pattern::kMaxDepth) return fail("groups nested too deeply");
    Node node{.kind = Node::Kind::choice, .bytes = {}, .children = {}};
    do {
      KITH_TRY(size_t branch, sequence(depth));
      node.children.push_back(branch);
    } while (take('|'));
    return add(std::move(node));
  }

  Result<size_t> sequence(int depth) {
    Node node{.kind = Node::Kind::sequence, .bytes = {}, .children = {}};
    while (more() && peek() != '|' && peek() != ')') {
      KITH_TRY(size_t part, repeated(depth));
      node.children.push_back(part);
    }
    return add(std::move(node));
  }

  Result<size_t> repeated(int depth) {
    KITH_TRY(size_t inner, atom(depth));
    for (bool again = false; more(); again = true) {
      Node node{.kind = Node::Kind::repeat, .bytes = {}, .children = {inner}};
      if (take('*')) {
        node.min = 0;
      } else if (take('+')) {
        node.min = 1;
      } else if (take('?')) {
        node.max = 1;
      } else if (peek() == '{') {
        KITH_TRY_VOID(counts(node));
      } else {
        break;
      }
      if (again) return fail("repetition of a repetition");
      take('?');
      inner = add(std::move(node));
    }
    return inner;
  }

  Result<void> counts(Node& node) {
    size_t close = text_.find('}', at_);
    if (close == std::string_view::npos) return fail("'{' without '}'");
    std::string_view inside = text_.substr(at_ + 1, close - at_ - 1);
    size_t comma = inside.find(',');
    auto min = parse_u64(inside.substr(0, comma));
    auto max = min;
    bool open = false;
    if (comma != std::string_view::npos) {
      open = comma + 1 == inside.size();
      max = open ? min : parse_u64(inside.substr(comma + 1));
    }
    if (!min || !max || *max < *min || *max > static_cast<uint64_t>(Pattern::kMaxRepeat)) {
      return fail("bad repetition");
    }
    node.min = static_cast<int>(*min);
    node.max = open ? -1 : static_cast<int>(*max);
    at_ = close + 1;
    return {};
  }

  Result<size_t> atom(int depth) {
    char c = peek();
    switch (c) {
      case '(': return group(depth);
      case '[': return bracket();
      case '*':
      case '+':
      case '?':
      case '{': return fail("nothing to repeat");
      case '^': ++at_; return add({.kind = Node::Kind::begin, .bytes = {}, .children = {}});
      case '$': ++at_; return add({.kind = Node::Kind::end, .bytes = {}, .children = {}});
      case '.': ++at_; return add_class(~one('\n'));
      case '\\': {
        KITH_TRY(ByteClass set, escape());
        return add_class(set);
      }
      default: ++at_; return add_class(one(c));
    }
  }

  Result<size_t> group(int depth) {
    ++at_;
    if (take('?') && !take(':')) return fail("look-around and named groups are not supported");
    KITH_TRY(size_t inner, choice(depth + 1));
    if (!take(')')) return fail("'(' without ')'");
    return inner;
  }

  Result<ByteClass> escape() {
    ++at_;
    if (!more()) return fail("'\\' at the end");
    char c = text_[at_++];
    ByteClass word = range('a', 'z') | range('A', 'Z') | range('0', '9') | one('_');
    ByteClass space = one(' ') | range('\t', '\r');
    switch (c) {
      case 'd': return range('0', '9');
      case 'D': return ~range('0', '9');
      case 'w': return word;
      case 'W': return ~word;
      case 's': return space;
      case 'S': return ~space;
      default: break;
    }
    if ((word & ~one('_')).test(static_cast<uint8_t>(c))) return fail("unsupported escape");
    return one(c);
  }

  Result<size_t> bracket() {
    ++at_;
    bool negated = take('^');
    ByteClass set;
    for (bool first = true; first || (more() && peek() != ']'); first = false) {
      if (!more()) break;
      char from = peek();
      if (from == '\\') {
        KITH_TRY(ByteClass escaped, escape());
        set |= escaped;
        continue;
      }
      ++at_;
      if (text_.size() - at_ >= 2 && peek() == '-' && text_[at_ + 1] != ']') {
        char to = text_[at_ + 1];
        if (to == '\\' || static_cast<uint8_t>(to) < static_cast<uint8_t>(from)) return fail("bad range");
        at_ += 2;
        set |= range(from, to);
      } else {
        set |= one(from);
      }
    }
    if (!take(']')) return fail("'[' without ']'");
    return add_class(negated ? ~folded(set) : set);
  }

  ByteClass folded(ByteClass set) const {
    if (!fold_case_) return set;
    for (char c = 'a'; c <= 'z'; ++c) {
      size_t small = static_cast<uint8_t>(c), large = small - 32;
      if (set.test(small) || set.test(large)) set.set(small).set(large);
    }
    return set;
  }
  size_t add_class(ByteClass set) {
    return add({.kind = Node::Kind::byte_class, .bytes = folded(set), .children = {}});
  }

  size_t push(Pattern::Op op, size_t a = 0, size_t b = 0) {
    pattern_.program_.push_back({op, static_cast<uint32_t>(a), static_cast<uint32_t>(b)});
    return pattern_.program_.size() - 1;
  }
  uint32_t here() const { return static_cast<uint32_t>(pattern_.program_.size()); }

  // False when the program grew too large.
  bool emit(size_t index) {
    // Counted too: nested repetitions of nothing emit no instruction but take exponential time.
    if (here() > Pattern::kMaxProgram || ++emits_ > 10 * Pattern::kMaxProgram) return false;
    const Node& node = tree_[index];
    switch (node.kind) {
      case Node::Kind::empty: return true;
      case Node::Kind::begin: push(Pattern::Op::begin); return true;
      case Node::Kind::end: push(Pattern::Op::end); return true;
      case Node::Kind::byte_class:
        pattern_.classes_.push_back(node.bytes);
        push(Pattern::Op::byte_class, pattern_.classes_.size() - 1);
        return true;
      case Node::Kind::sequence:
        for (size_t child : node.children) {
          if (!emit(child)) return false;
        }
        return true;
      case Node::Kind::choice: return emit_choice(node);
      case Node::Kind::repeat: return emit_repeat(node);
    }
    return false;
  }

  bool emit_choice(const Node& node) {
    std::vector<size_t> exits;
    for (size_t i = 0; i + 1 < node.children.size(); ++i) {
      size_t split = push(Pattern::Op::split);
      pattern_.program_[split].a = here();
      if (!emit(node.children[i])) return false;
      exits.push_back(push(Pattern::Op::jump));
      pattern_.program_[split].b = here();
    }
    if (!emit(node.children.back())) return false;
    for (size_t exit : exits) pattern_.program_[exit].a = here();
    return true;
  }

  bool emit_repeat(const Node& node) {
    size_t child = node.children[0];
    for (int i = 0; i < node.min; ++i) {
      if (!emit(child)) return false;
    }
    if (node.max < 0) {
      size_t split = push(Pattern::Op::split);
      pattern_.program_[split].a = here();
      if (!emit(child)) return false;
      push(Pattern::Op::jump, split);
      pattern_.program_[split].b = here();
      return true;
    }
    std::vector<size_t> splits;
    for (int i = node.min; i < node.max; ++i) {
      splits.push_back(push(Pattern::Op::split));
      pattern_.program_[splits.back()].a = here();
      if (!emit(child)) return false;
    }
    for (size_t split : splits) pattern_.program_[split].b = here();
    return here() <= Pattern::kMaxProgram;
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t emits_ = 0;
  bool fold_case_ = false;
  std::vector<Node> tree_;
  Pattern pattern_;
};

Result<Pattern> Pattern::compile(std::string_view text) {
  KITH_TRY(Pattern pattern, PatternCompiler(text).compile());
  pattern.begins_anywhere_ = !pattern.can_begin_a_path();
  return pattern;
}

// The set of places in the program that are alive at one position of the text.
struct Pattern::Threads {
  std::vector<uint32_t> list;  // those that wait for a byte
  std::vector<uint64_t> seen;  // stamp per instruction: visited at this position
  std::vector<uint32_t> stack;
  uint64_t stamp = 0;
  bool accepted = false;
};

void Pattern::follow(Threads& threads, uint32_t pc, size_t at, size_t size) const {
  threads.stack.push_back(pc);
  while (!threads.stack.empty()) {
    uint32_t now = threads.stack.back();
    threads.stack.pop_back();
    if (threads.seen[now] == threads.stamp) continue;
    threads.seen[now] = threads.stamp;
    const Instruction& step = program_[now];
    switch (step.op) {
      case Op::byte_class: threads.list.push_back(now); break;
      case Op::jump: threads.stack.push_back(step.a); break;
      case Op::split:
        threads.stack.push_back(step.b);
        threads.stack.push_back(step.a);
        break;
      case Op::begin:
        if (at == 0) threads.stack.push_back(now + 1);
        break;
      case Op::end:
        if (at == size) threads.stack.push_back(now + 1);
        break;
      case Op::accept: threads.accepted = true; break;
    }
  }
}

// One that matches nothing at all could end every path: it counts as beginning one, and matches none.
bool Pattern::can_begin_a_path() const {
  Threads threads;
  threads.seen.assign(program_.size(), 0);
  threads.stamp = 1;
  follow(threads, 0, 0, 1);
  return threads.accepted || std::any_of(threads.list.begin(), threads.list.end(),
                                         [&](uint32_t pc) { return classes_[program_[pc].a].test('/'); });
}

bool Pattern::matches(std::string_view path) const {
  Threads threads;
  threads.seen.assign(program_.size(), 0);
  std::vector<uint32_t> alive;
  for (size_t at = 0;; ++at) {
    ++threads.stamp;
    threads.list.clear();
    threads.accepted = false;
    for (uint32_t pc : alive) {
      if (classes_[program_[pc].a].test(static_cast<uint8_t>(path[at - 1]))) {
        follow(threads, pc + 1, at, path.size());
      }
    }
    if (at == 0 || begins_anywhere_) follow(threads, 0, at, path.size());
    if (at == path.size()) return threads.accepted;
    if (threads.list.empty() && !begins_anywhere_) return false;
    alive = threads.list;
  }
}

}  // namespace kith::gateway
