#include "cluster/calls.h"

#include <vector>

#include "base/codec.h"

namespace kith::cluster {
namespace {

constexpr uint8_t kQuestion = 0x50, kAnswer = 0x51, kWords = 0x52;
constexpr size_t kMaxReason = 512;

Error malformed() { return Error(Code::protocol, "malformed question, answer or words", Side::peer); }

}  // namespace

runtime::Task<Result<Bytes>> Calls::ask(NodeId to, Service service, Bytes request, MonoTime deadline) {
  if (stopped_) co_return Error(Code::unavailable, "this node has left the cluster");
  if (request.size() > kMaxRequest) co_return Error(Code::limit, "too large to be asked of another member");
  const uint64_t id = next_++;
  Bytes message;
  Writer out(message);
  out.varint(id);
  out.u8(static_cast<uint8_t>(service));
  out.bytes(request);
  const bool sent = send_(to, kQuestion, message);
  if (!sent) co_return Error(Code::unavailable, "there is no link to the other member", Side::peer);
  runtime::OneShot<Result<Bytes>> answer;
  pending_.emplace(id, Pending{to, &answer});
  runtime::OneShot<Result<Bytes>>* slot = &answer;
  runtime::Timer timer = loop_.call_at(deadline, [slot] {
    slot->set(Error(Code::timeout, "the other member did not answer in time", Side::peer));
  });
  Result<Bytes> result = co_await answer.wait();
  timer.reset();
  pending_.erase(id);
  co_return result;
}

void Calls::tell(NodeId to, Service service, ByteView words) {
  Bytes message;
  Writer out(message);
  out.u8(static_cast<uint8_t>(service));
  out.bytes(words);
  (void)send_(to, kWords, message);
}

Result<void> Calls::handle_message(NodeId from, uint8_t type, ByteView payload) {
  if (type == kQuestion) return on_question(from, payload);
  if (type == kAnswer) return on_answer(from, payload);
  Reader in(payload);
  const auto service = static_cast<Service>(in.u8());
  const ByteView words = in.bytes(kMaxRequest);
  if (!in.ok()) return malformed();
  // One that this version does not know is of a later one, and at most once is what was promised.
  if (auto hearing = hearing_.find(service); hearing != hearing_.end()) hearing->second(from, words);
  return {};
}

Result<void> Calls::on_question(NodeId from, ByteView payload) {
  Reader in(payload);
  const uint64_t id = in.varint();
  const auto service = static_cast<Service>(in.u8());
  const ByteView request = in.bytes(kMaxRequest);
  if (!in.ok()) return malformed();
  auto answering = answering_.find(service);
  if (answering == answering_.end() || scope_.stopping()) {
    send_answer(from, id, Error(Code::unavailable, "this member does not answer such questions"));
  } else if (working_[from] >= kMaxFromPeer) {
    send_answer(from, id, Error(Code::limit, "too many questions at a time"));
  } else {
    ++working_[from];
    scope_.spawn(work(from, id, answering->second, Bytes(request.begin(), request.end())));
  }
  return {};
}

runtime::Task<void> Calls::work(NodeId from, uint64_t id, Answering with, Bytes request) {
  Result<Bytes> answer = co_await with(from, std::move(request));
  if (answer && answer->size() > kMaxAnswer) answer = Error(Code::limit, "the answer is too large");
  if (--working_[from] == 0) working_.erase(from);
  send_answer(from, id, answer);
}

void Calls::send_answer(NodeId to, uint64_t id, const Result<Bytes>& answer) {
  Bytes message;
  Writer out(message);
  out.varint(id);
  out.u8(answer ? 1 : 0);
  if (answer) {
    out.bytes(*answer);
  } else {
    out.u8(static_cast<uint8_t>(answer.error().code()));
    out.string(answer.error().message().substr(0, kMaxReason));
  }
  (void)send_(to, kAnswer, message);
}

Result<void> Calls::on_answer(NodeId from, ByteView payload) {
  Reader in(payload);
  const uint64_t id = in.varint();
  Result<Bytes> answer = Bytes{};
  if (in.u8() == 1) {
    const ByteView bytes = in.bytes(kMaxAnswer);
    answer = Bytes(bytes.begin(), bytes.end());
  } else {
    const auto code = static_cast<Code>(in.u8());
    const std::string reason = in.string(kMaxReason);
    answer = Error(code <= Code::internal ? code : Code::internal, reason, Side::peer);
  }
  if (!in.ok()) return malformed();
  // Of a question that nobody waits for any more, or that another was asked: nothing.
  auto pending = pending_.find(id);
  if (pending != pending_.end() && pending->second.to == from) pending->second.answer->set(std::move(answer));
  return {};
}

void Calls::peer_lost(NodeId peer) {
  std::vector<runtime::OneShot<Result<Bytes>>*> lost;
  for (const auto& [id, pending] : pending_)
    if (pending.to == peer) lost.push_back(pending.answer);
  // Each wakes its own asker, and takes no other out of the map.
  for (auto* answer : lost)
    answer->set(Error(Code::unavailable, "the link to the other member is gone", Side::peer));
}

void Calls::stop() {
  stopped_ = true;
  std::vector<runtime::OneShot<Result<Bytes>>*> waiting;
  for (const auto& [id, pending] : pending_) waiting.push_back(pending.answer);
  for (auto* answer : waiting) answer->set(Error(Code::unavailable, "this node leaves the cluster"));
}

}  // namespace kith::cluster
