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
            .keyring = std::make_shared<const Keyring>(Keyring::of(keys)),
            .tls = tls,
            .records_per_key = records_per_key};
  }
  NodeId id() const { return crypto::node_id(config().key.public_key()); }
};

inline constexpr MonoTime kStart{Duration(1h)};

inline Challenge test_challenge() {
  Bytes random = test_random();
  Challenge challenge;
  std::copy_n(random.begin(), challenge.size(), challenge.begin());
  return challenge;
}

// One side of a connection as a driver makes it: a dialled link; or an entrance, and behind it the link.
class Side {
 public:
  explicit Side(Link link) : link_(std::move(link)) {}
  Side(const LinkConfig& config, Port port) : config_(config), entrance_(Entrance(port, test_challenge())) {}

  void handle_input(ByteView data, MonoTime now) {
    if (!link_) {
      handle_timeout(now);
      if (closed()) return;
      entrance_->handle_input(data, *config_->keyring);
      append(output_, entrance_->poll_transmit());
      if (!entrance_->done() || entrance_->refused()) return;
      link_ = Link::accept(*config_, entrance_->take(), kStart);
    }
    if (!data.empty()) link_->handle_input(data, now);
  }
  void handle_end(MonoTime now) {
    if (link_) return link_->handle_end(now);
    end(Refusal::none);
  }
  void handle_timeout(MonoTime now) {
    if (link_) return link_->handle_timeout(now);
    if (now >= kStart + kHandshakeTimeout) end(Refusal::handshake_timeout);
  }
  MonoTime poll_timeout() const { return link_ ? link_->poll_timeout() : kStart + kHandshakeTimeout; }
  Bytes poll_transmit() {
    Bytes out = std::exchange(output_, {});
    if (link_) append(out, link_->poll_transmit());
    return out;
  }
  std::optional<LinkEvent> poll_event() {
    if (link_) return link_->poll_event();
    if (entrance_->refused()) end(entrance_->reason());
    if (!ended_ || said_) return std::nullopt;
    said_ = true;
    return Closed{*ended_, false, entrance_->detail()};
  }
  bool established() const { return link_ && link_->established(); }
  bool closed() const { return link_ ? link_->closed() : ended_ || entrance_->refused(); }
  void send(Lane lane, uint8_t type, ByteView payload) {
    if (link_) link_->send(lane, type, payload);
  }
  void finish() { link_->finish(); }
  void refuse(Refusal reason, std::string detail) { link_->refuse(reason, std::move(detail)); }
  size_t queued_bytes() const { return link_ ? link_->queued_bytes() : 0; }
  size_t queued_bytes(Lane lane) const { return link_ ? link_->queued_bytes(lane) : 0; }

 private:
  void end(Refusal reason) {
    if (!ended_) ended_ = reason;
  }
  std::optional<LinkConfig> config_;
  std::optional<Entrance> entrance_;
  std::optional<Link> link_;
  Bytes output_;
  std::optional<Refusal> ended_;
  bool said_ = false;
};

inline Side dial(const LinkConfig& config, const Link::Target& target) {
  return Side(Link::dial(config, target, ByteView(test_random()).first(16), kStart));
}

// Everything a link said.
struct Story {
  std::optional<Established> established;
  std::vector<Message> messages;
  bool finished = false;
  std::optional<Closed> closed;

  void take(Side& link) {
    while (auto event = link.poll_event()) {
      if (auto* up = std::get_if<Established>(&*event)) established = *up;
      if (auto* message = std::get_if<Message>(&*event)) messages.push_back(*message);
      if (std::get_if<PeerFinished>(&*event)) finished = true;
      if (auto* end = std::get_if<Closed>(&*event)) closed = *end;
    }
  }
  Refusal reason() const { return closed ? closed->reason : Refusal::none; }
};

struct Wire {
  Side dialler;
  Side acceptor;
  // May change what passes.
  std::function<void(Bytes&)> to_acceptor = [](Bytes&) {};
  std::function<void(Bytes&)> to_dialler = [](Bytes&) {};
  size_t step = 1 << 20;  // bytes handed over at once
  Story dialler_story{};
  Story acceptor_story{};

  static Wire join(const TestNode& from, const TestNode& to, Channel channel = Channel::membership,
                   std::optional<NodeId> expected = std::nullopt) {
    return Wire{dial(from.config(), {channel, expected}), Side(to.config(), port_of(channel))};
  }

  bool pass(Side& from, Side& to, const std::function<void(Bytes&)>& change) {
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
  Insider(Side& victim, Role role, const TestNode& node)
      : victim_(victim), role_(role), keyring_(node.config().keyring), tls_context_(node.config().tls) {
    Opening& opening = transcript_.opening;
    if (role == Role::dialler) {
      opening.dialler = Preamble{.kind = Preamble::Kind::dialler, .channel = 1}.encode();
      victim_.handle_input(opening.dialler, kStart);
      take(opening.acceptor);
      take(opening.challenge);
      const Proof proof = make_proof(keyring_->offered(), opening, Bytes(16, 9));
      tls_ = crypto::TlsEngine::psk_client(
          tls_context_, {Bytes(proof.begin(), proof.end()), keyring_->offered().membership});
      victim_.handle_input(proof, kStart);
      (void)tls_->handshake();
    } else {
      take(opening.dialler);
      opening.acceptor = Preamble{.kind = Preamble::Kind::acceptor, .channel = 1}.encode();
      opening.challenge = test_challenge();
      victim_.handle_input(opening.acceptor, kStart);
      victim_.handle_input(opening.challenge, kStart);
      Proof proof;
      take(proof);
      proven_ = std::make_unique<ProvenKey>(proof, keyring_->offered().membership);
      tls_ = crypto::TlsEngine::psk_server(tls_context_, *proven_);
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
  template <size_t N>
  void take(std::array<uint8_t, N>& into) {
    append(pending_, victim_.poll_transmit());
    ASSERT_GE(pending_.size(), N);
    std::copy_n(pending_.begin(), N, into.begin());
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(N));
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

  Side& victim_;
  Role role_;
  std::shared_ptr<const Keyring> keyring_;
  std::shared_ptr<const crypto::TlsContext> tls_context_;
  std::unique_ptr<ProvenKey> proven_;
  Transcript transcript_;
  std::optional<crypto::TlsEngine> tls_;
  Bytes pending_;
  Bytes heard_;
};

}  // namespace kith::mesh
