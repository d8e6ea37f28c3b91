#include "sim/ports.h"

#include <algorithm>
#include <deque>

#include "runtime/sync.h"

namespace kith::sim {
namespace {

using runtime::Loop;
using runtime::OneShot;
using runtime::Task;
using runtime::Timer;

class SimTimer final : public runtime::TimerHandle {
 public:
  explicit SimTimer(World::Cancel cancel) : cancel_(std::move(cancel)) {}
  ~SimTimer() override { *cancel_ = true; }

 private:
  World::Cancel cancel_;
};

// One awaiter that any of several things may wake: data, the end, a deadline, close().
class Wakeup {
 public:
  void wake() {
    if (auto signal = std::exchange(signal_, nullptr)) signal->set(true);
  }
  // For callers whose own frame must not be disturbed: the awaiter goes on later.
  void wake_later(Loop& loop) {
    if (auto signal = std::exchange(signal_, nullptr)) loop.post([signal] { signal->set(true); });
  }
  std::shared_ptr<OneShot<bool>> arm() { return signal_ = std::make_shared<OneShot<bool>>(); }

 private:
  std::shared_ptr<OneShot<bool>> signal_;
};

// False when the deadline came first.
Task<bool> wait(Loop& loop, std::shared_ptr<OneShot<bool>> signal, MonoTime deadline) {
  Timer timer;
  if (deadline != kNever) timer = loop.call_at(deadline, [signal] { signal->set(false); });
  co_return co_await signal->wait();
}

struct StreamState {
  Bytes received;  // and not read
  bool fin = false;
  bool reset = false;
  bool closed = false;
  bool timed_out = false;
  Wakeup reader, writer;

  std::optional<Error> failure() const {
    if (closed) return Error(Code::closed, "the stream was closed");
    if (reset) return Error(Code::reset, "connection reset by peer");
    if (timed_out) return Error(Code::timeout, "an earlier operation timed out");
    return std::nullopt;
  }
};

class SimStream final : public runtime::Stream {
 public:
  SimStream(Loop& loop, Random& random, std::unique_ptr<Wire> wire)
      : loop_(loop), random_(random), wire_(std::move(wire)), state_(std::make_shared<StreamState>()) {
    Wire::Handlers handlers;
    handlers.on_data = [s = state_](ByteView data) {
      append(s->received, data);
      s->reader.wake();
    };
    handlers.on_end = [s = state_](WireEnd end) {
      (end == WireEnd::fin ? s->fin : s->reset) = true;
      s->reader.wake();
      if (end == WireEnd::reset) s->writer.wake();
    };
    handlers.on_room = [s = state_] { s->writer.wake(); };
    wire_->handle(std::move(handlers));
  }
  ~SimStream() override { close(); }

  Task<Result<size_t>> read(MutableByteView buffer, MonoTime deadline) override {
    std::shared_ptr<StreamState> s = state_;
    while (true) {
      if (auto failure = s->failure()) co_return *std::move(failure);
      if (!s->received.empty()) co_return take(buffer);
      if (s->fin) co_return size_t{0};
      auto signal = s->reader.arm();
      bool woken = co_await wait(loop_, signal, deadline);
      if (!woken) {
        s->timed_out = true;
        co_return Error(Code::timeout, "read");
      }
    }
  }

  Task<Result<void>> write(std::span<const ByteView> pieces, MonoTime deadline) override {
    std::shared_ptr<StreamState> s = state_;
    Bytes data;
    for (ByteView piece : pieces) append(data, piece);
    size_t sent = 0;
    while (true) {
      if (auto failure = s->failure()) co_return *std::move(failure);
      if (sent == data.size()) co_return Result<void>();
      size_t step = std::min(wire_->room(), data.size() - sent);
      if (step > 0) {
        auto from = data.begin() + static_cast<std::ptrdiff_t>(sent);
        if (!wire_->send(Bytes(from, from + static_cast<std::ptrdiff_t>(step))))
          co_return Error(Code::reset, "broken pipe");
        sent += step;
        continue;
      }
      auto signal = s->writer.arm();
      bool woken = co_await wait(loop_, signal, deadline);
      if (!woken) {
        s->timed_out = true;
        co_return Error(Code::timeout, "write");
      }
    }
  }

  Task<Result<void>> shutdown() override {
    if (auto failure = state_->failure()) co_return *std::move(failure);
    wire_->shutdown();
    co_return Result<void>();
  }

  void close() override {
    if (state_->closed) return;
    state_->closed = true;
    wire_->close();
    state_->reader.wake_later(loop_);
    state_->writer.wake_later(loop_);
  }

  Endpoint local_endpoint() const override { return wire_->local(); }
  Endpoint remote_endpoint() const override { return wire_->remote(); }

 private:
  // Now and then less than there is, as a real stream may.
  size_t take(MutableByteView buffer) {
    size_t size = std::min(buffer.size(), state_->received.size());
    if (size > 1 && random_.chance(1, 8)) size = 1 + random_.below(size - 1);
    auto end = state_->received.begin() + static_cast<std::ptrdiff_t>(size);
    std::copy(state_->received.begin(), end, buffer.begin());
    state_->received.erase(state_->received.begin(), end);
    wire_->consumed(size);
    return size;
  }

  Loop& loop_;
  Random& random_;
  std::unique_ptr<Wire> wire_;
  std::shared_ptr<StreamState> state_;
};

struct ListenerState {
  std::deque<std::unique_ptr<Wire>> waiting;
  bool closed = false;
  Wakeup acceptor;
};

class SimListener final : public runtime::Listener {
 public:
  SimListener(ProcessPorts& ports, std::shared_ptr<ListenerState> state, Endpoint at)
      : ports_(ports), state_(std::move(state)), at_(at) {}
  ~SimListener() override { close(); }

  Task<Result<std::unique_ptr<runtime::Stream>>> accept() override {
    std::shared_ptr<ListenerState> s = state_;
    while (!s->closed) {
      if (!s->waiting.empty()) {
        std::unique_ptr<Wire> wire = std::move(s->waiting.front());
        s->waiting.pop_front();
        World& world = ports_.process().world();
        std::unique_ptr<runtime::Stream> stream =
            std::make_unique<SimStream>(ports_, world.random(), std::move(wire));
        co_return stream;
      }
      auto signal = s->acceptor.arm();
      co_await wait(ports_, signal, kNever);
    }
    co_return Error(Code::closed, "the listener was closed");
  }

  void close() override {
    if (std::exchange(state_->closed, true)) return;
    state_->waiting.clear();
    ports_.process().world().wires().stop_listening(ports_.process(), at_);
    state_->acceptor.wake_later(ports_);
  }
  Endpoint local_endpoint() const override { return at_; }

 private:
  ProcessPorts& ports_;
  std::shared_ptr<ListenerState> state_;
  Endpoint at_;
};

}  // namespace

ProcessPorts::ProcessPorts(Process& process)
    : process_(process), world_(process.world()), entropy_(process.world().random().next()) {}

void ProcessPorts::post(std::function<void()> fn) { world_.at(world_.now(), std::move(fn), &process_); }

Timer ProcessPorts::call_at(MonoTime when, std::function<void()> fn) {
  auto cancel = std::make_shared<bool>(false);
  world_.at(when, std::move(fn), &process_, cancel);
  return std::make_unique<SimTimer>(cancel);
}

Result<std::unique_ptr<runtime::Listener>> ProcessPorts::listen(const Endpoint& at,
                                                                const runtime::ListenOptions&) {
  auto state = std::make_shared<ListenerState>();
  KITH_TRY(Endpoint mine, world_.wires().listen(process_, at, [state](std::unique_ptr<Wire> wire) {
    if (state->closed) return;
    state->waiting.push_back(std::move(wire));
    state->acceptor.wake();
  }));
  return std::unique_ptr<runtime::Listener>(std::make_unique<SimListener>(*this, state, mine));
}

Task<Result<std::unique_ptr<runtime::Stream>>> ProcessPorts::connect(Endpoint to, MonoTime deadline) {
  using Connected = Result<std::unique_ptr<Wire>>;
  auto result = std::make_shared<OneShot<Connected>>();
  world_.wires().connect(process_, to, deadline, [result](Connected wire) { result->set(std::move(wire)); });
  Connected wire = co_await result->wait();
  if (!wire) co_return std::move(wire).error();
  std::unique_ptr<runtime::Stream> stream =
      std::make_unique<SimStream>(*this, world_.random(), *std::move(wire));
  co_return stream;
}

Task<Result<std::vector<IpAddress>>> ProcessPorts::resolve(std::string host, runtime::Family family,
                                                           MonoTime deadline) {
  std::vector<IpAddress> found;
  if (auto literal = IpAddress::parse(host)) {
    found.push_back(*literal);
  } else {
    MonoTime answer = world_.now() + world_.network().max_latency;
    co_await runtime::sleep_until(*this, std::min(answer, deadline));
    if (answer > deadline) co_return Error(Code::timeout, "resolving " + host);
    if (auto at = world_.names().find(host); at != world_.names().end()) found = at->second;
  }
  std::erase_if(found, [&](const IpAddress& address) {
    return (family == runtime::Family::v4 && !address.is_v4()) ||
           (family == runtime::Family::v6 && address.is_v4());
  });
  if (found.empty()) co_return Error(Code::unreachable, "no address for " + host);
  co_return found;
}

Task<Result<std::vector<runtime::ServiceRecord>>> ProcessPorts::services(std::string name,
                                                                         runtime::DnsOptions options) {
  co_await runtime::sleep(*this, world_.network().max_latency, options.stop);
  if (options.stop.stop_requested()) co_return Error(Code::cancelled, "asking for " + name);
  auto at = world_.services().find(name);
  if (at == world_.services().end()) co_return Error(Code::not_found, "asking for " + name);
  auto answer = at->second(process_.host());
  if (!answer && answer.error().code() == Code::timeout)
    co_await runtime::sleep_until(*this, options.deadline, options.stop);
  co_return answer;
}

Task<Result<std::vector<std::vector<IpAddress>>>> ProcessPorts::addresses(std::vector<std::string> hosts,
                                                                          runtime::DnsOptions options) {
  co_await runtime::sleep(*this, world_.network().max_latency, options.stop);
  std::vector<std::vector<IpAddress>> out;
  for (const std::string& host : hosts) {
    auto at = world_.names().find(host);
    out.push_back(at == world_.names().end() ? std::vector<IpAddress>() : at->second);
  }
  co_return out;
}

void ProcessPorts::fill(MutableByteView out) {
  for (uint8_t& byte : out) byte = static_cast<uint8_t>(entropy_.next());
}

Result<std::string> ProcessPorts::read(const std::string& path, size_t max_bytes) {
  auto at = process_.host().files.find(path);
  if (at == process_.host().files.end()) return Error(Code::not_found, path + ": no such file");
  if (at->second.size() > max_bytes) return Error(Code::limit, path + ": too large");
  return at->second;
}

Result<void> ProcessPorts::write(const std::string& path, std::string_view content, uint32_t) {
  if (process_.dead()) return Error(Code::io, path + ": the process is dead");
  process_.host().files[path] = content;
  return {};
}

Result<void> ProcessPorts::create(const std::string& path, std::string_view content, uint32_t mode) {
  if (exists(path)) return Error(Code::conflict, path + ": exists");
  return write(path, content, mode);
}

bool ProcessPorts::exists(const std::string& path) { return process_.host().files.contains(path); }

bool ProcessPorts::submit(std::function<void()> work, Loop& loop, std::function<void()> done) {
  post([work = std::move(work), &loop, done = std::move(done)] {
    work();
    loop.post(done);
  });
  return true;
}

}  // namespace kith::sim
