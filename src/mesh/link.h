// The secured link between two nodes as a state machine without IO (docs/formats/mesh.md): TLS 1.3 with a
// pre-shared key, proof of the node keys, then messages in lanes. What comes before TLS is here for the
// dialler and in entrance.h for the acceptor, who meets strangers.
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
#include "mesh/entrance.h"
#include "mesh/frames.h"
#include "mesh/hello.h"

namespace kith::mesh {

inline constexpr Duration kHandshakeTimeout = 3s;
inline constexpr size_t kMaxTlsHandshake = 4096;  // bytes read before TLS is complete
inline constexpr size_t kTransmitSize = 64 << 10;
inline constexpr Duration kKeyLifetime = 1h;  // of a TLS key in one direction

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
  KeyId psk;    // the pre-shared key that the link was made with
  bool renews;  // the dialler means it to replace the link it has on this channel
};
struct Message {
  Lane lane;
  uint8_t type;
  Bytes payload;
};
// The peer has said all that it will say on this link; see finish().
struct PeerFinished {};
// The last event. reason none: the connection just ended.
struct Closed {
  Refusal reason;
  bool by_peer;
  std::string detail;  // safe to log; may be empty
};
using LinkEvent = std::variant<Established, Message, PeerFinished, Closed>;

class Link {
 public:
  struct Target {
    Channel channel;
    std::optional<NodeId> expected;  // refuse to talk to any other node
    size_t psk = 0;                  // index in the keyring
    bool renews = false;
  };
  // random16: fresh random bytes of the system.
  static Link dial(const LinkConfig& config, const Target& target, ByteView random16, MonoTime now);
  // connected: when the connection was made; the handshake must be over kHandshakeTimeout later.
  static Link accept(const LinkConfig& config, Admitted admitted, MonoTime connected);

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

  // Says what waits, then that nothing follows. What is sent after this is dropped. When both sides have
  // finished the link closes without a reason.
  void finish();
  // Closes, telling the peer why if it can be told. What waits in the control lane still goes out before.
  void refuse(Refusal reason, std::string detail);
  std::optional<LinkEvent> poll_event();

 private:
  enum class Stage : uint8_t { preamble, tls, hello, open, closed };

  Link(const LinkConfig& config, Role role, MonoTime connected);

  void take_answer(ByteView& data);
  void judge_acceptor(const Preamble& theirs);
  void send_proof();
  void take_refusal_in_the_clear(ByteView& data);
  void take_tls_handshake(ByteView& data);
  void tls_handshake_failed(const Error& error);
  void tls_handshake_done();
  void take_records();
  void take_link_frame(const Received& frame);
  void take_hello(ByteView payload);
  void take_ready(ByteView payload);
  void take_refusal(ByteView payload);
  void take_finished(ByteView payload);
  void end_if_finished();
  void judge_hello(const ReceivedHello& received);

  void write_record(ByteView plaintext);
  void update_key();
  void fail(Refusal reason, std::string detail);
  void close(Refusal reason, bool by_peer, std::string detail);
  Role peer_role() const { return role_ == Role::dialler ? Role::acceptor : Role::dialler; }
  NodeId own_id() const;

  LinkConfig config_;
  Role role_;
  Target target_{};  // the acceptor's is what the dialler asked for
  MonoTime deadline_;
  MonoTime rekey_{kNever};
  Stage stage_ = Stage::preamble;

  // The dialler's, until the acceptor has answered.
  Bytes answer_;
  Bytes random_;
  Proof proof_{};
  uint16_t version_ = 0;
  KeyId psk_;
  Transcript transcript_;

  std::unique_ptr<ProvenKey> proven_;  // the acceptor's; TLS keeps its address
  std::optional<crypto::TlsEngine> tls_;
  size_t tls_handshake_bytes_ = 0;
  uint32_t records_sent_ = 0;  // with the current key

  FrameReader reader_;
  SendQueue queue_;
  bool finishing_ = false;  // finish() was called
  bool said_finished_ = false;
  bool peer_finished_ = false;
  std::optional<Established> peer_;  // proven, but READY has not come yet
  Bytes clear_output_;               // goes before the output of TLS
  std::deque<LinkEvent> events_;
};

}  // namespace kith::mesh
