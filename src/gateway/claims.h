// What policies and headers see of a session: attributes named <connector>.<claim>, and
// <connector>.authenticated = "true" for each connector that proved an identity.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config.h"
#include "identity/connector.h"

namespace kith::gateway {

// A view into the identities.
struct ClaimValues {
  std::span<const std::string> values;  // exactly one unless `list`
  bool list = false;
};

class Claims {
 public:
  Claims() = default;
  // A view: the identities outlive it and do not move.
  explicit Claims(const std::vector<identity::Identity>& identities) : identities_(&identities) {}

  bool authenticated(std::string_view connector) const { return find_identity(connector) != nullptr; }
  const identity::Identity* find_identity(std::string_view connector) const;

  // The value(s) of "connector.claim"; nullopt when there is none. "sub" and "iss" are always there.
  std::optional<ClaimValues> find(std::string_view name) const;

 private:
  const std::vector<identity::Identity>* identities_ = nullptr;
};

// A template with its claims filled in. `complete` is false when a claim was missing: the text then
// must not be used to allow anything. A list is joined by commas in text.
struct Rendered {
  std::string text;
  std::span<const std::string> list;  // when the template is just one list claim: its elements, in the identities
  bool is_list = false;
  bool complete = true;
};
Rendered render(const Template& value, const Claims& claims);

}  // namespace kith::gateway
