#include "gateway/config.h"

namespace kith::gateway {

std::string CookieConfig::effective_name() const {
  if (!name.empty()) return name;
  // A browser takes a __Host- cookie only when it is Secure, host-only and for all paths
  // (RFC 6265bis section 4.1.3.2), so that no sibling domain can plant one.
  return domain.empty() && !disable_secure ? "__Host-kith_session" : "kith_session";
}

}  // namespace kith::gateway
