// Who asked, and by which outer address, when there are proxies in front. What a header says about
// that is believed only when the direct peer is listed in http.trustedProxies (empty by default).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/net.h"
#include "http/exchange.h"

namespace kith::gateway {

class TrustedProxies {
 public:
  // An address ("10.0.0.1", "::1") or a network ("10.0.0.0/8"). invalid, side config.
  Result<void> add(std::string_view text);
  bool contains(const IpAddress& address) const;

 private:
  struct Network {
    IpAddress address;
    int bits = 128;  // of the 128 of the mapped form
  };
  std::vector<Network> networks_;
};

struct ClientFacts {
  bool peer_trusted = false;
  IpAddress address;          // the nearest hop that is not a trusted proxy
  std::string forwarded_for;  // X-Forwarded-For to send upstream
  std::string scheme;         // as the browser sees us: "http" or "https"
  std::string authority;      // likewise, host maybe with port
  std::string port;           // likewise
  std::string origin() const { return scheme + "://" + authority; }
};

ClientFacts client_facts(const http::RequestHead& request, const http::Origin& origin,
                         const TrustedProxies& trusted);

}  // namespace kith::gateway
