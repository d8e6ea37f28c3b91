#include "platform/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>

#include <cstring>

#include "platform/system.h"

namespace kith::platform {
namespace {

constexpr size_t kMaxPieces = 64;  // of one gathered write; far below IOV_MAX

ssize_t send(int fd, iovec* vectors, size_t count) {
  // Most writes are of one piece, and this call copies no headers.
  if (count == 1) return ::send(fd, vectors->iov_base, vectors->iov_len, MSG_NOSIGNAL);
  msghdr message{};
  message.msg_iov = vectors;
  message.msg_iovlen = count;
  return ::sendmsg(fd, &message, MSG_NOSIGNAL);
}

// Past n written bytes; returns the first piece that is left.
size_t advance(iovec* vectors, size_t first, size_t n) {
  while (n > 0) {
    iovec& piece = vectors[first];
    const size_t taken = std::min(n, piece.iov_len);
    piece.iov_base = static_cast<uint8_t*>(piece.iov_base) + taken;
    piece.iov_len -= taken;
    n -= taken;
    if (piece.iov_len == 0) ++first;
  }
  return first;
}

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

SocketStream::SocketStream(LoopState& loop, std::unique_ptr<Channel> channel, const Endpoint& remote)
    : loop_(loop), channel_(std::move(channel)), local_(local_of(channel_->fd())), remote_(remote) {
  set_option(channel_->fd(), IPPROTO_TCP, TCP_NODELAY, 1);
}

runtime::Task<Result<void>> SocketStream::finish_connect(MonoTime deadline) {
  const Wake wake = co_await channel_->until_writable(deadline);
  if (wake != Wake::ready) co_return not_ready(wake).within("connecting to " + remote_.text());
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(channel_->fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) co_return system_error(error, "connecting to " + remote_.text());
  local_ = local_of(channel_->fd());
  co_return Result<void>();
}

runtime::Task<Result<size_t>> SocketStream::read(MutableByteView buffer, MonoTime deadline) {
  for (;;) {
    if (channel_->closed()) co_return Error(Code::closed, "closed");
    if (channel_->readable && channel_->may_go_on()) {
      const ssize_t n = ::recv(channel_->fd(), buffer.data(), buffer.size(), 0);
      if (n >= 0) {
        // A short read emptied the socket: what comes later comes with an edge of its own.
        if (static_cast<size_t>(n) < buffer.size() && !channel_->hung_up) channel_->readable = false;
        co_return static_cast<size_t>(n);
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN) co_return system_error(errno, "reading from " + remote_.text());
      channel_->readable = false;
    }
    const Wake wake = co_await channel_->until_readable(deadline);
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
  for (size_t first = 0; first < count;) {
    if (channel_->closed()) co_return Error(Code::closed, "closed");
    if (channel_->writable && channel_->may_go_on()) {
      const ssize_t n = send(channel_->fd(), vectors + first, count - first);
      if (n >= 0) {
        first = advance(vectors, first, static_cast<size_t>(n));
        continue;
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN) co_return system_error(errno, "writing to " + remote_.text());
      channel_->writable = false;
    }
    const Wake wake = co_await channel_->until_writable(deadline);
    if (wake != Wake::ready) co_return not_ready(wake);
  }
  co_return Result<void>();
}

runtime::Task<Result<void>> SocketStream::shutdown() {
  if (channel_->closed()) co_return Error(Code::closed, "closed");
  if (::shutdown(channel_->fd(), SHUT_WR) != 0) co_return system_error(errno, "ending the stream");
  co_return Result<void>();
}

bool SocketStream::quiet() {
  if (channel_->closed() || channel_->hung_up) return false;
  if (!channel_->readable) return true;  // nothing has come since the last read emptied the socket
  uint8_t byte;
  const bool empty = ::recv(channel_->fd(), &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
  if (empty) channel_->readable = false;
  return empty;
}

SocketListener::SocketListener(LoopState& loop, std::unique_ptr<Channel> channel,
                               std::function<void()> on_close)
    : loop_(loop),
      channel_(std::move(channel)),
      local_(local_of(channel_->fd())),
      on_close_(std::move(on_close)) {}

SocketListener::~SocketListener() {
  SocketListener::close();
  loop_.retire(std::move(channel_));
}

runtime::Task<Result<std::unique_ptr<runtime::Stream>>> SocketListener::accept() {
  for (;;) {
    if (channel_->closed()) co_return Error(Code::closed, "closed");
    if (!channel_->readable || !channel_->may_go_on()) {
      const Wake wake = co_await channel_->until_readable(kNever);
      if (wake != Wake::ready) co_return not_ready(wake);
    }
    SockAddr remote;
    const int fd = ::accept4(channel_->fd(), remote.get(), &remote.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      std::unique_ptr<runtime::Stream> stream =
          std::make_unique<SocketStream>(loop_, std::make_unique<Channel>(loop_, fd), from_sockaddr(remote));
      co_return stream;
    }
    if (errno == EAGAIN) {
      channel_->readable = false;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      co_await pause();  // out of descriptors or memory: others must go first
    } else if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO && errno != EPERM) {
      co_return system_error(errno, "accepting on " + local_.text());
    }
  }
}

void SocketListener::close() {
  if (channel_->closed()) return;
  if (on_close_) on_close_();
  stop_.request_stop();
  channel_->close();
}

}  // namespace kith::platform
