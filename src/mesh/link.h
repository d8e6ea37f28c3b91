// The secured link between two nodes as a state machine without IO (docs/formats/mesh.md): preamble,
// TLS 1.3 with a pre-shared key, proof of the node keys, then messages in lanes.
//
// Whoever owns it moves bytes: what was read goes to handle_input(), what poll_transmit() returns is
// written, poll_timeout() is kept, and after each of these events are taken until there are none.
// Everything from the peer is limited and judged here but for the node record and the messages, which
// are opaque: their owner must check that a record is signed by Established::key.
#pragma once

#include <deque>
#include <memory>
#include <variant>

#include "base/time.h"
#include "mesh/frames.h"
#include "mesh/hello.h"
#include "mesh/keyring.h"

namespace kith::mesh {

inline constexpr Duration kHandshakeTimeout = 3s;
inline constexpr size_t kMaxTlsHandshake = 4096;  // bytes read before TLS is complete
inline constexpr size_t kTransmitSize = 64 << 10;

struct LinkConfig {
  std::string cluster;     // at most kMaxClusterName
  crypto::SigningKey key;  // this node's
  uint64_t incarnation;
  uint64_t boot_nonce;  // random at each start of the process
  Bytes record;         // our signed node record, at most kMaxRecord
  std::shared_ptr<const Keyring> keyring;
  std::shared_ptr<const crypto::TlsContext> tls;  // make_psk_context()
  uint32_t records_per_key = 1u << 24;            // records we send before we update the TLS key
};

struct Established {
  NodeId peer;
  crypto::PublicKey key;
  uint64_t incarnation;
  uint64_t boot_nonce;
  Bytes record;
  Channel channel;
  uint16_t version;
};
struct Message {
  Lane lane;
  uint8_t type;
  Bytes payload;
};
// The last event. reason none: the connection just ended.
struct Closed {
  Refusal reason;
  bool by_peer;
  std::string detail;  // safe to log; may be empty
};
using LinkEvent = std::variant<Established, Message, Closed>;

class Link {
 public:
  // random32: fresh random bytes of the system. expected: refuse to talk to any other node.
  static Link dial(const LinkConfig& config, Channel channel, std::optional<NodeId> expected,
                   ByteView random32, MonoTime now);
  static Link accept(const LinkConfig& config, bool membership_port, ByteView random32, MonoTime now);

  void handle_input(ByteView data, MonoTime now);
  void handle_end(MonoTime now);  // the peer will send no more
  void handle_timeout(MonoTime now);
  MonoTime poll_timeout() const;  // kNever when there is none

  bool established() const { return stage_ == Stage::open; }
  // Write what poll_transmit() still has, then close the connection.
  bool closed() const { return stage_ == Stage::closed; }

  // At most kMaxMessage. Dropped unless the link is established.
  void send(Lane lane, uint8_t type, ByteView payload);
  // Payload that was not encrypted yet.
  size_t queued_bytes() const { return queue_.queued_bytes(); }
  size_t queued_bytes(Lane lane) const { return queue_.queued_bytes(lane); }
  size_t queue_memory() const { return queue_.memory(); }
  // What to write now, empty when nothing. Takes from the lanes only about kTransmitSize at once, so that
  // what is urgent overtakes what waits: ask again when it was written.
  Bytes poll_transmit();

  // Closes, telling the peer why if it can be told. What waits in the control lane still goes out before.
  void refuse(Refusal reason, std::string detail);
  std::optional<LinkEvent> poll_event();

 private:
  enum class Stage : uint8_t { preamble, tls, hello, open, closed };

  Link(const LinkConfig& config, Role role, Port port, MonoTime now);

  void take_preamble(ByteView& data);
  void judge_dialler(const Preamble& theirs);
  void judge_acceptor(const Preamble& theirs);
  void take_tls_handshake(ByteView& data);
  void tls_handshake_failed(const Error& error);
  void tls_handshake_done();
  void take_records();
  void take_link_frame(const Received& frame);
  void take_hello(ByteView payload);
  void take_ready(ByteView payload);
  void take_refusal(ByteView payload);
  void judge_hello(const ReceivedHello& received);

  void write_record(ByteView plaintext);
  void fail(Refusal reason, std::string detail);
  void close(Refusal reason, bool by_peer, std::string detail);
  Role peer_role() const { return role_ == Role::dialler ? Role::acceptor : Role::dialler; }
  NodeId own_id() const;

  LinkConfig config_;
  Role role_;
  Port port_;
  Channel channel_{};  // the acceptor learns it from the preamble
  NodeId expected_{};  // zero: any
  MonoTime deadline_;
  Stage stage_ = Stage::preamble;

  PreambleBytes received_preamble_{};
  size_t received_preamble_size_ = 0;
  uint16_t version_ = 0;
  Transcript transcript_;

  std::unique_ptr<KeyFinder> finder_;  // the acceptor's; TLS keeps its address
  std::optional<crypto::TlsEngine> tls_;
  size_t tls_handshake_bytes_ = 0;
  uint32_t records_sent_ = 0;  // with the current key

  FrameReader reader_;
  SendQueue queue_;
  std::optional<Established> peer_;  // proven, but READY has not come yet
  Bytes clear_output_;               // goes before the output of TLS
  std::deque<LinkEvent> events_;
};

}  // namespace kith::mesh
