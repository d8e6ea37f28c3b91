// Cores with a small store each, and hands that carry their messages in an order of the test's choice.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "replication/core.h"

namespace kith::replication {

inline crypto::SigningKey signer(uint8_t id) { return crypto::SigningKey::from_seed(Bytes(32, id)); }
inline NodeId node(uint8_t id) { return crypto::node_id(signer(id).public_key()); }
inline Key key(uint8_t id) {
  Key result;
  result.bytes[0] = id;
  return result;
}

// An op of this log with the key's id 1, as whoever signs it sends it.
inline Bytes record_of(const Replica& origin, uint64_t seq, const crypto::SigningKey& by, Bytes payload = {},
                       std::string_view cluster = "") {
  Op op;
  op.dot = {origin, seq};
  op.kind = 1;
  op.key = key(1);
  op.payload = std::move(payload);
  return make_record(op, by, cluster);
}

// A store whose state of a key is the last payload in byte order, which is a lattice.
struct Store final : Source {
  std::map<Key, Bytes> states;
  void merge(const Key& at, const Bytes& state) { states[at] = std::max(states[at], state); }
  bool next(SnapshotCursor& cursor, size_t max_bytes, std::vector<StateEntry>& out) override {
    size_t bytes = 0;
    for (const auto& [at, state] : states) {
      if (cursor.begun && at <= cursor.after) continue;
      bytes += Key::kSize + state.size();
      if (bytes > max_bytes && !out.empty()) return true;
      out.push_back({StoreId::session, at, state});
      cursor.after = at;
      cursor.begun = true;
    }
    return false;
  }
  std::optional<Bytes> state_of(StoreId, const Key& at) override {
    auto found = states.find(at);
    if (found == states.end()) return std::nullopt;
    return found->second;
  }
};

struct Node {
  Store store;
  Core core;
  std::vector<Pulled> pulled;
  std::vector<AckProgress> acks;
  int caught_up = 0;

  Node(uint8_t id, MonoTime now, Config config = {}, uint64_t incarnation = 1)
      : core(config, Replica{node(id), incarnation}, signer(id), store, now) {}
  NodeId id() const { return core.self().node; }
  Dot write(uint8_t at, Bytes payload, MonoTime now) {
    store.merge(key(at), payload);
    Op op;
    op.key = key(at);
    op.kind = 1;
    op.payload = std::move(payload);
    const Dot dot = core.append(std::move(op), now);
    drain();
    return dot;
  }
  void drain() {
    while (auto event = core.poll_event()) {
      if (auto* apply = std::get_if<Apply>(&*event)) store.merge(apply->op.key, apply->op.payload);
      if (auto* state = std::get_if<ApplyState>(&*event)) store.merge(state->entry.key, state->entry.state);
      if (auto* pull = std::get_if<Pulled>(&*event)) pulled.push_back(*pull);
      if (auto* ack = std::get_if<AckProgress>(&*event)) acks.push_back(*ack);
      if (std::get_if<CaughtUp>(&*event)) ++caught_up;
    }
  }
};

class LinkedNodes : public ::testing::Test {
 protected:
  MonoTime now{};

  void link(Node& a, Node& b) {
    a.core.peer_up(b.core.self(), now);
    b.core.peer_up(a.core.self(), now);
  }
  void unlink(Node& a, Node& b) {
    a.core.peer_down(b.id(), now);
    b.core.peer_down(a.id(), now);
  }
  // Carries messages until nobody has any; at most `limit` of them.
  size_t settle(std::vector<Node*> nodes, size_t limit = 100'000) {
    size_t carried = 0;
    for (bool moved = true; moved && carried < limit;) {
      moved = false;
      for (Node* from : nodes) {
        from->drain();
        for (Node* to : nodes) {
          for (Priority priority : {Priority::control, Priority::session, Priority::repair}) {
            while (carried < limit) {
              auto message = from->core.poll_transmit(to->id(), priority);
              if (!message) break;
              EXPECT_LE(message->payload.size(), kMaxMessage);
              ++carried;
              auto result = to->core.handle_message(from->id(), message->type, message->payload, now);
              EXPECT_TRUE(result) << result.error().message();
              to->drain();
              from->drain();
              moved = true;
            }
          }
        }
      }
    }
    return carried;
  }
  // The state of a key goes from one to the other, and nothing else does.
  void pull_alone(Node& to, Node& from, const Key& at) {
    to.core.pull(from.id(), StoreId::session, at, Dot{}, now);
    auto ask = to.core.poll_transmit(from.id(), Priority::control);
    ASSERT_TRUE(from.core.handle_message(to.id(), ask->type, ask->payload, now));
    auto answer = from.core.poll_transmit(to.id(), Priority::control);
    ASSERT_TRUE(to.core.handle_message(from.id(), answer->type, answer->payload, now));
  }
  // b pulls what a wrote, nothing else of it arrives anywhere, and a is gone; b and c stay.
  void leave_with_pulled(Node& a, Node& b, Node& c) {
    for (Node* each : {&a, &b, &c}) each->core.allow_founding(now);
    link(a, b);
    link(b, c);
    settle({&a, &b, &c});
    a.write(1, {5}, now);
    pull_alone(b, a, key(1));
    unlink(a, b);
  }
  // A message as a peer that is no Core sends it.
  Result<void> tell(Node& to, NodeId from, MessageType type, const Bytes& payload) {
    auto result = to.core.handle_message(from, static_cast<uint8_t>(type), payload, now);
    to.drain();
    return result;
  }
  void claim(Node& to, NodeId from, const Replica& origin, uint64_t prefix) {
    (void)tell(to, from, MessageType::vector,
               encode(VectorMessage{true, true, {{origin, Coverage(prefix)}}}));
  }
  void relay(Node& to, NodeId from, const Replica& origin, uint64_t seq, const Bytes& record) {
    OpsWriter ops(origin);
    ops.add(seq, record);
    (void)tell(to, from, MessageType::ops, ops.take());
  }
  void pass(std::vector<Node*> nodes, Duration time) {
    for (const MonoTime end = now + time; now < end;) {
      now += 1s;
      for (Node* each : nodes) each->core.handle_timeout(now);
      settle(nodes);
    }
  }
};

}  // namespace kith::replication
