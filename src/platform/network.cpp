// Sockets: each operation is tried at once, and only when the kernel says EAGAIN does the coroutine
// wait for readiness. That keeps a ready read or write at one system call.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <set>

#include "platform/io_loop_impl.h"
#include "platform/system.h"
#include "runtime/sync.h"

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

constexpr size_t kMaxPieces = 64;  // of one gathered write; far below IOV_MAX

struct SockAddr {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SockAddr to_sockaddr(const Endpoint& endpoint) {
  SockAddr out;
  if (endpoint.address.is_v4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(endpoint.port);
    std::memcpy(&in.sin_addr, endpoint.address.bytes.data() + 12, 4);
    std::memcpy(&out.storage, &in, sizeof in);
    out.size = sizeof in;
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(endpoint.port);
    std::memcpy(&in.sin6_addr, endpoint.address.bytes.data(), 16);
    std::memcpy(&out.storage, &in, sizeof in);
    out.size = sizeof in;
  }
  return out;
}

Endpoint from_sockaddr(const SockAddr& address) {
  Endpoint out;
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address.storage, sizeof in);
    uint8_t b[4];
    std::memcpy(b, &in.sin_addr, 4);
    out.address = IpAddress::v4(b[0], b[1], b[2], b[3]);
    out.port = ntohs(in.sin_port);
  } else if (address.storage.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &address.storage, sizeof in);
    std::memcpy(out.address.bytes.data(), &in.sin6_addr, 16);
    out.port = ntohs(in.sin6_port);
  }
  return out;
}

Endpoint local_of(int fd) {
  SockAddr address;
  if (::getsockname(fd, address.get(), &address.size) != 0) return {};
  return from_sockaddr(address);
}

void set_option(int fd, int level, int name, int value) {
  ::setsockopt(fd, level, name, &value, sizeof value);
}

// A descriptor registered with the loop, and its two waiters. Asio's pending waits hold it alive.
struct Socket : std::enable_shared_from_this<Socket> {
  Socket(IoLoop::Impl& owner, int fd) : loop(owner), descriptor(owner.context, fd) {}

  int fd() { return descriptor.native_handle(); }
  bool closed() const { return !descriptor.is_open(); }
  void close() {
    if (closed()) return;
    auto keep = shared_from_this();  // whoever is woken may drop the stream
    boost::system::error_code ignored;
    descriptor.close(ignored);
    read_waiter.wake(Wake::closed);
    write_waiter.wake(Wake::closed);
  }

  struct Readiness {
    Socket& socket;
    Waiter& waiter;
    Descriptor::wait_type what;
    MonoTime deadline;

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
      KITH_CHECK(!waiter.handle);  // one read and one write at a time
      waiter.handle = handle;
      waiter.deadline = deadline;
      if (deadline != kNever) socket.loop.wheel.add(waiter);
      socket.descriptor.async_wait(what,
                                   [self = socket.shared_from_this(), target = &waiter,
                                    generation = waiter.generation](const boost::system::error_code& error) {
                                     if (target->generation == generation)
                                       target->wake(error ? Wake::closed : Wake::ready);
                                   });
    }
    Wake await_resume() const noexcept { return waiter.outcome; }
  };
  Readiness readable(MonoTime deadline) { return {*this, read_waiter, Descriptor::wait_read, deadline}; }
  Readiness writable(MonoTime deadline) { return {*this, write_waiter, Descriptor::wait_write, deadline}; }

  IoLoop::Impl& loop;
  Descriptor descriptor;
  Waiter read_waiter;
  Waiter write_waiter;
};

Error not_ready(Wake wake) {
  return wake == Wake::timeout ? Error(Code::timeout, "the deadline passed") : Error(Code::closed, "closed");
}

class SocketStream final : public runtime::Stream {
 public:
  explicit SocketStream(std::shared_ptr<Socket> socket, const Endpoint& remote)
      : socket_(std::move(socket)), local_(local_of(socket_->fd())), remote_(remote) {
    set_option(socket_->fd(), IPPROTO_TCP, TCP_NODELAY, 1);
  }
  ~SocketStream() override { socket_->close(); }

  runtime::Task<Result<size_t>> read(MutableByteView buffer, MonoTime deadline) override {
    for (;;) {
      if (socket_->closed()) co_return Error(Code::closed, "closed");
      ssize_t n = ::recv(socket_->fd(), buffer.data(), buffer.size(), 0);
      if (n >= 0) co_return static_cast<size_t>(n);
      if (errno == EINTR) continue;
      if (errno != EAGAIN) co_return system_error(errno, "reading from " + remote_.text());
      Wake wake = co_await socket_->readable(deadline);
      if (wake != Wake::ready) co_return not_ready(wake);
    }
  }

  runtime::Task<Result<void>> write(std::span<const ByteView> pieces, MonoTime deadline) override {
    iovec vectors[kMaxPieces];
    KITH_CHECK(pieces.size() <= kMaxPieces);
    size_t count = 0;
    for (ByteView piece : pieces) {
      if (!piece.empty()) vectors[count++] = {const_cast<uint8_t*>(piece.data()), piece.size()};
    }
    size_t first = 0;
    while (first < count) {
      if (socket_->closed()) co_return Error(Code::closed, "closed");
      msghdr message{};
      message.msg_iov = vectors + first;
      message.msg_iovlen = count - first;
      ssize_t n = ::sendmsg(socket_->fd(), &message, MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno != EAGAIN) co_return system_error(errno, "writing to " + remote_.text());
      if (n < 0) {
        Wake wake = co_await socket_->writable(deadline);
        if (wake != Wake::ready) co_return not_ready(wake);
        continue;
      }
      for (auto left = static_cast<size_t>(n); left > 0;) {
        size_t taken = std::min(left, vectors[first].iov_len);
        vectors[first].iov_base = static_cast<uint8_t*>(vectors[first].iov_base) + taken;
        vectors[first].iov_len -= taken;
        left -= taken;
        if (vectors[first].iov_len == 0) ++first;
      }
    }
    co_return Result<void>();
  }

  runtime::Task<Result<void>> shutdown() override {
    if (socket_->closed()) co_return Error(Code::closed, "closed");
    if (::shutdown(socket_->fd(), SHUT_WR) != 0) co_return system_error(errno, "ending the stream");
    co_return Result<void>();
  }

  void close() override { socket_->close(); }
  bool quiet() override {
    uint8_t byte;
    return !socket_->closed() && ::recv(socket_->fd(), &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
  }
  Endpoint local_endpoint() const override { return local_; }
  Endpoint remote_endpoint() const override { return remote_; }

 private:
  std::shared_ptr<Socket> socket_;
  Endpoint local_;
  Endpoint remote_;
};

class SocketListener final : public runtime::Listener {
 public:
  SocketListener(IoLoop::Impl& loop, std::shared_ptr<Socket> socket, bool shared)
      : loop_(loop), socket_(std::move(socket)), local_(local_of(socket_->fd())), shared_(shared) {
    if (shared_) loop_.shared_ports->add(local_);
  }
  ~SocketListener() override { SocketListener::close(); }

  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> accept() override {
    for (;;) {
      if (socket_->closed()) co_return Error(Code::closed, "closed");
      SockAddr remote;
      int fd = ::accept4(socket_->fd(), remote.get(), &remote.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        std::unique_ptr<runtime::Stream> stream =
            std::make_unique<SocketStream>(std::make_shared<Socket>(loop_, fd), from_sockaddr(remote));
        co_return stream;
      }
      if (errno == EAGAIN) {
        Wake wake = co_await socket_->readable(kNever);
        if (wake != Wake::ready) co_return not_ready(wake);
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        co_await pause();  // out of descriptors or memory: others must go first
      } else if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO && errno != EPERM) {
        co_return system_error(errno, "accepting on " + local_.text());
      }
    }
  }

  void close() override {
    if (socket_->closed()) return;
    if (shared_) loop_.shared_ports->remove(local_);
    stop_.request_stop();
    socket_->close();
  }
  Endpoint local_endpoint() const override { return local_; }

 private:
  runtime::Task<bool> pause() { return runtime::sleep(loop_.self, 20ms, stop_.get_token()); }

  IoLoop::Impl& loop_;
  std::shared_ptr<Socket> socket_;
  Endpoint local_;
  bool shared_;
  std::stop_source stop_;
};

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
    return std::unique_ptr<runtime::Listener>(
        std::make_unique<SocketListener>(loop_, socket, options.shared));
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
