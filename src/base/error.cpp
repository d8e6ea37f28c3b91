#include "base/error.h"

namespace kith {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::invalid: return "invalid";
    case Code::not_found: return "not_found";
    case Code::conflict: return "conflict";
    case Code::limit: return "limit";
    case Code::timeout: return "timeout";
    case Code::cancelled: return "cancelled";
    case Code::closed: return "closed";
    case Code::reset: return "reset";
    case Code::refused: return "refused";
    case Code::unreachable: return "unreachable";
    case Code::io: return "io";
    case Code::unauthenticated: return "unauthenticated";
    case Code::denied: return "denied";
    case Code::protocol: return "protocol";
    case Code::unavailable: return "unavailable";
    case Code::internal: return "internal";
  }
  return "unknown";
}

std::string_view to_string(Side side) {
  switch (side) {
    case Side::us: return "us";
    case Side::config: return "config";
    case Side::client: return "client";
    case Side::peer: return "peer";
    case Side::upstream: return "upstream";
  }
  return "unknown";
}

}  // namespace kith
