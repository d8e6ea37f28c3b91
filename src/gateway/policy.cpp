#include "gateway/policy.h"

#include <algorithm>
#include <span>

#include "gateway/router.h"

namespace kith::gateway {

namespace {

std::span<const std::string> values_of(const Rendered& operand) {
  return operand.is_list ? operand.list : std::span(&operand.text, 1);
}

bool equals(const Rendered& left, const Rendered& right) {
  auto on_the_right = [&](const std::string& value) {
    auto values = values_of(right);
    return std::find(values.begin(), values.end(), value) != values.end();
  };
  auto values = values_of(left);
  return std::any_of(values.begin(), values.end(), on_the_right);
}

// An empty text is part of every text, which nobody means by it.
bool says_something(const Rendered& parts) {
  auto values = values_of(parts);
  return std::any_of(values.begin(), values.end(), [](const std::string& part) { return !part.empty(); });
}

bool contains(const Rendered& whole, const Rendered& parts) {
  if (whole.is_list) return equals(whole, parts);
  auto values = values_of(parts);
  return std::any_of(values.begin(), values.end(), [&](const std::string& part) {
    return !part.empty() && whole.text.find(part) != std::string::npos;
  });
}

bool is_allowed(const PolicyConfig& policy, const Claims& claims) {
  if (policy.allow_all) return true;
  if (policy.rules.empty()) return false;
  auto ok = [&](const Rule& rule) { return holds(rule, claims); };
  return policy.aggregation == Rule::Join::all ? std::all_of(policy.rules.begin(), policy.rules.end(), ok)
                                               : std::any_of(policy.rules.begin(), policy.rules.end(), ok);
}

}  // namespace

bool holds(const Condition& condition, const Claims& claims) {
  Rendered left = render(condition.left, claims);
  Rendered right = render(condition.right, claims);
  if (!left.complete || !right.complete) return false;
  switch (condition.op) {
    case Condition::Op::equals: return equals(left, right);
    case Condition::Op::not_equals: return !equals(left, right);
    case Condition::Op::contains: return says_something(right) && contains(left, right);
    case Condition::Op::not_contains: return says_something(right) && !contains(left, right);
  }
  return false;
}

bool holds(const Rule& rule, const Claims& claims) {
  if (rule.conditions.empty()) return false;
  auto ok = [&](const Condition& condition) { return holds(condition, claims); };
  return rule.join == Rule::Join::all ? std::all_of(rule.conditions.begin(), rule.conditions.end(), ok)
                                      : std::any_of(rule.conditions.begin(), rule.conditions.end(), ok);
}

Result<PolicySet> PolicySet::compile(const std::vector<PolicyConfig>& policies) {
  PolicySet set;
  for (const PolicyConfig& policy : policies) {
    Entry entry{.policy = policy, .pattern = std::nullopt, .prefix = {}};
    if (policy.location.starts_with('~')) {
      std::string_view text = std::string_view(policy.location).substr(1);
      while (text.starts_with(' ')) text.remove_prefix(1);
      auto pattern = Pattern::compile(text);
      if (!pattern) return std::move(pattern).error().within("policy location " + policy.location);
      entry.pattern = std::move(*pattern);
    } else {
      auto prefix = clean_prefix(policy.location);
      if (!prefix) return std::move(prefix).error().within("policy location");
      entry.prefix = std::move(*prefix);
    }
    set.entries_.push_back(std::move(entry));
  }
  std::stable_sort(set.entries_.begin(), set.entries_.end(), [](const Entry& a, const Entry& b) {
    if (a.pattern.has_value() != b.pattern.has_value()) return a.pattern.has_value();
    return !a.pattern && a.prefix.size() > b.prefix.size();
  });
  return set;
}

const PolicyConfig* PolicySet::find(std::string_view path) const {
  for (const Entry& entry : entries_) {
    if (entry.pattern ? entry.pattern->matches(path) : path_under(path, entry.prefix)) return &entry.policy;
  }
  return nullptr;
}

Verdict PolicySet::judge(std::string_view path, const Claims& claims) const {
  Verdict verdict;
  verdict.policy = find(path);
  if (!verdict.policy) return verdict;
  const PolicyConfig& policy = *verdict.policy;
  bool known = std::any_of(policy.idps.begin(), policy.idps.end(),
                           [&](const std::string& idp) { return claims.authenticated(idp); });
  if (!known && !policy.allow_unauthenticated) {
    bool can_login = !policy.idps.empty();
    verdict.decision = can_login ? Decision::login : Decision::deny;
    verdict.reason = can_login ? "not authenticated" : "no identity provider";
    return verdict;
  }
  bool allowed = is_allowed(policy, claims);
  verdict.decision = allowed ? Decision::allow : Decision::deny;
  verdict.reason = allowed ? (known ? "authenticated" : "public") : "rules";
  return verdict;
}

}  // namespace kith::gateway
