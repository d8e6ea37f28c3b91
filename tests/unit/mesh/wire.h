// Two links and the wire between them; and a peer that holds the keys but keeps no rules.
#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "crypto/hash.h"
#include "mesh/link.h"

namespace kith::mesh {

inline crypto::Secret test_psk(uint8_t number) { return crypto::Secret(Bytes(kPskSize, number)); }

// Different each time, the same in each run.
inline Bytes test_random() {
  static uint64_t counter = 0;
  ++counter;
  crypto::Digest digest =
      crypto::sha256(ByteView(reinterpret_cast<const uint8_t*>(&counter), sizeof counter));
  return {digest.begin(), digest.end()};
}

struct TestNode {
  uint8_t number = 1;
  std::string cluster = "test";
  std::vector<uint8_t> psks = {1};
  uint64_t boot_nonce = 0;  // 0: from the number
  uint32_t records_per_key = 1u << 24;

  LinkConfig config() const {
    static const std::shared_ptr<const crypto::TlsContext> tls = crypto::make_psk_context();
    std::vector<crypto::Secret> keys;
    for (uint8_t psk : psks) keys.push_back(test_psk(psk));
    return {.cluster = cluster,
            .key = crypto::SigningKey::from_seed(Bytes(32, number)),
            .incarnation = 100u + number,
            .boot_nonce = boot_nonce != 0 ? boot_nonce : 1000u + number,
            .record = Bytes(300, number),
            .keyring = std::make_shared<const Keyring>(keys),
            .tls = tls,
            .records_per_key = records_per_key};
  }
  NodeId id() const { return crypto::node_id(config().key.public_key()); }
};

// Everything a link said.
struct Story {
  std::optional<Established> established;
  std::vector<Message> messages;
  std::optional<Closed> closed;

  void take(Link& link) {
    while (auto event = link.poll_event()) {
      if (auto* up = std::get_if<Established>(&*event)) established = *up;
      if (auto* message = std::get_if<Message>(&*event)) messages.push_back(*message);
      if (auto* end = std::get_if<Closed>(&*event)) closed = *end;
    }
  }
  Refusal reason() const { return closed ? closed->reason : Refusal::none; }
};

inline constexpr MonoTime kStart{Duration(1h)};

struct Wire {
  Link dialler;
  Link acceptor;
  // May change what passes.
  std::function<void(Bytes&)> to_acceptor = [](Bytes&) {};
  std::function<void(Bytes&)> to_dialler = [](Bytes&) {};
  size_t step = 1 << 20;  // bytes handed over at once
  Story dialler_story{};
  Story acceptor_story{};

  static Wire join(const TestNode& from, const TestNode& to, Channel channel = Channel::membership,
                   std::optional<NodeId> expected = std::nullopt) {
    return Wire{Link::dial(from.config(), channel, expected, test_random(), kStart),
                Link::accept(to.config(), channel == Channel::membership, test_random(), kStart)};
  }

  bool pass(Link& from, Link& to, const std::function<void(Bytes&)>& change) {
    Bytes data = from.poll_transmit();
    if (data.empty()) return false;
    change(data);
    for (ByteView rest = data; !rest.empty();) {
      ByteView part = rest.first(std::min(step, rest.size()));
      rest = rest.subspan(part.size());
      to.handle_input(part, kStart);
    }
    return true;
  }
  // Until both are silent.
  void run() {
    for (bool moved = true; moved;) {
      moved = pass(dialler, acceptor, to_acceptor);
      moved = pass(acceptor, dialler, to_dialler) || moved;
      dialler_story.take(dialler);
      acceptor_story.take(acceptor);
    }
  }
  bool both_established() const { return dialler.established() && acceptor.established(); }
};

// Has a PSK and speaks TLS, but says what the test wants. To an acceptor it is a dialler, and the other
// way round.
class Insider {
 public:
  Insider(Link& victim, Role role, const TestNode& node)
      : victim_(victim), role_(role), keyring_(node.config().keyring), finder_(keyring_, Port::membership) {
    auto tls = node.config().tls;
    if (role == Role::dialler) {
      transcript_.dialler = Preamble{.kind = Preamble::Kind::dialler, .channel = 1}.encode();
      tls_ = crypto::TlsEngine::psk_client(tls, keyring_->offer(Channel::membership, Bytes(16, 9)));
      victim_.handle_input(transcript_.dialler, kStart);
      (void)tls_->handshake();
      take_preamble(transcript_.acceptor);
    } else {
      take_preamble(transcript_.dialler);
      transcript_.acceptor = Preamble{.kind = Preamble::Kind::acceptor, .channel = 1}.encode();
      tls_ = crypto::TlsEngine::psk_server(tls, finder_);
      victim_.handle_input(transcript_.acceptor, kStart);
    }
    pump();
    transcript_.exporter = tls_->exporter("EXPORTER-kith-mesh-1", {}, 32);
  }

  void say(ByteView frames) {
    EXPECT_TRUE(tls_->write(frames));
    pump();
  }
  // What the victim said inside TLS so far.
  Bytes heard() {
    pump();
    return heard_;
  }
  // The payload of its HELLO.
  Bytes heard_hello() {
    FrameReader reader;
    reader.feed(heard());
    auto frame = reader.next();
    return frame ? frame->payload : Bytes();
  }
  const Transcript& transcript() const { return transcript_; }
  Role role() const { return role_; }

 private:
  void take_preamble(PreambleBytes& into) {
    pending_ = victim_.poll_transmit();
    ASSERT_GE(pending_.size(), into.size());
    std::copy_n(pending_.begin(), into.size(), into.begin());
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(into.size()));
  }
  void pump() {
    for (bool moved = true; moved;) {
      moved = !pending_.empty();
      tls_->feed(std::exchange(pending_, {}));
      if (!tls_->handshake_done()) (void)tls_->handshake();
      Bytes buffer(kRecordSize);
      for (auto size = tls_->read(buffer); size && *size > 0; size = tls_->read(buffer)) {
        append(heard_, ByteView(buffer).first(*size));
      }
      if (Bytes out = tls_->take_output(); !out.empty()) {
        moved = true;
        victim_.handle_input(out, kStart);
      }
      append(pending_, victim_.poll_transmit());
      moved = moved || !pending_.empty();
    }
  }

  Link& victim_;
  Role role_;
  std::shared_ptr<const Keyring> keyring_;
  KeyFinder finder_;
  Transcript transcript_;
  std::optional<crypto::TlsEngine> tls_;
  Bytes pending_;
  Bytes heard_;
};

}  // namespace kith::mesh
