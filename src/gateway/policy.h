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

// Whether one condition holds. An operand with a missing claim makes equals and contains false; and
// notEquals and notContains too, since "not x" of somebody we know nothing about proves nothing.
// contains: a list has the element, or a text has the part.
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
