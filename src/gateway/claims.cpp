#include "gateway/claims.h"

namespace kith::gateway {

namespace {

std::string joined(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) {
    if (!text.empty()) text += ',';
    text += value;
  }
  return text;
}

}  // namespace

const identity::Identity* Claims::find_identity(std::string_view connector) const {
  if (!identities_) return nullptr;
  for (const identity::Identity& identity : *identities_) {
    if (identity.connector == connector) return &identity;
  }
  return nullptr;
}

bool Claims::find(std::string_view name, identity::Claim& out) const {
  // The name of a connector holds no dot; that of a claim may, such as "https://example.test/role".
  size_t dot = name.find('.');
  const identity::Identity* identity = dot == name.npos ? nullptr : find_identity(name.substr(0, dot));
  if (!identity) return false;
  std::string claim(name.substr(dot + 1));
  if (claim == "authenticated") {
    out = {.values = {"true"}, .list = false};
  } else if (auto found = identity->claims.find(claim); found != identity->claims.end()) {
    out = found->second;
  } else if (claim == "sub" || claim == "iss") {
    out = {.values = {claim == "sub" ? identity->subject : identity->issuer}, .list = false};
  } else {
    return false;
  }
  return true;
}

Rendered render(const Template& value, const Claims& claims) {
  Rendered result;
  identity::Claim claim;
  for (const Template::Part& part : value.parts) {
    if (!part.is_claim) {
      result.text += part.text;
    } else if (claims.find(part.text, claim)) {
      result.text += joined(claim.values);
    } else {
      result.complete = false;
    }
  }
  result.is_list = value.parts.size() == 1 && value.parts[0].is_claim && result.complete && claim.list;
  if (result.is_list) result.list = std::move(claim.values);
  return result;
}

}  // namespace kith::gateway
