#include "platform/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>

#include <cstring>

#include "platform/system.h"

namespace kith::platform {
namespace {

constexpr size_t kMaxPieces = 64;  // of one gathered write; far below IOV_MAX

}  // namespace

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

Error not_ready(Wake wake) {
  return wake == Wake::timeout ? Error(Code::timeout, "the deadline passed") : Error(Code::closed, "closed");
}

SocketStream::SocketStream(std::shared_ptr<Socket> socket, const Endpoint& remote)
    : socket_(std::move(socket)), local_(local_of(socket_->fd())), remote_(remote) {
  set_option(socket_->fd(), IPPROTO_TCP, TCP_NODELAY, 1);
}

runtime::Task<Result<size_t>> SocketStream::read(MutableByteView buffer, MonoTime deadline) {
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

runtime::Task<Result<void>> SocketStream::write(std::span<const ByteView> pieces, MonoTime deadline) {
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

runtime::Task<Result<void>> SocketStream::shutdown() {
  if (socket_->closed()) co_return Error(Code::closed, "closed");
  if (::shutdown(socket_->fd(), SHUT_WR) != 0) co_return system_error(errno, "ending the stream");
  co_return Result<void>();
}

bool SocketStream::quiet() {
  uint8_t byte;
  return !socket_->closed() && ::recv(socket_->fd(), &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

SocketListener::SocketListener(IoLoop::Impl& loop, std::shared_ptr<Socket> socket,
                               std::function<void()> on_close)
    : loop_(loop),
      socket_(std::move(socket)),
      local_(local_of(socket_->fd())),
      on_close_(std::move(on_close)) {}

runtime::Task<Result<std::unique_ptr<runtime::Stream>>> SocketListener::accept() {
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

void SocketListener::close() {
  if (socket_->closed()) return;
  if (on_close_) on_close_();
  stop_.request_stop();
  socket_->close();
}

}  // namespace kith::platform
