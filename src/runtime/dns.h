// The port to DNS itself, for what a host name's look-up (ports.h, Resolver) does not tell. Each call asks
// anew. Names are absolute, with or without the last dot.
#pragma once

#include <compare>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "base/net.h"
#include "base/result.h"
#include "base/time.h"
#include "runtime/task.h"

namespace kith::runtime {

// One SRV record: where a service is offered (RFC 2782).
struct ServiceRecord {
  std::string target;  // a host name; "" when the service is decidedly not offered (".")
  uint16_t port = 0;
  uint16_t priority = 0;  // the lowest first
  uint16_t weight = 0;    // among equals, the chance to be first
  auto operator<=>(const ServiceRecord&) const = default;
};

struct DnsOptions {
  std::vector<Endpoint> servers;  // whom to ask; none: the servers of the system
  MonoTime deadline = kNever;
  std::stop_token stop;
};

class Dns {
 public:
  virtual ~Dns() = default;

  // The SRV records of a name, in the order of the answer. What an answer says is not believed to make
  // sense: a target may be no host name, a port 0, a record there twice. Failures: not_found (the name
  // has no such record: an answer, too), unavailable (no server is there, or none can tell), timeout,
  // protocol (an answer that cannot be read), invalid (no name), cancelled.
  virtual Task<Result<std::vector<ServiceRecord>>> services(std::string name, DnsOptions options) = 0;
  // The addresses of each host, IPv4 and IPv6, in the same order; empty where there is none. Fails as a
  // whole only where services() does for want of an answer to any of them.
  virtual Task<Result<std::vector<std::vector<IpAddress>>>> addresses(std::vector<std::string> hosts,
                                                                      DnsOptions options) = 0;
};

}  // namespace kith::runtime
