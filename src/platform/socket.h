// Internal to platform/: sockets as streams and listeners. An operation is tried while the kernel's last
// word on the descriptor allows it, and only else does the coroutine wait. A ready read or write costs
// one system call, a wait none.
#pragma once

#include <sys/socket.h>

#include "platform/io_loop_impl.h"
#include "runtime/sync.h"

namespace kith::platform {

struct SockAddr {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SockAddr to_sockaddr(const Endpoint& endpoint);
Endpoint from_sockaddr(const SockAddr& address);  // of a socket that is not IP: all zero
Endpoint local_of(int fd);
void set_option(int fd, int level, int name, int value);

Error not_ready(Wake wake);

class SocketStream final : public runtime::Stream {
 public:
  SocketStream(LoopState& loop, std::unique_ptr<Channel> channel, const Endpoint& remote);
  ~SocketStream() override { loop_.retire(std::move(channel_)); }

  // Of a connection that is being made: waits until it stands or has failed.
  runtime::Task<Result<void>> finish_connect(MonoTime deadline);

  runtime::Task<Result<size_t>> read(MutableByteView buffer, MonoTime deadline) override;
  runtime::Task<Result<void>> write(std::span<const ByteView> pieces, MonoTime deadline) override;
  runtime::Task<Result<void>> shutdown() override;
  void close() override { channel_->close(); }
  bool quiet() override;
  Endpoint local_endpoint() const override { return local_; }
  Endpoint remote_endpoint() const override { return remote_; }

 private:
  LoopState& loop_;
  std::unique_ptr<Channel> channel_;
  Endpoint local_;
  Endpoint remote_;
};

class SocketListener final : public runtime::Listener {
 public:
  // on_close runs once, before the socket is closed.
  SocketListener(LoopState& loop, std::unique_ptr<Channel> channel, std::function<void()> on_close);
  ~SocketListener() override;

  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> accept() override;
  void close() override;
  Endpoint local_endpoint() const override { return local_; }

 private:
  runtime::Task<bool> pause() { return runtime::sleep(loop_.self, 20ms, stop_.get_token()); }

  LoopState& loop_;
  std::unique_ptr<Channel> channel_;
  Endpoint local_;
  std::function<void()> on_close_;
  std::stop_source stop_;
};

}  // namespace kith::platform
