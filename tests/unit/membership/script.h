// Scripted peers for one core, and what they saw of it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "membership/core.h"

namespace kith::membership {

struct Script {
  crypto::SigningKey key;
  NodeRecord record;
  NodeId id;
  Bytes bytes() const { return record.encode(key); }
};

inline Script script(uint8_t number, uint64_t incarnation = 1) {
  Script out{crypto::SigningKey::from_seed(Bytes(32, number)), {}, {}};
  out.record.key = out.key.public_key();
  out.record.id = out.id = crypto::node_id(out.record.key);
  out.record.incarnation = incarnation;
  out.record.sequence = 1;
  out.record.name = "n" + std::to_string(number);
  out.record.state = State::ready;
  out.record.membership = {Multiaddr::Host::ip4, "10.0.0." + std::to_string(number), 9450};
  out.record.data = {Multiaddr::Host::ip4, "10.0.0." + std::to_string(number), 9451};
  return out;
}

class MembershipCore : public testing::Test {
 protected:
  MembershipCore() { restart({}); }
  void restart(Config config, uint64_t incarnation = 1) {
    Script self = script(1, incarnation);
    core.emplace(config, self.key, self.record, 42, now);
  }
  void link(const Script& peer) {
    core->link_up(peer.id, peer.bytes(), now);
    collect();
  }
  template <class Message>
  Result<void> say(const Script& peer, MessageType type, const Message& message) {
    Result<void> out = core->handle_message(peer.id, static_cast<uint8_t>(type), message.encode(), now);
    collect();
    return out;
  }
  void vote(const Script& observer, const Script& subject, Verdict verdict) {
    ASSERT_TRUE(
        say(observer, MessageType::votes, VotesMessage{{{subject.id, subject.record.version(), verdict}}}));
  }
  // Time passes in steps in which these peers give signs of life.
  void live(Duration duration, const std::vector<Script>& alive) {
    for (MonoTime end = now + duration; now < end;) {
      now += 50ms;
      for (const Script& peer : alive) core->heard(peer.id, now);
      core->handle_timeout(now);
      collect();
    }
  }
  void collect() {
    while (auto transmit = core->poll_transmit()) sent.push_back(*std::move(transmit));
    while (auto dial = core->poll_dial()) dials.push_back(*std::move(dial));
    while (auto event = core->poll_event()) events.push_back(*std::move(event));
  }
  template <class Kind>
  std::vector<Kind> take() {
    std::vector<Kind> out;
    for (const Event& event : events) {
      if (auto* kind = std::get_if<Kind>(&event)) out.push_back(*kind);
    }
    std::erase_if(events, [](const Event& event) { return std::holds_alternative<Kind>(event); });
    return out;
  }
  size_t count_sent(const Script& to, MessageType type) const {
    return static_cast<size_t>(std::count_if(sent.begin(), sent.end(), [&](const Transmit& transmit) {
      return transmit.to == to.id && transmit.type == static_cast<uint8_t>(type);
    }));
  }
  bool dialled(const Script& peer) const {
    return std::any_of(dials.begin(), dials.end(),
                       [&](const Dial& dial) { return dial.address == peer.record.membership; });
  }

  MonoTime now{1h};
  std::optional<Core> core;
  std::vector<Transmit> sent;
  std::vector<Dial> dials;
  std::vector<Event> events;
  Script b = script(2), c = script(3), d = script(4);
};

}  // namespace kith::membership
