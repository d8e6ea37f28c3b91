#include "http/relay.h"

#include <memory>

#include "runtime/scope.h"
#include "runtime/sync.h"

namespace kith::http {
namespace {

// None for a body that came with its head, small for the many short ones, large for the few long ones: a
// buffer that was filled is replaced once.
class RelayBuffer {
 public:
  MutableByteView space() {
    if (!memory_) memory_ = std::make_unique_for_overwrite<uint8_t[]>(size_);
    return {memory_.get(), size_};
  }
  ByteView filled(size_t n) const { return {memory_.get(), n}; }
  void grow_after(size_t n) {
    if (n < size_ || size_ == kLarge) return;
    size_ = kLarge;
    memory_.reset();
  }

 private:
  static constexpr size_t kSmall = 16 << 10;
  static constexpr size_t kLarge = 64 << 10;
  size_t size_ = kSmall;
  std::unique_ptr<uint8_t[]> memory_;
};

struct Pair {
  runtime::Loop& loop;
  runtime::Stream& a;
  runtime::Stream& b;
  Duration idle;
  MonoTime last{};
  int running = 2;
  std::stop_source over{};  // both directions have ended
  DuplexCount count{};

  // May end the other direction within the call; the caller is a task of the scope, so the pair stays.
  void close() {
    a.close();
    b.close();
  }
};

runtime::Task<void> copy(Pair& pair, runtime::Stream& from, runtime::Stream& to, uint64_t& count) {
  RelayBuffer buffer;
  for (;;) {
    auto n = co_await from.read(buffer.space(), kNever);
    if (!n) break;
    pair.last = pair.loop.now();
    if (*n == 0) {
      auto ended = co_await to.shutdown();
      if (!ended) break;
      co_return;
    }
    auto sent = co_await to.write_all(buffer.filled(*n), kNever);
    if (!sent) break;
    count += *n;
    pair.last = pair.loop.now();
    buffer.grow_after(*n);
  }
  pair.close();
}

runtime::Task<void> run_direction(Pair& pair, runtime::Stream& from, runtime::Stream& to, uint64_t& count) {
  co_await copy(pair, from, to, count);
  if (--pair.running == 0) pair.over.request_stop();
}

// One timer that looks now and then, instead of one that is moved with every byte.
runtime::Task<void> end_when_idle(Pair& pair) {
  for (;;) {
    MonoTime when = pair.last + pair.idle;
    bool passed = co_await runtime::sleep_until(pair.loop, when, pair.over.get_token());
    if (!passed) co_return;
    if (pair.loop.now() - pair.last < pair.idle) continue;
    pair.count.idle = true;
    pair.close();
    co_return;
  }
}

}  // namespace

runtime::Task<Result<void>> relay_body(BodyReader& from, Exchange& to) {
  for (ByteView here = from.here(); !here.empty(); here = from.here()) {
    KITH_CO_TRY_VOID(co_await to.write(here));
    KITH_CO_TRY_VOID(from.pass(here.size()));
  }
  RelayBuffer buffer;
  while (!from.complete()) {
    KITH_CO_TRY(size_t n, co_await from.read(buffer.space()));
    if (n == 0) break;
    KITH_CO_TRY_VOID(co_await to.write(buffer.filled(n)));
    buffer.grow_after(n);
  }
  co_return co_await to.finish();
}

runtime::Task<DuplexCount> relay_duplex(runtime::Loop& loop, runtime::Stream& a, runtime::Stream& b,
                                        Duration idle) {
  Pair pair{.loop = loop, .a = a, .b = b, .idle = idle, .last = loop.now()};
  runtime::Scope scope;
  scope.spawn(run_direction(pair, a, b, pair.count.a_to_b));
  scope.spawn(run_direction(pair, b, a, pair.count.b_to_a));
  if (idle != Duration::zero()) scope.spawn(end_when_idle(pair));
  co_await scope.close();
  co_return pair.count;
}

}  // namespace kith::http
