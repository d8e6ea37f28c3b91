// A world in memory for the tests of this room: one loop with virtual time, and streams whose bytes
// arrive in pieces of any size. Nothing happens until run() or advance() is called, and whatever is woken
// is woken from the loop, never from within the call that caused it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "runtime/ports.h"
#include "runtime/scope.h"

namespace kith::http::test {

class FakeLoop final : public runtime::Loop {
 public:
  MonoTime now() const override { return now_; }
  WallTime wall_now() const override {
    return from_unix_ms(784111777000) +
           std::chrono::duration_cast<WallTime::duration>(now_.time_since_epoch());
  }
  void post(std::function<void()> fn) override { posted_.push_back(std::move(fn)); }
  runtime::Timer call_at(MonoTime when, std::function<void()> fn) override;
  bool on_this_thread() const override { return true; }

  // Runs what is due now, and what that makes due.
  void run();
  // Lets time pass, in order.
  void advance(Duration duration);

 private:
  struct Pending;
  MonoTime now_{1s};
  std::deque<std::function<void()>> posted_;
  std::multimap<MonoTime, std::shared_ptr<Pending>> timers_;
};

// One direction of a connection.
struct Channel {
  std::deque<uint8_t> bytes;
  size_t capacity = 256 << 10;
  bool ended = false;   // by the writer
  bool broken = false;  // reset
  std::coroutine_handle<> reader;
  std::coroutine_handle<> writer;
};

struct StreamOptions {
  size_t max_read = SIZE_MAX;   // bytes one read returns at most
  size_t capacity = 256 << 10;  // bytes in flight per direction
  // close() wakes our own pending operations within the call, as the real adapter does.
  bool prompt_close = false;
};

class FakeStream final : public runtime::Stream {
 public:
  // Two ends; the options are for both.
  static std::pair<std::unique_ptr<FakeStream>, std::unique_ptr<FakeStream>> pair(FakeLoop& loop,
                                                                                  StreamOptions options = {});
  ~FakeStream() override;

  runtime::Task<Result<size_t>> read(MutableByteView buffer, MonoTime deadline) override;
  runtime::Task<Result<void>> write(std::span<const ByteView> pieces, MonoTime deadline) override;
  runtime::Task<Result<void>> shutdown() override;
  void close() override;
  bool quiet() override { return in_->bytes.empty() && !in_->ended && !in_->broken; }
  Endpoint local_endpoint() const override { return {IpAddress::v4(127, 0, 0, 1), 8080}; }
  Endpoint remote_endpoint() const override { return {IpAddress::v4(127, 0, 0, 1), 50000}; }

  // What a test does by hand at its end: no waiting.
  void send(std::string_view text);
  std::string take();  // all that has come
  bool at_end() const { return in_->bytes.empty() && (in_->ended || in_->broken); }
  bool was_reset() const { return in_->broken; }
  void reset();         // breaks both directions
  void shut();          // ends our direction
  void stop_reading();  // breaks what the other side writes, and keeps what we wrote
  size_t writes() const { return writes_; }

 private:
  struct Wait;
  enum class Why : uint8_t { ready, timeout };

  FakeStream(FakeLoop& loop, std::shared_ptr<Channel> in, std::shared_ptr<Channel> out, StreamOptions options)
      : loop_(loop), in_(std::move(in)), out_(std::move(out)), options_(options) {}
  void wake(std::coroutine_handle<>& waiter);

  FakeLoop& loop_;
  std::shared_ptr<Channel> in_;
  std::shared_ptr<Channel> out_;
  StreamOptions options_;
  bool closed_ = false;
  bool spent_ = false;  // after a timeout
  bool reading_ = false;
  bool writing_ = false;
  size_t writes_ = 0;
};

class FakeListener;

class FakeNetwork final : public runtime::Network {
 public:
  explicit FakeNetwork(FakeLoop& loop) : loop_(loop) {}
  Result<std::unique_ptr<runtime::Listener>> listen(const Endpoint& at,
                                                    const runtime::ListenOptions&) override;
  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> connect(Endpoint to, MonoTime deadline) override;

  // A raw client connection to a listener.
  std::unique_ptr<FakeStream> dial(const Endpoint& to);

  StreamOptions options;  // of connections made from now on
  std::vector<Endpoint> dialled;
  std::set<Endpoint> silent;  // connecting there hangs

 private:
  friend class FakeListener;
  FakeLoop& loop_;
  std::map<Endpoint, FakeListener*> listeners_;
};

class FakeResolver final : public runtime::Resolver {
 public:
  runtime::Task<Result<std::vector<IpAddress>>> resolve(std::string host, runtime::Family family,
                                                        MonoTime deadline) override;
  std::map<std::string, std::vector<IpAddress>> names;
};

struct NoEntropy final : runtime::Entropy {
  void fill(MutableByteView) override {}
};
struct NoFiles final : runtime::Files {
  Result<std::string> read(const std::string&, size_t) override { return Error(Code::not_found, "none"); }
  Result<void> write(const std::string&, std::string_view, uint32_t) override { return {}; }
  Result<void> create(const std::string&, std::string_view, uint32_t) override { return {}; }
  bool exists(const std::string&) override { return false; }
};
struct NoPool final : runtime::Pool {
  bool submit(std::function<void()>, runtime::Loop&, std::function<void()>) override { return false; }
};

struct World {
  FakeLoop loop;
  FakeNetwork network{loop};
  FakeResolver resolver;
  NoEntropy entropy;
  NoFiles files;
  NoPool pool;
  runtime::Ports ports{loop, network, resolver, entropy, files, pool};
};

inline Endpoint at(uint16_t port) { return {IpAddress::v4(127, 0, 0, 1), port}; }

// Runs a task to its end, as far as that needs no time.
template <class T>
std::optional<T> run_now(FakeLoop& loop, runtime::Task<T> task) {
  struct Keep {
    static runtime::Task<void> run(runtime::Task<T> work, std::optional<T>& out) {
      out.emplace(co_await std::move(work));
    }
  };
  std::optional<T> out;
  runtime::Scope scope;
  scope.spawn(Keep::run(std::move(task), out));
  loop.run();
  while (!out) loop.advance(100ms);
  return out;
}

}  // namespace kith::http::test
