#include "gateway/return_target.h"

#include "base/text.h"

namespace kith::gateway {

namespace {

// Whether text begins with something that may be read as a slash: '/', '\', or their encodings.
bool begins_with_slash(std::string_view text) {
  if (text.empty()) return false;
  if (text[0] == '/' || text[0] == '\\') return true;
  std::string start = lower(text.substr(0, 3));
  return start == "%2f" || start == "%5c";
}

bool is_safe(std::string_view text) {
  if (text.empty() || text.size() > kMaxReturnTarget || text[0] != '/') return false;
  std::string_view path = text.substr(0, text.find('?'));
  if (begins_with_slash(path.substr(1))) return false;
  for (char c : text) {
    if (static_cast<uint8_t>(c) <= 0x20 || static_cast<uint8_t>(c) >= 0x7f) return false;
    if (c == '\\' || c == '#' || c == '"' || c == '<' || c == '>') return false;
  }
  // Nothing hidden behind an encoding either: no control characters, no second authority marker.
  std::string folded = lower(path);
  for (std::string_view bad : {"%00", "%09", "%0a", "%0d", "%2f", "%5c", "//", "/..", "/.%2e", "/%2e"}) {
    if (folded.find(bad) != std::string::npos) return false;
  }
  return true;
}

}  // namespace

std::string safe_return_target(std::string_view text) { return is_safe(text) ? std::string(text) : "/"; }

}  // namespace kith::gateway
