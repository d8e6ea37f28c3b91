#include "once/core.h"

#include <algorithm>

#include "base/check.h"
#include "base/take.h"

namespace kith::once {
namespace {

constexpr std::chrono::milliseconds kMaxPatience = 60s;

}  // namespace

Core::Core(Config config, Replica self, uint64_t seed) : config_(config), self_(self), random_(seed) {
  present_.emplace(fingerprint_of(self_), self_);
}

void Core::begin(Now now) { now_ = {std::max(now_.mono, now.mono), now.wall}; }

// What we say to ourselves is heard before anything else happens.
void Core::finish() {
  while (!local_.empty()) {
    Transmit message = std::move(local_.front());
    local_.pop_front();
    KITH_CHECK(take(self_, message.type, message.payload));
  }
}

void Core::send(const Replica& to, MessageType type, Bytes payload) {
  (to == self_ ? local_ : transmits_).push_back({to, static_cast<uint8_t>(type), std::move(payload)});
}

Result<void> Core::handle_message(const Replica& from, uint8_t type, ByteView payload, Now now) {
  begin(now);
  Result<void> done = take(from, type, payload);
  finish();
  return done;
}

template <class Message>
Result<void> Core::take(const Replica& from, ByteView payload,
                        void (Core::*handler)(const Replica&, const Message&)) {
  auto message = Message::decode(payload);
  if (!message) return std::move(message).error();
  (this->*handler)(from, *message);
  return {};
}

Result<void> Core::take(const Replica& from, uint8_t type, ByteView payload) {
  switch (static_cast<MessageType>(type)) {
    case MessageType::store: return take(from, payload, &Core::on_store);
    case MessageType::stored: return take(from, payload, &Core::on_stored);
    case MessageType::prepare: return take(from, payload, &Core::on_prepare);
    case MessageType::accept: return take(from, payload, &Core::on_accept);
    case MessageType::vote: return take(from, payload, &Core::on_vote);
    case MessageType::redeem: return take(from, payload, &Core::on_redeem);
    case MessageType::redeemed: return take(from, payload, &Core::on_redeemed);
  }
  return {};  // of a later version
}

// ---------------------------------------------------------------- requests of our clients

void Core::set_view(std::vector<Member> members, Now now) {
  begin(now);
  view_ = std::move(members);
  present_.clear();
  present_.emplace(fingerprint_of(self_), self_);
  for (const Member& one : view_) present_.emplace(fingerprint_of(one.replica), one.replica);
  // Who waits for somebody that is gone need not wait for the end of its turn.
  for (auto& [number, request] : requests_) {
    if (!present_.contains(request.group[request.place])) ask(number, request);
  }
  finish();
}

Result<uint64_t> Core::redeem(Redemption redemption, MonoTime deadline, Now now) {
  begin(now);
  if (redemption.group.empty() || redemption.group.size() > kGroupSize)
    return Error(Code::invalid, "a code names one to three nodes", Side::client);
  if (requests_.size() >= config_.max_requests)
    return Error(Code::limit, "too many redemptions are on their way");
  uint64_t number = random_();
  while (number == 0 || requests_.contains(number)) number = random_();
  Request& request = requests_[number];
  request.id = redemption.id;
  request.group = std::move(redemption.group);
  request.proof = redemption.proof;
  request.deadline = deadline;
  request.place = request.group.size() - 1;  // so that the minting node is the first
  ask(number, request);
  finish();
  return number;
}

// The next one of the group that is there. It has a little less time than we have, so that its denial
// comes before our own.
void Core::ask(uint64_t number, Request& request) {
  set_alarm(request.alarm, {std::min(now_.mono + config_.turn, request.deadline), request.id, number});
  Duration left = request.deadline - now_.mono;
  if (left <= Duration(0)) return;
  auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(left - left / 8);
  for (size_t i = 0; i < request.group.size(); ++i) {
    request.place = (request.place + 1) % request.group.size();
    auto member = present_.find(request.group[request.place]);
    if (member == present_.end() || request.without[request.place]) continue;
    send(member->second, MessageType::redeem,
         Redeem{request.id, number, request.proof, std::min(patience, kMaxPatience)}.encode());
    return;
  }
}

void Core::conclude(uint64_t number, const RedeemedMessage& answer) {
  auto at = requests_.find(number);
  const Request& request = at->second;
  if (answer.outcome == Outcome::used) events_.push_back(Reused{request.id, answer.first, request.proof});
  events_.push_back(Redeemed{number, answer.outcome, answer.again, answer.payload});
  set_alarm(at->second.alarm, {kNever, request.id, number});
  requests_.erase(at);
}

void Core::on_redeemed(const Replica& from, const RedeemedMessage& answer) {
  auto at = requests_.find(answer.nonce);
  if (at == requests_.end()) return;  // answered before, or too late
  Request& request = at->second;
  auto member = std::find(request.group.begin(), request.group.end(), fingerprint_of(from));
  if (member == request.group.end()) return refuse();
  switch (answer.outcome) {
    case Outcome::unknown:
      // A majority has what was acknowledged. So if a majority does not have it, there is no such record.
      request.without.set(static_cast<size_t>(member - request.group.begin()));
      if (request.without.count() > request.group.size() / 2) return conclude(answer.nonce, answer);
      return ask(answer.nonce, request);
    case Outcome::no_majority: request.no_majority = true; return;  // somebody else may reach one
    default: return conclude(answer.nonce, answer);
  }
}

// ---------------------------------------------------------------- time

// Whoever waits has one alarm; kNever takes it away.
void Core::set_alarm(MonoTime& present, Alarm next) {
  if (present == next.when) return;
  alarms_.erase({present, next.record, next.request});
  if (next.when != kNever) alarms_.insert(next);
  present = next.when;
}

void Core::handle_timeout(Now now) {
  begin(now);
  if (now_.mono >= next_sweep_) sweep();
  // Each one that is woken sets its alarm to a later time, or takes it away.
  while (!alarms_.empty() && alarms_.begin()->when <= now_.mono) {
    Alarm alarm = *alarms_.begin();
    if (alarm.request == 0) {
      wake(*find(alarm.record));
      continue;
    }
    Request& request = requests_.at(alarm.request);
    if (now_.mono < request.deadline) {
      ask(alarm.request, request);
    } else {
      Outcome outcome = request.no_majority ? Outcome::no_majority : Outcome::late;
      conclude(alarm.request, {alarm.request, outcome, false, {}, {}});
    }
  }
  finish();
}

MonoTime Core::poll_timeout() const {
  return alarms_.empty() ? next_sweep_ : std::min(next_sweep_, alarms_.begin()->when);
}

std::optional<Transmit> Core::poll_transmit() {
  return take_front(transmits_);
}

std::optional<Event> Core::poll_event() {
  return take_front(events_);
}

}  // namespace kith::once
