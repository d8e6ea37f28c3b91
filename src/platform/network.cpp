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

class AsioNetwork final : public runtime::Network {
 public:
  explicit AsioNetwork(IoLoop::Impl& loop) : loop_(loop) {}

  Result<std::unique_ptr<runtime::Listener>> listen(const Endpoint& at,
                                                    const runtime::ListenOptions& options) override {
    bool join = options.shared && at.port != 0 && loop_.shared_ports->contains(at);
    if (options.shared && !join) {
      // Without SO_REUSEPORT a bind tells whether somebody else has the port.
      KITH_TRY(auto probe, bound_socket(at, false));
      probe->close();
    }
    KITH_TRY(auto socket, bound_socket(at, options.shared));
    if (::listen(socket->fd(), options.backlog) != 0) return system_error(errno, "listening on " + at.text());
    if (!options.shared)
      return std::unique_ptr<runtime::Listener>(std::make_unique<SocketListener>(loop_, socket, nullptr));
    Endpoint bound = local_of(socket->fd());
    loop_.shared_ports->add(bound);
    auto forget = [ports = loop_.shared_ports, bound] { ports->remove(bound); };
    return std::unique_ptr<runtime::Listener>(std::make_unique<SocketListener>(loop_, socket, forget));
  }

  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> connect(Endpoint to, MonoTime deadline) override {
    int fd = ::socket(to.address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) co_return system_error(errno, "opening a socket");
    auto socket = std::make_shared<Socket>(loop_, fd);
    SockAddr address = to_sockaddr(to);
    if (::connect(fd, address.get(), address.size) != 0) {
      if (errno != EINPROGRESS) co_return failed(*socket, errno, to);
      Wake wake = co_await socket->writable(deadline);
      if (wake != Wake::ready) {
        socket->close();
        co_return not_ready(wake).within("connecting to " + to.text());
      }
      int error = 0;
      socklen_t size = sizeof error;
      ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) co_return failed(*socket, error, to);
    }
    // On loopback a dial to a free port in the ephemeral range can meet itself (simultaneous open).
    if (local_of(fd) == to) co_return failed(*socket, ECONNREFUSED, to);
    std::unique_ptr<runtime::Stream> stream = std::make_unique<SocketStream>(socket, to);
    co_return stream;
  }

 private:
  static Error failed(Socket& socket, int error, const Endpoint& to) {
    socket.close();
    return system_error(error, "connecting to " + to.text());
  }

  Result<std::shared_ptr<Socket>> bound_socket(const Endpoint& at, bool reuse_port) {
    bool v4 = at.address.is_v4();
    int fd = ::socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return system_error(errno, "opening a socket");
    auto socket = std::make_shared<Socket>(loop_, fd);
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (reuse_port) set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!v4) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, at.address.is_unspecified() ? 0 : 1);
    SockAddr address = to_sockaddr(at);
    if (::bind(fd, address.get(), address.size) != 0) {
      int error = errno;
      socket->close();
      return system_error(error, "listening on " + at.text());
    }
    return socket;
  }

  IoLoop::Impl& loop_;
};

}  // namespace

std::unique_ptr<runtime::Network> make_network(IoLoop::Impl& loop) {
  return std::make_unique<AsioNetwork>(loop);
}

}  // namespace kith::platform
