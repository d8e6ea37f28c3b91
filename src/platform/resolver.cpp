// Names through the system's resolver (nsswitch, /etc/hosts), on a pool thread because it blocks.
#include <netdb.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "platform/io_loop_impl.h"
#include "platform/name_cache.h"

namespace kith::platform {
namespace {

using Addresses = std::vector<IpAddress>;

Result<Addresses> look_up(const std::string& host, runtime::Family family) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = family == runtime::Family::v4   ? AF_INET
                    : family == runtime::Family::v6 ? AF_INET6
                                                    : AF_UNSPEC;
  addrinfo* found = nullptr;
  int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) return Error(Code::unreachable, "looking up " + host + ": " + ::gai_strerror(error));
  Addresses out;
  for (addrinfo* it = found; it != nullptr; it = it->ai_next) {
    IpAddress address;
    if (it->ai_family == AF_INET) {
      sockaddr_in in{};
      std::memcpy(&in, it->ai_addr, sizeof in);
      uint8_t b[4];
      std::memcpy(b, &in.sin_addr, 4);
      address = IpAddress::v4(b[0], b[1], b[2], b[3]);
    } else if (it->ai_family == AF_INET6) {
      sockaddr_in6 in{};
      std::memcpy(&in, it->ai_addr, sizeof in);
      std::memcpy(address.bytes.data(), &in.sin6_addr, 16);
    } else {
      continue;
    }
    if (std::find(out.begin(), out.end(), address) == out.end()) out.push_back(address);
  }
  ::freeaddrinfo(found);
  if (out.empty()) return Error(Code::unreachable, "looking up " + host + ": no address");
  return out;
}

// "localhost" and what is under it never leave the machine, whatever the hosts file says or lacks (RFC 6761
// section 6.3).
bool is_localhost(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return iequals(host, "localhost") ||
         (host.size() > 10 && iequals(host.substr(host.size() - 10), ".localhost"));
}

Addresses loopback(runtime::Family family) {
  Addresses out;
  if (family != runtime::Family::v6) out.push_back(*IpAddress::parse("127.0.0.1"));
  if (family != runtime::Family::v4) out.push_back(*IpAddress::parse("::1"));
  return out;
}

class PoolResolver final : public runtime::Resolver {
 public:
  explicit PoolResolver(LoopState& loop) : cache_(loop.self, loop.pool, look_up) {}

  runtime::Task<Result<Addresses>> resolve(std::string host, runtime::Family family,
                                           MonoTime deadline) override {
    if (auto literal = IpAddress::parse(host)) co_return Addresses{*literal};
    if (is_localhost(host)) co_return loopback(family);
    co_return co_await cache_.get(std::move(host), family, deadline);
  }

 private:
  NameCache cache_;
};

}  // namespace

std::unique_ptr<runtime::Resolver> make_resolver(LoopState& loop) {
  return std::make_unique<PoolResolver>(loop);
}

}  // namespace kith::platform
