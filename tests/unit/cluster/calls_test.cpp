// Questions and answers between two ends that a test holds in its hands.
#include "cluster/calls.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/codec.h"
#include "platform/runtime.h"

namespace kith::cluster {
namespace {

using runtime::Task;
using Sent = Calls::Sent;

const NodeId kPeer{};

struct Message {
  uint8_t type;
  Bytes payload;
  uint64_t id() const { return Reader(payload).varint(); }
};

struct End {
  explicit End(runtime::Loop& its_loop)
      : loop(its_loop), calls(its_loop, scope, [this](NodeId, uint8_t type, ByteView payload, size_t most) {
          if (loses) calls.peer_lost(kPeer);
          if (state != Sent::yes) return state;
          if (payload.size() > takes) return Sent::full;
          limits.push_back(most);
          sent.push_back({type, Bytes(payload.begin(), payload.end())});
          return Sent::yes;
        }) {}

  void ask(size_t count, Bytes request = {}, Duration patience = 60s) {
    for (size_t i = 0; i < count; ++i) {
      answers.emplace_back();
      scope.spawn(
          keep(calls.ask(kPeer, Service::cache_commands, request, loop.now() + patience), answers.back()));
    }
  }
  static Task<void> keep(Task<Result<Bytes>> task, std::optional<Result<Bytes>>& out) {
    out.emplace(co_await std::move(task));
  }
  void answer(uint64_t id) {
    Bytes message;
    Writer out(message);
    out.varint(id);
    out.u8(1);
    out.bytes(to_bytes("answer"));
    EXPECT_TRUE(calls.handle_message(kPeer, 0x51, message));
  }
  size_t done(Code code) const {
    size_t count = 0;
    for (const auto& each : answers) count += each && !*each && each->error().code() == code ? 1 : 0;
    return count;
  }

  runtime::Loop& loop;
  runtime::Scope scope;
  Sent state = Sent::yes;
  bool loses = false;
  size_t takes = SIZE_MAX;
  std::vector<Message> sent;
  std::vector<size_t> limits;
  std::deque<std::optional<Result<Bytes>>> answers;
  Calls calls;
};

template <class Body>
void run(Body body) {
  platform::Runtime runtime(0);
  struct Main {
    static Task<void> task(platform::Runtime& r, Body make) {
      End end(r.control());
      co_await make(end);
      end.calls.stop();
      co_await end.scope.close();
      r.control().post([&r] { r.stop(); });
    }
  };
  runtime::Scope scope;
  runtime.control().post([&] { scope.spawn(Main::task(runtime, body)); });
  runtime.control().run();
}

Task<void> in_order(End& end) {
  end.ask(300);
  EXPECT_EQ(end.sent.size(), Calls::kMaxFromPeer);
  for (size_t i = 0; i < 300; ++i) end.answer(end.sent.at(i).id());
  EXPECT_EQ(end.sent.size(), 300u);
  for (size_t i = 0; i < 300; ++i) {
    EXPECT_TRUE(end.answers[i] && *end.answers[i]);
    EXPECT_EQ(end.sent[i].id(), i + 1);
  }
  co_return;
}
TEST(Calls, WhatABusyMemberIsAskedWaitsInTheOrderOfAsking) { run(in_order); }

Task<void> deadlines(End& end) {
  end.ask(256);
  end.ask(1, {}, 10ms);
  end.ask(1);
  co_await runtime::sleep(end.loop, 50ms);
  EXPECT_EQ(end.done(Code::timeout), 1u);
  end.answer(end.sent[0].id());
  EXPECT_EQ(end.sent.size(), 257u);
  EXPECT_EQ(end.sent.back().id(), 258u) << "what nobody waits for is not asked";
}
TEST(Calls, AQuestionThatWaitsHasItsDeadline) { run(deadlines); }

// The other side is still at work on it.
Task<void> places(End& end) {
  end.ask(256, {}, 10ms);
  co_await runtime::sleep(end.loop, 50ms);
  EXPECT_EQ(end.done(Code::timeout), 256u);
  end.ask(1);
  EXPECT_EQ(end.sent.size(), 256u);
  end.answer(1);
  EXPECT_EQ(end.sent.size(), 257u);
}
TEST(Calls, AQuestionHasItsPlaceUntilItIsAnswered) { run(places); }

Task<void> too_many(End& end) {
  end.ask(Calls::kMaxFromPeer + Calls::kMaxWaiting);
  EXPECT_EQ(end.done(Code::limit), 0u);
  end.ask(1);
  EXPECT_EQ(end.done(Code::limit), 1u);
  end.calls.peer_lost(kPeer);
  EXPECT_EQ(end.done(Code::unavailable), Calls::kMaxFromPeer + Calls::kMaxWaiting);
  EXPECT_EQ(end.sent.size(), Calls::kMaxFromPeer);
  co_return;
}
TEST(Calls, TooManyThatWaitAreToldSoAndALostLinkEndsThemAll) { run(too_many); }

Task<void> no_link(End& end) {
  end.state = Sent::full;
  end.ask(3000);
  EXPECT_EQ(end.done(Code::unavailable), 0u);
  end.state = Sent::no_link;
  end.calls.link_drained(kPeer);
  EXPECT_EQ(end.done(Code::unavailable), 3000u);
  end.ask(1);
  EXPECT_EQ(end.done(Code::unavailable), 3001u);
  co_return;
}
TEST(Calls, WithoutALinkNobodyWaits) { run(no_link); }

Task<void> lost_within(End& end) {
  end.loses = true;
  end.ask(1);
  EXPECT_EQ(end.done(Code::unavailable), 1u) << "and does not wait for its deadline";
  co_return;
}
TEST(Calls, ALinkThatEndsWhileItIsWrittenToEndsTheQuestion) { run(lost_within); }

Task<void> drained(End& end) {
  end.state = Sent::full;
  end.ask(2);
  EXPECT_TRUE(end.sent.empty());
  end.state = Sent::yes;
  end.calls.link_drained(kPeer);
  EXPECT_EQ(end.sent.size(), 2u);
  end.answer(1);
  EXPECT_TRUE(end.answers[0] && *end.answers[0]);
  co_return;
}
TEST(Calls, AQuestionWaitsForALinkThatIsFull) { run(drained); }

Task<void> stopped(End& end) {
  end.ask(300);
  end.calls.stop();
  EXPECT_EQ(end.done(Code::unavailable), 300u);
  co_return;
}
TEST(Calls, TheEndOfTheNodeEndsThoseThatWait) { run(stopped); }

Task<Result<Bytes>> large_answer(NodeId, Bytes request) { co_return Bytes(Reader(request).u32()); }

// The code of the error that goes out instead of an answer of this size; nullopt: the answer.
std::optional<Code> answer_of(End& end, uint32_t size) {
  Bytes request, message;
  Writer(request).u32(size);
  Writer out(message);
  out.varint(7);
  out.u8(1);
  out.bytes(request);
  EXPECT_TRUE(end.calls.handle_message(kPeer, 0x50, message));
  Reader in(end.sent.back().payload);
  EXPECT_EQ(in.varint(), 7u);
  if (in.u8() == 1) return std::nullopt;
  return static_cast<Code>(in.u8());
}

Task<void> unsent(End& end) {
  end.calls.answer(Service::cache_commands, large_answer);
  EXPECT_EQ(answer_of(end, 100'000), std::nullopt);
  EXPECT_EQ(answer_of(end, Calls::kMaxAnswer + 1), Code::limit);
  end.takes = 1000;
  EXPECT_EQ(answer_of(end, 100'000), Code::unavailable);
  EXPECT_EQ(end.limits, (std::vector{Calls::kMaxAnswerQueue, Calls::kMaxSmallQueue, Calls::kMaxSmallQueue}));
  co_return;
}
TEST(Calls, AnAnswerThatCannotBeSentIsAnErrorThatCan) { run(unsent); }

}  // namespace
}  // namespace kith::cluster
