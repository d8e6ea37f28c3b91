// Questions to one member and its answer, and words to a member that nobody answers. What they are about is
// opaque here. Bytes: docs/formats/calls.md. Everything here runs on the control loop.
//
// A member works on so many questions of another at a time. Those that are too many wait where they are
// asked, in the order of asking and within their deadlines, so that who asks a busy member waits and does not
// fail. A question has its place until its answer comes, or the link is gone, also when nobody waits for that
// any more: the other side is still at work on it.
#pragma once

#include <functional>
#include <map>
#include <set>

#include "base/node.h"
#include "base/result.h"
#include "runtime/ports.h"
#include "runtime/scope.h"
#include "runtime/sync.h"

namespace kith::cluster {

inline constexpr uint8_t kCallsFirst = 0x50;
inline constexpr uint8_t kCallsLast = 0x52;

enum class Service : uint8_t {
  cache_commands = 1,  // asked: src/cache/executor.h
  publish = 2,         // told: src/cache/pubsub.h
};

class Calls {
 public:
  static constexpr size_t kMaxRequest = 512 << 10;
  static constexpr size_t kMaxAnswer = 768 << 10;
  static constexpr size_t kMaxFromPeer = 256;  // questions of one peer at a time; beyond, they are refused
  static constexpr size_t kMaxWaiting = 8192;  // questions for one member that has too many already ...
  static constexpr size_t kMaxWaitingBytes = 32 << 20;  // ... and what they take
  // Of what is on its way to a member. Words are dropped beyond, questions wait; answers may take more, for
  // somebody waits for each, and small ones, errors above all, more still.
  static constexpr size_t kMaxQueue = 4 << 20;
  static constexpr size_t kMaxAnswerQueue = 16 << 20;
  static constexpr size_t kMaxSmallQueue = 20 << 20;
  static constexpr size_t kSmall = 1 << 10;

  // Takes a message for the link when it has less than `most` of calls and words in its queue.
  enum class Sent : uint8_t { no_link, full, yes };
  using Send = std::function<Sent(NodeId to, uint8_t type, ByteView payload, size_t most)>;
  using Answering = std::function<runtime::Task<Result<Bytes>>(NodeId from, Bytes request)>;
  using Hearing = std::function<void(NodeId from, ByteView words)>;

  // Answers are made in the scope.
  Calls(runtime::Loop& loop, runtime::Scope& scope, Send send)
      : loop_(loop), scope_(scope), send_(std::move(send)) {}

  // Set before the cluster starts.
  void answer(Service service, Answering with) { answering_[service] = std::move(with); }
  void hear(Service service, Hearing with) { hearing_[service] = std::move(with); }

  // Fails with what the other side answered; with unavailable when the link went or never was, when the other
  // side has too much to do or cannot send its answer; with timeout: in these cases the other side may have
  // done what was asked. Fails with limit when the question or the answer is too large, or too many wait.
  runtime::Task<Result<Bytes>> ask(NodeId to, Service service, Bytes request, MonoTime deadline);
  // At most once, in the order of telling. words: at most kMaxRequest.
  void tell(NodeId to, Service service, ByteView words);

  // Fails with protocol.
  Result<void> handle_message(NodeId from, uint8_t type, ByteView payload);
  void peer_lost(NodeId peer);
  // Its link took all that it was given.
  void link_drained(NodeId peer) { send_waiting(peer); }
  // All that wait get unavailable, and so does whoever asks from now on.
  void stop();

 private:
  struct Pending {
    NodeId to;
    runtime::OneShot<Result<Bytes>>* answer;
    Bytes message{};  // while it waits
  };
  struct Asked {             // of one member, by id and so in the order of asking
    std::set<uint64_t> out;  // not answered yet, though nobody may wait any more
    std::set<uint64_t> waiting;
    size_t waiting_bytes = 0;
    bool sending = false;
  };
  void send_waiting(NodeId to);
  void fail(uint64_t id, const Error& why);
  void done(uint64_t id);
  Result<void> on_question(NodeId from, ByteView payload);
  Result<void> on_answer(NodeId from, ByteView payload);
  runtime::Task<void> work(NodeId from, uint64_t id, Answering with, Bytes request);
  void send_answer(NodeId to, uint64_t id, const Result<Bytes>& answer);

  runtime::Loop& loop_;
  runtime::Scope& scope_;
  Send send_;
  std::map<Service, Answering> answering_;
  std::map<Service, Hearing> hearing_;
  std::map<uint64_t, Pending> pending_;
  std::map<NodeId, Asked> asked_;
  std::map<NodeId, size_t> working_;  // questions of a peer that are being answered
  uint64_t next_ = 1;
  bool stopped_ = false;
};

}  // namespace kith::cluster
