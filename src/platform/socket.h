// Internal to platform/: sockets as streams and listeners. Each operation is tried at once, and only when
// the kernel says EAGAIN does the coroutine wait for readiness. That keeps a ready read or write at one
// system call.
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

Error not_ready(Wake wake);

class SocketStream final : public runtime::Stream {
 public:
  SocketStream(std::shared_ptr<Socket> socket, const Endpoint& remote);
  ~SocketStream() override { socket_->close(); }

  runtime::Task<Result<size_t>> read(MutableByteView buffer, MonoTime deadline) override;
  runtime::Task<Result<void>> write(std::span<const ByteView> pieces, MonoTime deadline) override;
  runtime::Task<Result<void>> shutdown() override;
  void close() override { socket_->close(); }
  bool quiet() override;
  Endpoint local_endpoint() const override { return local_; }
  Endpoint remote_endpoint() const override { return remote_; }

 private:
  std::shared_ptr<Socket> socket_;
  Endpoint local_;
  Endpoint remote_;
};

class SocketListener final : public runtime::Listener {
 public:
  // on_close runs once, before the socket is closed.
  SocketListener(IoLoop::Impl& loop, std::shared_ptr<Socket> socket, std::function<void()> on_close);
  ~SocketListener() override { SocketListener::close(); }

  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> accept() override;
  void close() override;
  Endpoint local_endpoint() const override { return local_; }

 private:
  runtime::Task<bool> pause() { return runtime::sleep(loop_.self, 20ms, stop_.get_token()); }

  IoLoop::Impl& loop_;
  std::shared_ptr<Socket> socket_;
  Endpoint local_;
  std::function<void()> on_close_;
  std::stop_source stop_;
};

}  // namespace kith::platform
