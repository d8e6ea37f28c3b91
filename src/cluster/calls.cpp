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
  Asked& asked = asked_[to];
  if (asked.waiting.size() >= kMaxWaiting || asked.waiting_bytes + request.size() > kMaxWaitingBytes)
    co_return Error(Code::limit, "too many questions wait for the other member");
  const uint64_t id = next_++;
  Bytes message;
  Writer out(message);
  out.varint(id);
  out.u8(static_cast<uint8_t>(service));
  out.bytes(request);
  Bytes().swap(request);
  asked.waiting.insert(id);
  asked.waiting_bytes += message.size();
  runtime::OneShot<Result<Bytes>> answer;
  pending_.emplace(id, Pending{to, &answer, std::move(message)});
  send_waiting(to);
  runtime::OneShot<Result<Bytes>>* slot = &answer;
  runtime::Timer timer = loop_.call_at(deadline, [slot] {
    slot->set(Error(Code::timeout, "the other member did not answer in time", Side::peer));
  });
  Result<Bytes> result = co_await answer.wait();
  timer.reset();
  done(id);
  co_return result;
}

// Sending may end the link, and whoever is woken may ask again: nothing is held across either.
void Calls::send_waiting(NodeId to) {
  auto found = asked_.find(to);
  if (found == asked_.end() || found->second.sending) return;
  found->second.sending = true;
  for (;;) {
    Asked& asked = asked_.at(to);
    if (asked.waiting.empty() || asked.out.size() >= kMaxFromPeer) break;
    const uint64_t id = *asked.waiting.begin();
    Bytes message = std::move(pending_.at(id).message);
    asked.waiting.erase(id);
    asked.waiting_bytes -= message.size();
    asked.out.insert(id);
    const Sent sent = send_(to, kQuestion, message, kMaxQueue);
    found = asked_.find(to);
    if (found == asked_.end()) return;  // the link has ended, and with it all that were asked
    if (sent == Sent::yes || found->second.out.erase(id) == 0) continue;
    if (sent == Sent::full) {
      found->second.waiting.insert(id);
      found->second.waiting_bytes += message.size();
      pending_.at(id).message = std::move(message);
      break;
    }
    fail(id, Error(Code::unavailable, "there is no link to the other member", Side::peer));
    if (!asked_.contains(to)) return;
  }
  Asked& asked = asked_.at(to);
  asked.sending = false;
  if (asked.out.empty() && asked.waiting.empty()) asked_.erase(to);
}

void Calls::fail(uint64_t id, const Error& why) {
  if (auto pending = pending_.find(id); pending != pending_.end()) pending->second.answer->set(why);
}

// Nobody waits for the answer any more.
void Calls::done(uint64_t id) {
  auto pending = pending_.find(id);
  const NodeId to = pending->second.to;
  const size_t size = pending->second.message.size();
  pending_.erase(pending);
  auto asked = asked_.find(to);
  if (asked == asked_.end()) return;
  if (asked->second.waiting.erase(id) > 0) asked->second.waiting_bytes -= size;
  if (asked->second.out.empty() && asked->second.waiting.empty() && !asked->second.sending)
    asked_.erase(asked);
}

void Calls::tell(NodeId to, Service service, ByteView words) {
  Bytes message;
  Writer out(message);
  out.u8(static_cast<uint8_t>(service));
  out.bytes(words);
  (void)send_(to, kWords, message, kMaxQueue);
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
    send_answer(from, id, Error(Code::unavailable, "the other member has too many questions at a time"));
  } else {
    ++working_[from];
    scope_.spawn(work(from, id, answering->second, Bytes(request.begin(), request.end())));
  }
  return {};
}

runtime::Task<void> Calls::work(NodeId from, uint64_t id, Answering with, Bytes request) {
  Result<Bytes> answer = co_await with(from, std::move(request));
  if (answer && answer->size() > kMaxAnswer)
    answer = Error(Code::limit, "the answer is too large to be sent to another member");
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
  const size_t most = message.size() <= kSmall ? kMaxSmallQueue : kMaxAnswerQueue;
  if (send_(to, kAnswer, message, most) == Sent::full && answer)
    send_answer(to, id,
                Error(Code::unavailable, "the other member could not send its answer: too much waits"));
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
  auto asked = asked_.find(from);
  if (asked == asked_.end() || asked->second.out.erase(id) == 0) return {};
  if (auto pending = pending_.find(id); pending != pending_.end())
    pending->second.answer->set(std::move(answer));
  send_waiting(from);
  return {};
}

void Calls::peer_lost(NodeId peer) {
  asked_.erase(peer);
  std::vector<uint64_t> lost;
  for (const auto& [id, pending] : pending_)
    if (pending.to == peer) lost.push_back(id);
  for (const uint64_t id : lost)
    fail(id, Error(Code::unavailable, "the link to the other member is gone", Side::peer));
}

void Calls::stop() {
  stopped_ = true;
  asked_.clear();
  std::vector<uint64_t> waiting;
  for (const auto& [id, pending] : pending_) waiting.push_back(id);
  for (const uint64_t id : waiting) fail(id, Error(Code::unavailable, "this node leaves the cluster"));
}

}  // namespace kith::cluster
