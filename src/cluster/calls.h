// Questions to one member and its answer, and words to a member that nobody answers. What they are about is
// opaque here. Bytes: docs/formats/calls.md. Everything here runs on the control loop.
#pragma once

#include <functional>
#include <map>

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
  static constexpr size_t kMaxFromPeer = 256;  // questions of one peer at a time; beyond, it is told to wait

  using Send = std::function<bool(NodeId to, uint8_t type, ByteView payload)>;
  using Answering = std::function<runtime::Task<Result<Bytes>>(NodeId from, Bytes request)>;
  using Hearing = std::function<void(NodeId from, ByteView words)>;

  // send says whether there is a link that takes it. Answers are made in the scope.
  Calls(runtime::Loop& loop, runtime::Scope& scope, Send send)
      : loop_(loop), scope_(scope), send_(std::move(send)) {}

  // Set before the cluster starts.
  void answer(Service service, Answering with) { answering_[service] = std::move(with); }
  void hear(Service service, Hearing with) { hearing_[service] = std::move(with); }

  // Fails with what the other side answered, with unavailable when the link went or never was, with timeout.
  // In the last three cases the other side may have done what was asked.
  runtime::Task<Result<Bytes>> ask(NodeId to, Service service, Bytes request, MonoTime deadline);
  // At most once, in the order of telling. words: at most kMaxRequest.
  void tell(NodeId to, Service service, ByteView words);

  // Fails with protocol.
  Result<void> handle_message(NodeId from, uint8_t type, ByteView payload);
  void peer_lost(NodeId peer);
  // All that wait get unavailable, and so does whoever asks from now on.
  void stop();

 private:
  struct Pending {
    NodeId to;
    runtime::OneShot<Result<Bytes>>* answer;
  };
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
  std::map<NodeId, size_t> working_;  // questions of a peer that are being answered
  uint64_t next_ = 1;
  bool stopped_ = false;
};

}  // namespace kith::cluster
