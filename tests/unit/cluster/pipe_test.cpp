#include "cluster/pipe.h"

#include <gtest/gtest.h>

#include "base/codec.h"
#include "platform/runtime.h"
#include "runtime/scope.h"

namespace kith::cluster {
namespace {

using runtime::Task;

// Two pipes, each the other's far end, on one real loop.
struct Pair {
  explicit Pair(runtime::Loop& loop) {
    a = std::make_shared<Pipe>(loop, to(loop, b));
    b = std::make_shared<Pipe>(loop, to(loop, a));
    a->grant(kPipeWindow);
    b->grant(kPipeWindow);
  }
  ~Pair() {
    a->reset("over");
    b->reset("over");
  }
  Pipe::Send to(runtime::Loop& loop, std::shared_ptr<Pipe>& other) {
    return [this, &loop, &other](ForwardType type, Bytes payload) {
      if (type == ForwardType::data) most_in_flight = std::max(most_in_flight, in_flight += payload.size());
      auto box = std::make_shared<Bytes>(std::move(payload));
      std::shared_ptr<Pipe> target = other;
      loop.post([this, target, type, box] {
        switch (type) {
          case ForwardType::data:
            in_flight -= box->size();
            target->on_data(std::move(*box));
            break;
          case ForwardType::end: target->on_end(); break;
          case ForwardType::credit: target->on_credit(Reader(*box).varint()); break;
          case ForwardType::reset: target->on_reset(Error(Code::closed, to_string(*box))); break;
          default: break;
        }
      });
    };
  }
  std::shared_ptr<Pipe> a, b;
  size_t in_flight = 0;
  size_t most_in_flight = 0;
};

Task<void> send(std::shared_ptr<Pipe> pipe, Bytes data) {
  auto sent = co_await pipe->write(data, kNever);
  EXPECT_TRUE(sent);
  pipe->end();
}

Task<Bytes> receive(std::shared_ptr<Pipe> pipe) {
  Bytes all, buffer(5000);
  for (;;) {
    auto n = co_await pipe->read(buffer, kNever);
    EXPECT_TRUE(n);
    if (!n || *n == 0) co_return all;
    append(all, ByteView(buffer).first(*n));
  }
}

template <class Body>
void run(Body body) {
  platform::Runtime runtime(0);
  runtime::Scope scope;
  struct Main {
    static Task<void> task(platform::Runtime& r, Body make) {
      co_await make(r.control());
      r.control().post([&r] { r.stop(); });
    }
  };
  runtime.control().post([&] { scope.spawn(Main::task(runtime, body)); });
  runtime.control().run();
}

Task<void> both_ways(runtime::Loop& loop) {
  Pair pair(loop);
  Bytes data(2 << 20);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i * 7 + i / 1000);
  runtime::Scope scope;
  scope.spawn(send(pair.a, data));
  scope.spawn(send(pair.b, data));
  Bytes at_b = co_await receive(pair.b);
  Bytes at_a = co_await receive(pair.a);
  EXPECT_EQ(at_a, data);
  EXPECT_EQ(at_b, data);
  EXPECT_TRUE(pair.a->finished());
  EXPECT_LE(pair.most_in_flight, 4 * kPipeWindow);
  co_await scope.close();
}

TEST(Pipe, CarriesMoreThanItsWindowBothWaysAtOnce) { run(both_ways); }

Task<void> stalled(runtime::Loop& loop) {
  Pair pair(loop);
  Bytes data(2 * kPipeWindow);
  auto sent = co_await pair.a->write(data, loop.now() + 100ms);
  EXPECT_FALSE(sent);
  EXPECT_EQ(sent ? Code::internal : sent.error().code(), Code::timeout);
}

TEST(Pipe, AWriterStopsAtTheWindowOfAReaderThatDoesNotRead) { run(stalled); }

Task<void> reset_wakes(runtime::Loop& loop) {
  Pair pair(loop);
  loop.post([&pair] { pair.b->reset("gone"); });
  Bytes buffer(10);
  auto n = co_await pair.a->read(buffer, kNever);
  EXPECT_FALSE(n);
  auto head = co_await pair.a->head();
  EXPECT_FALSE(head);
  EXPECT_TRUE(pair.a->finished());
}

TEST(Pipe, AResetWakesWhoeverWaits) { run(reset_wakes); }

Task<void> flooded(runtime::Loop& loop) {
  Pair pair(loop);
  pair.b->on_data(Bytes(kPipeWindow));
  EXPECT_FALSE(pair.b->finished()) << "as much as was granted";
  Bytes buffer(10);
  auto n = co_await pair.b->read(buffer, kNever);
  EXPECT_TRUE(n);
  pair.b->on_data(Bytes(1));
  EXPECT_TRUE(pair.b->finished()) << "reading grants nothing before half of the window was read";
}

TEST(Pipe, ASenderThatIgnoresItsCreditIsCutOff) { run(flooded); }

Task<void> small_window(runtime::Loop& loop) {
  size_t granted = 0;
  Pipe pipe(
      loop,
      [&granted](ForwardType type, Bytes payload) {
        if (type == ForwardType::credit) granted += Reader(payload).varint();
      },
      kSmallPipeWindow);
  pipe.grant(pipe.window());
  pipe.on_data(Bytes(kSmallPipeWindow));
  EXPECT_FALSE(pipe.finished());
  Bytes buffer(kSmallPipeWindow);
  auto n = co_await pipe.read(buffer, kNever);
  EXPECT_TRUE(n);
  EXPECT_EQ(granted, 2 * kSmallPipeWindow) << "the first window, and what was read";
  pipe.on_data(Bytes(kSmallPipeWindow + 1));
  EXPECT_TRUE(pipe.finished());
}

TEST(Pipe, HoldsNoMoreThanTheWindowItGranted) { run(small_window); }

Task<void> tiny_frames(runtime::Loop& loop) {
  Pair pair(loop);
  for (size_t i = 0; i < kPipeWindow; ++i) pair.b->on_data(Bytes{static_cast<uint8_t>(i)});
  EXPECT_FALSE(pair.b->finished());
  EXPECT_LE(pair.b->held_pieces(), kPipeWindow / (16 << 10));
  Bytes buffer(kPipeWindow), all;
  while (all.size() < kPipeWindow) {
    auto n = co_await pair.b->read(buffer, kNever);
    EXPECT_TRUE(n);
    if (!n) co_return;
    append(all, ByteView(buffer).first(*n));
  }
  for (size_t i = 0; i < kPipeWindow; ++i) EXPECT_EQ(all[i], static_cast<uint8_t>(i));
}

TEST(Pipe, KeepsTinyFramesInFewPieces) { run(tiny_frames); }

Task<void> credit(runtime::Loop& loop) {
  Pair pair(loop);
  (void)co_await runtime::sleep(loop, 1ms);  // the first windows are there
  for (int i = 0; i < 3; ++i) pair.a->on_credit(4 * kPipeWindow);
  auto sent = co_await pair.a->write(Bytes(2 * kPipeWindow), loop.now() + 100ms);
  EXPECT_FALSE(sent);
  EXPECT_LE(pair.most_in_flight, kPipeWindow);
}

TEST(Pipe, SendsNoMoreThanAWindowWhateverItIsGranted) { run(credit); }

}  // namespace
}  // namespace kith::cluster
