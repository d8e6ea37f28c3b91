#include "gateway/splice.h"

#include <array>

#include "runtime/scope.h"

namespace kith::gateway {

namespace {

constexpr size_t kBufferBytes = 16 << 10;

struct Pair {
  runtime::Loop& loop;
  runtime::Stream& a;
  runtime::Stream& b;
  Duration idle;
  MonoTime last_activity;
  runtime::Timer timer;

  void close() {
    a.close();
    b.close();
  }
  void watch() {
    timer = loop.call_at(last_activity + idle, [this] {
      if (loop.now() - last_activity < idle) {
        watch();
      } else {
        close();
      }
    });
  }
};

runtime::Task<void> copy(Pair& pair, runtime::Stream& from, runtime::Stream& to) {
  std::array<uint8_t, kBufferBytes> buffer;
  while (true) {
    auto got = co_await from.read(buffer, kNever);
    if (!got) break;
    pair.last_activity = pair.loop.now();
    if (*got == 0) {
      auto ended = co_await to.shutdown();
      if (!ended) break;
      co_return;
    }
    auto written = co_await to.write_all(ByteView(buffer).first(*got), kNever);
    if (!written) break;
  }
  pair.close();
}

}  // namespace

runtime::Task<void> splice(runtime::Loop& loop, runtime::Stream& a, runtime::Stream& b, Duration idle) {
  Pair pair{.loop = loop, .a = a, .b = b, .idle = idle, .last_activity = loop.now(), .timer = nullptr};
  pair.watch();
  runtime::Scope scope;
  scope.spawn(copy(pair, a, b));
  scope.spawn(copy(pair, b, a));
  co_await scope.close();
  pair.close();
}

}  // namespace kith::gateway
