// Who may do what: the policies of one app. A request is judged by its canonical path and the claims
// of its session, by nothing else; whatever is not allowed in so many words is denied.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/claims.h"
#include "gateway/config.h"
#include "gateway/pattern.h"

namespace kith::gateway {

enum class Decision : uint8_t {
  deny,   // the zero value
  login,  // not authenticated by any of the policy's connectors
  allow,
};

struct Verdict {
  Decision decision = Decision::deny;
  std::string_view reason = "no policy";  // a constant, for the log
  const PolicyConfig* policy = nullptr;   // the one that judged; null when none matched
};

// Whether one condition holds. An operand that is one claim and nothing else may be a list; then
//   equals     some value of one side is some value of the other (a text is its only value);
//   contains   left a list: as equals, so elements are compared whole; left a text: some value on the
//              right is a part of it. An empty value on the right is in nothing, and if there is no other
//              notContains is false as well;
//   notEquals, notContains   that does not hold, of any value.
// An operand with a missing claim makes all four false: "not x" of somebody we know nothing about proves
// nothing.
bool holds(const Condition& condition, const Claims& claims);
// No conditions: false, whatever the join.
bool holds(const Rule& rule, const Claims& claims);

class PolicySet {
 public:
  // Fails (side config) on a bad prefix or regular expression.
  static Result<PolicySet> compile(const std::vector<PolicyConfig>& policies);

  // The most specific policy for the path: regular expressions in their listed order, then the longest
  // prefix (the first listed among equals).
  const PolicyConfig* find(std::string_view path) const;
  Verdict judge(std::string_view path, const Claims& claims) const;

 private:
  struct Entry {
    PolicyConfig policy;
    std::optional<Pattern> pattern;  // else a prefix
    std::string prefix;
  };
  std::vector<Entry> entries_;  // most specific first
};

}  // namespace kith::gateway
