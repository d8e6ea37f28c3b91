#include "resp/reply.h"

namespace kith::resp {

std::string_view Reply::error_code() const {
  if (!is_error()) return {};
  const std::string_view whole = text;
  return whole.substr(0, whole.find(' '));
}

const Reply* Reply::find(std::string_view key) const {
  if (type != Type::map && type != Type::array) return nullptr;
  for (size_t at = 0; at + 1 < items.size(); at += 2) {
    if (items[at].is_text() && items[at].text == key) return &items[at + 1];
  }
  return nullptr;
}

}  // namespace kith::resp
