// The ports to the uncertain world: time, randomness, sockets, names, files. Two adapters implement
// them: platform/ (the operating system) and sim/ (a deterministic world). Everything else asks here.
//
// One loop is one thread. Objects made by a Network belong to its loop and are used on it only;
// Loop::post is the one call that other threads make.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/net.h"
#include "base/result.h"
#include "base/time.h"
#include "runtime/task.h"

namespace kith::runtime {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonoTime now() const = 0;
  virtual WallTime wall_now() const = 0;
};

// A pending timer; destroying or resetting it cancels. Used on its loop only.
class TimerHandle {
 public:
  virtual ~TimerHandle() = default;
};
using Timer = std::unique_ptr<TimerHandle>;

class Loop : public Clock {
 public:
  // Runs fn on this loop, later, in the order of posting. From any thread.
  virtual void post(std::function<void()> fn) = 0;
  // Runs fn once at or after when; on this loop only.
  [[nodiscard]] virtual Timer call_at(MonoTime when, std::function<void()> fn) = 0;
  virtual bool on_this_thread() const = 0;

  [[nodiscard]] Timer call_after(Duration delay, std::function<void()> fn) {
    return call_at(now() + delay, std::move(fn));
  }
};

// Bytes from the operating system's CSPRNG (in the simulator: from the seed). From any thread.
class Entropy {
 public:
  virtual ~Entropy() = default;
  virtual void fill(MutableByteView out) = 0;
};

// A connected byte stream. At most one read and one write are pending at a time. An operation that
// reaches its deadline fails with Code::timeout and leaves the stream unusable but for close().
// Failures: closed (close() was called), reset (broken by the other side or the network), timeout.
class Stream {
 public:
  virtual ~Stream() = default;  // closes; nothing may be pending

  // Reads at least 1 byte, at most buffer.size(); 0 means orderly end of the other side's data.
  virtual Task<Result<size_t>> read(MutableByteView buffer, MonoTime deadline) = 0;
  // Writes all pieces, in order, as one gathered write where possible. The memory behind the pieces
  // stays valid until completion; the span itself is read before the first suspension.
  virtual Task<Result<void>> write(std::span<const ByteView> pieces, MonoTime deadline) = 0;
  // Ends our direction in order (FIN); reading goes on.
  virtual Task<Result<void>> shutdown() = 0;
  // Ends everything now. Pending operations complete with Code::closed. Idempotent.
  virtual void close() = 0;
  // False when something has arrived that read() has not handed out: bytes, or the end, as far as the loop
  // has heard. Asked of a kept connection before it is used again, with nothing pending; a stream that
  // cannot tell says true.
  virtual bool quiet() { return true; }

  virtual Endpoint local_endpoint() const = 0;
  virtual Endpoint remote_endpoint() const = 0;

  // One piece.
  Task<Result<void>> write_all(ByteView data, MonoTime deadline) {
    ByteView piece = data;
    co_return co_await write(std::span<const ByteView>(&piece, 1), deadline);
  }
};

class Listener {
 public:
  virtual ~Listener() = default;
  // Fails with closed after close(); transient failures (out of descriptors) are retried inside.
  virtual Task<Result<std::unique_ptr<Stream>>> accept() = 0;
  virtual void close() = 0;
  virtual Endpoint local_endpoint() const = 0;  // with the real port when 0 was asked
};

struct ListenOptions {
  int backlog = 1024;
  // Several loops of one process listen on the same address and the kernel spreads connections.
  // The first listener must be opened without it having been taken by someone else: a port that
  // another process listens on is Code::conflict with it as without.
  bool shared = false;
};

class Network {
 public:
  virtual ~Network() = default;
  virtual Result<std::unique_ptr<Listener>> listen(const Endpoint& at, const ListenOptions& options = {}) = 0;
  // Failures: refused, unreachable, timeout, cancelled... each within the deadline.
  virtual Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to, MonoTime deadline) = 0;
};

enum class Family : uint8_t { any, v4, v6 };

class Resolver {
 public:
  virtual ~Resolver() = default;
  // Addresses of a host name in preference order, at least one; an IP literal resolves to itself.
  // Failures: unreachable (no such name, no answer), timeout.
  virtual Task<Result<std::vector<IpAddress>>> resolve(std::string host, Family family,
                                                       MonoTime deadline) = 0;
};

// Small files only (keys, certificates, configuration); these calls block and are for start-up,
// reload and the helper pool.
class Files {
 public:
  virtual ~Files() = default;
  virtual Result<std::string> read(const std::string& path, size_t max_bytes = 16 << 20) = 0;
  // Atomic: a temporary file with the mode, fsync, rename, fsync of the directory.
  virtual Result<void> write(const std::string& path, std::string_view content, uint32_t mode) = 0;
  // Fails with conflict when the file exists.
  virtual Result<void> create(const std::string& path, std::string_view content, uint32_t mode) = 0;
  virtual bool exists(const std::string& path) = 0;
};

// Blocking or long computations (password hashing, SQLite) run here, not on a loop.
class Pool {
 public:
  virtual ~Pool() = default;
  // Runs work on a pool thread, then done on the given loop. False when the queue is full.
  virtual bool submit(std::function<void()> work, Loop& loop, std::function<void()> done) = 0;
};

// What a service on one loop gets to see of the world.
struct Ports {
  Loop& loop;
  Network& network;
  Resolver& resolver;
  Entropy& entropy;
  Files& files;
  Pool& pool;
};

}  // namespace kith::runtime
