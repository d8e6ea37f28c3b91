// The network of IP: what listens and what connects. The sockets themselves: socket.h.
#include <netinet/in.h>

#include <mutex>
#include <set>

#include "platform/socket.h"
#include "platform/system.h"

namespace kith::platform {

class SharedPorts {
 public:
  bool contains(const Endpoint& at) {
    std::lock_guard lock(mutex_);
    return open_.contains(at);
  }
  void add(const Endpoint& at) {
    std::lock_guard lock(mutex_);
    open_.insert(at);
  }
  void remove(const Endpoint& at) {
    std::lock_guard lock(mutex_);
    if (auto it = open_.find(at); it != open_.end()) open_.erase(it);
  }

 private:
  std::mutex mutex_;
  std::multiset<Endpoint> open_;
};

std::shared_ptr<SharedPorts> make_shared_ports() { return std::make_shared<SharedPorts>(); }

namespace {

class EpollNetwork final : public runtime::Network {
 public:
  explicit EpollNetwork(LoopState& loop) : loop_(loop) {}

  Result<std::unique_ptr<runtime::Listener>> listen(const Endpoint& at,
                                                    const runtime::ListenOptions& options) override {
    const bool join = options.shared && at.port != 0 && loop_.shared_ports->contains(at);
    if (options.shared && !join) {
      // Without SO_REUSEPORT a bind tells whether somebody else has the port.
      KITH_TRY_VOID(bound_socket(at, false));
    }
    KITH_TRY(Fd socket, bound_socket(at, options.shared));
    if (::listen(socket.get(), options.backlog) != 0) return system_error(errno, "listening on " + at.text());
    std::function<void()> forget;
    if (options.shared) {
      const Endpoint bound = local_of(socket.get());
      loop_.shared_ports->add(bound);
      forget = [ports = loop_.shared_ports, bound] { ports->remove(bound); };
    }
    auto channel = std::make_unique<Channel>(loop_, socket.release());
    return std::unique_ptr<runtime::Listener>(
        std::make_unique<SocketListener>(loop_, std::move(channel), std::move(forget)));
  }

  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> connect(Endpoint to, MonoTime deadline) override {
    const int family = to.address.is_v4() ? AF_INET : AF_INET6;
    Fd socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.get() < 0) co_return system_error(errno, "opening a socket");
    SockAddr address = to_sockaddr(to);
    const bool begun = ::connect(socket.get(), address.get(), address.size) != 0;
    if (begun && errno != EINPROGRESS) co_return failed(errno, to);
    // Registered only now: a socket that was never connected counts as hung up.
    auto stream =
        std::make_unique<SocketStream>(loop_, std::make_unique<Channel>(loop_, socket.release()), to);
    if (begun) KITH_CO_TRY_VOID(co_await stream->finish_connect(deadline));
    // On loopback a dial to a free port in the ephemeral range can meet itself (simultaneous open).
    if (stream->local_endpoint() == to) co_return failed(ECONNREFUSED, to);
    co_return std::unique_ptr<runtime::Stream>(std::move(stream));
  }

 private:
  static Error failed(int error, const Endpoint& to) {
    return system_error(error, "connecting to " + to.text());
  }

  static Result<Fd> bound_socket(const Endpoint& at, bool reuse_port) {
    const bool v4 = at.address.is_v4();
    Fd socket(::socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.get() < 0) return system_error(errno, "opening a socket");
    set_option(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (reuse_port) set_option(socket.get(), SOL_SOCKET, SO_REUSEPORT, 1);
    if (!v4) set_option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, at.address.is_unspecified() ? 0 : 1);
    SockAddr address = to_sockaddr(at);
    if (::bind(socket.get(), address.get(), address.size) != 0)
      return system_error(errno, "listening on " + at.text());
    return socket;
  }

  LoopState& loop_;
};

}  // namespace

std::unique_ptr<runtime::Network> make_network(LoopState& loop) {
  return std::make_unique<EpollNetwork>(loop);
}

}  // namespace kith::platform
