#include "gateway/claims.h"

namespace kith::gateway {

namespace {

void append_joined(std::string& text, std::span<const std::string> values) {
  const size_t start = text.size();
  for (const std::string& value : values) {
    if (text.size() > start) text += ',';
    text += value;
  }
}

}  // namespace

const identity::Identity* Claims::find_identity(std::string_view connector) const {
  if (!identities_) return nullptr;
  for (const identity::Identity& identity : *identities_) {
    if (identity.connector == connector) return &identity;
  }
  return nullptr;
}

std::optional<ClaimValues> Claims::find(std::string_view name) const {
  static const std::string yes = "true";
  auto one = [](const std::string& value) { return ClaimValues{.values = {&value, 1}, .list = false}; };
  // The name of a connector holds no dot; that of a claim may, such as "https://example.test/role".
  const size_t dot = name.find('.');
  const identity::Identity* identity = dot == name.npos ? nullptr : find_identity(name.substr(0, dot));
  if (!identity) return std::nullopt;
  const std::string_view claim = name.substr(dot + 1);
  if (claim == "authenticated") return one(yes);
  if (auto found = identity->claims.find(claim); found != identity->claims.end())
    return ClaimValues{.values = found->second.values, .list = found->second.list};
  if (claim == "sub") return one(identity->subject);
  if (claim == "iss") return one(identity->issuer);
  return std::nullopt;
}

Rendered render(const Template& value, const Claims& claims) {
  Rendered result;
  for (const Template::Part& part : value.parts) {
    if (!part.is_claim) {
      result.text += part.text;
    } else if (auto claim = claims.find(part.text)) {
      append_joined(result.text, claim->values);
      result.is_list = value.parts.size() == 1 && claim->list;
      if (result.is_list) result.list = claim->values;
    } else {
      result.complete = false;
    }
  }
  return result;
}

}  // namespace kith::gateway
