// Text into HTML.
#pragma once

#include <string>
#include <string_view>

namespace kith {

// Safe between tags and in quoted attributes: & < > " and ' become references.
std::string escape_html(std::string_view text);

}  // namespace kith
