// JSON of identity protocols: one object, and no member name twice in any object (RFC 7515 section 4,
// RFC 7519 section 4), since two readers would disagree on which one counts.
#pragma once

#include <optional>
#include <string>

#include "base/json.h"
#include "base/time.h"

namespace kith::identity::jose {

// invalid when it is not one object, or a name occurs twice; limit when too large or too deep.
Result<json::object> parse_strict_object(std::string_view text, const JsonLimits& limits);

// A required or optional member by type: nullopt when absent; invalid when it is of another type.
Result<std::optional<std::string>> optional_text(const json::object& object, std::string_view name);
// A list of texts, as metadata has them; empty when absent.
Result<std::vector<std::string>> optional_texts(const json::object& object, std::string_view name);
// NumericDate (RFC 7519 section 2): seconds since 1970, maybe with a fraction, up to the year 9999.
Result<std::optional<WallTime>> optional_date(const json::object& object, std::string_view name);

}  // namespace kith::identity::jose
