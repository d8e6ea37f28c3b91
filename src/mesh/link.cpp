#include "mesh/link.h"

#include <algorithm>

#include "base/codec.h"
#include "base/take.h"
#include "base/text.h"

namespace kith::mesh {
namespace {

constexpr std::string_view kExporterLabel = "EXPORTER-kith-mesh-1";
constexpr size_t kExporterSize = 32;
constexpr size_t kMaxRefusalText = 200;
// TLS input is fed in small steps until the handshake is complete, so that the limit on it counts little
// of what follows it.
constexpr size_t kTlsStep = 1024;

enum LinkFrame : uint8_t { kHello = 1, kReady = 2, kRefuse = 3, kFinished = 4 };
constexpr uint8_t kFirstOfPreamble = 0x89;  // no TLS record begins with it

}  // namespace

// ---------------------------------------------------------------- life

Link::Link(const LinkConfig& config, Role role, MonoTime connected)
    : config_(config), role_(role), deadline_(connected + kHandshakeTimeout) {
  KITH_CHECK(config_.keyring && config_.tls && config_.records_per_key > 0);
  KITH_CHECK(config_.cluster.size() <= kMaxClusterName && config_.record.size() <= kMaxRecord);
}

Link Link::dial(const LinkConfig& config, const Target& target, ByteView random16, MonoTime now) {
  Link link(config, Role::dialler, now);
  link.target_ = target;
  link.random_.assign(random16.begin(), random16.end());
  link.psk_ = config.keyring->key(target.psk).id;
  Preamble preamble{.kind = Preamble::Kind::dialler, .channel = static_cast<uint8_t>(target.channel)};
  link.transcript_.opening.dialler = preamble.encode();
  append(link.clear_output_, link.transcript_.opening.dialler);
  return link;
}

Link Link::accept(const LinkConfig& config, Admitted admitted, MonoTime connected) {
  Link link(config, Role::acceptor, connected);
  link.target_.channel = admitted.channel;
  link.version_ = admitted.version;
  link.psk_ = admitted.key;
  link.transcript_.opening = admitted.opening;
  link.proven_ = std::make_unique<ProvenKey>(admitted.proof, std::move(admitted.tls_key));
  link.tls_ = crypto::TlsEngine::psk_server(config.tls, *link.proven_);
  link.stage_ = Stage::tls;
  return link;
}

void Link::handle_input(ByteView data, MonoTime now) {
  if (!established()) handle_timeout(now);
  if (stage_ == Stage::preamble) take_answer(data);
  if (stage_ == Stage::tls) take_tls_handshake(data);
  if (stage_ == Stage::hello || stage_ == Stage::open) {
    tls_->feed(data);
    take_records();
    if (established() && rekey_ == kNever) rekey_ = now + kKeyLifetime;
  }
}

void Link::handle_end(MonoTime) {
  if (closed()) return;
  close(Refusal::none, true,
        established() ? "closed by the peer" : "closed by the peer during the handshake");
}

void Link::handle_timeout(MonoTime now) {
  if (now < poll_timeout()) return;
  if (!established()) return fail(Refusal::handshake_timeout, "");
  update_key();
  rekey_ = now + kKeyLifetime;
}

MonoTime Link::poll_timeout() const {
  if (closed()) return kNever;
  return established() ? rekey_ : deadline_;
}

std::optional<LinkEvent> Link::poll_event() {
  return take_front(events_);
}

void Link::refuse(Refusal reason, std::string detail) {
  if (closed()) return;
  queue_.keep_only(Lane::control);
  for (Bytes record = queue_.next_record(); !closed() && !record.empty(); record = queue_.next_record()) {
    write_record(record);
  }
  if (!closed()) fail(reason, std::move(detail));
}

// Tells the peer if it can be told, and closes.
void Link::fail(Refusal reason, std::string detail) {
  if (stage_ == Stage::hello || stage_ == Stage::open) {
    Bytes payload;
    Writer writer(payload);
    writer.u8(static_cast<uint8_t>(reason));
    writer.string(std::string_view(detail).substr(0, kMaxRefusalText));
    write_record(link_frame(kRefuse, payload));
    if (closed()) return;
  }
  close(reason, false, std::move(detail));
}

void Link::close(Refusal reason, bool by_peer, std::string detail) {
  if (closed()) return;
  if (stage_ == Stage::hello || stage_ == Stage::open) tls_->close_notify();
  stage_ = Stage::closed;
  queue_ = {};
  events_.push_back(Closed{reason, by_peer, std::move(detail)});
}

// ---------------------------------------------------------------- before TLS: the dialler

// The acceptor's preamble and its challenge; or a refusal, which is a preamble alone.
void Link::take_answer(ByteView& data) {
  const size_t whole = kPreambleSize + sizeof(Challenge);
  const auto take = [&](size_t up_to) {
    const size_t size = std::min(data.size(), up_to - std::min(up_to, answer_.size()));
    append(answer_, data.first(size));
    data = data.subspan(size);
    return answer_.size() >= up_to;
  };
  const bool has_preamble = take(kPreambleSize);
  if (!may_be_preamble(answer_)) return fail(Refusal::foreign_protocol, "");
  if (!has_preamble) return;
  PreambleBytes& bytes = transcript_.opening.acceptor;
  std::copy_n(answer_.begin(), bytes.size(), bytes.begin());
  const std::optional<Preamble> theirs = Preamble::decode(bytes);
  if (!theirs) return fail(Refusal::malformed, "preamble");
  judge_acceptor(*theirs);
  if (closed() || !take(whole)) return;
  std::copy(answer_.begin() + kPreambleSize, answer_.end(), transcript_.opening.challenge.begin());
  answer_.clear();
  send_proof();
}

void Link::judge_acceptor(const Preamble& theirs) {
  if (theirs.kind == Preamble::Kind::refusal) {
    const Refusal reason = refusal_from(theirs.flags_or_reason);
    if (reason == Refusal::version) return close(reason, true, version_range(theirs));
    if (reason == Refusal::wrong_port) return close(reason, true, "");
    return fail(Refusal::malformed, "refusal without proof");
  }
  if (theirs.kind != Preamble::Kind::acceptor || theirs.channel != static_cast<uint8_t>(target_.channel)) {
    return fail(Refusal::malformed, "preamble that does not answer ours");
  }
  const std::optional<uint16_t> version = common_version(theirs, Preamble{});
  if (!version) return fail(Refusal::version, version_range(theirs));
  version_ = *version;
}

// The proof is also the PSK identity of the ClientHello that follows it.
void Link::send_proof() {
  const MeshKey& key = config_.keyring->key(target_.psk);
  proof_ = make_proof(key, transcript_.opening, random_);
  append(clear_output_, proof_);
  tls_ = crypto::TlsEngine::psk_client(
      config_.tls, {Bytes(proof_.begin(), proof_.end()), key.tls(port_of(target_.channel))});
  stage_ = Stage::tls;
  if (auto begun = tls_->handshake(); !begun) close(Refusal::tls_failure, false, begun.error().message());
}

// In the place of the ServerHello. That a key was retired is believed if the other side shows that it had
// the key; that it is unknown cannot be shown, and only costs us a dial.
void Link::take_refusal_in_the_clear(ByteView& data) {
  append(answer_, data.first(std::min(data.size(), kPreambleSize + kRefusalMacSize - answer_.size())));
  data = {};
  if (!may_be_preamble(answer_)) return fail(Refusal::malformed, "neither TLS nor a refusal");
  if (answer_.size() < kPreambleSize) return;
  PreambleBytes bytes;
  std::copy_n(answer_.begin(), bytes.size(), bytes.begin());
  const std::optional<Preamble> refusal = Preamble::decode(bytes);
  if (!refusal || refusal->kind != Preamble::Kind::refusal) return fail(Refusal::malformed, "refusal");
  const Refusal reason = refusal_from(refusal->flags_or_reason);
  if (reason == Refusal::unknown_key) return close(reason, true, "key " + psk_.hex());
  if (reason != Refusal::retired_key) return fail(Refusal::malformed, "refusal without proof");
  if (answer_.size() < kPreambleSize + kRefusalMacSize) return;
  RefusalMac mac;
  std::copy_n(answer_.begin() + kPreambleSize, mac.size(), mac.begin());
  if (!is_retired_refusal(config_.keyring->key(target_.psk), transcript_.opening, proof_, mac)) {
    return fail(Refusal::malformed, "refusal with a wrong proof");
  }
  close(reason, true, "key " + psk_.hex());
}

// ---------------------------------------------------------------- TLS

void Link::take_tls_handshake(ByteView& data) {
  if (role_ == Role::dialler && !data.empty() && tls_handshake_bytes_ == 0 &&
      (!answer_.empty() || data[0] == kFirstOfPreamble)) {
    return take_refusal_in_the_clear(data);
  }
  while (!data.empty()) {
    ByteView step = data.first(std::min(data.size(), kTlsStep));
    data = data.subspan(step.size());
    tls_handshake_bytes_ += step.size();
    if (tls_handshake_bytes_ > kMaxTlsHandshake) return fail(Refusal::frame_limit, "TLS handshake");
    tls_->feed(step);
    Result<bool> done = tls_->handshake();
    if (!done) return tls_handshake_failed(done.error());
    if (*done) return tls_handshake_done();
  }
}

void Link::tls_handshake_failed(const Error& error) {
  close(Refusal::tls_failure, tls_->received_alert().has_value(), error.message());
}

void Link::tls_handshake_done() {
  stage_ = Stage::hello;
  transcript_.exporter = tls_->exporter(kExporterLabel, {}, kExporterSize);
  Hello hello{.cluster = config_.cluster,
              .key = config_.key.public_key(),
              .incarnation = config_.incarnation,
              .boot_nonce = config_.boot_nonce,
              .expected = target_.expected.value_or(NodeId{}),
              .record = std::move(config_.record),
              .renews = target_.renews};
  write_record(link_frame(kHello, hello.encode(config_.key, role_, transcript_)));
}

void Link::take_records() {
  std::array<uint8_t, kRecordSize> buffer;
  while (!closed()) {
    Result<size_t> size = tls_->read(buffer);
    if (!size) {
      const bool orderly = size.error().code() == Code::closed;
      return close(orderly ? Refusal::none : Refusal::tls_failure,
                   orderly || tls_->received_alert().has_value(),
                   orderly ? "closed by the peer" : size.error().message());
    }
    if (*size == 0) return;
    reader_.feed(ByteView(buffer).first(*size));
    while (std::optional<Received> received = reader_.next()) {
      if (received->lane == kLinkLane) {
        take_link_frame(*received);
      } else if (peer_finished_) {
        return fail(Refusal::malformed, "a message after FINISHED");
      } else {
        events_.push_back(
            Message{static_cast<Lane>(received->lane), received->type, std::move(received->payload)});
      }
      if (closed()) return;
    }
    if (reader_.error() != Refusal::none) return fail(reader_.error(), "frame");
  }
}

void Link::write_record(ByteView plaintext) {
  if (auto written = tls_->write(plaintext); !written) {
    return close(Refusal::tls_failure, false, written.error().message());
  }
  if (++records_sent_ == config_.records_per_key) update_key();
}

void Link::update_key() {
  tls_->update_key();
  records_sent_ = 0;
}

// ---------------------------------------------------------------- frames of the link itself

void Link::take_link_frame(const Received& frame) {
  switch (frame.type) {
    case kHello: return take_hello(frame.payload);
    case kReady: return take_ready(frame.payload);
    case kRefuse: return take_refusal(frame.payload);
    case kFinished: return take_finished(frame.payload);
    default: return fail(Refusal::malformed, "unknown link frame");
  }
}

void Link::take_hello(ByteView payload) {
  if (stage_ != Stage::hello || peer_) return fail(Refusal::malformed, "second HELLO");
  Result<ReceivedHello> received = ReceivedHello::decode(payload);
  if (!received) return fail(Refusal::malformed, received.error().message());
  judge_hello(*received);
  if (closed()) return;
  const Hello& hello = received->hello();
  peer_ = Established{.peer = crypto::node_id(hello.key),
                      .key = hello.key,
                      .incarnation = hello.incarnation,
                      .boot_nonce = hello.boot_nonce,
                      .record = hello.record,
                      .channel = target_.channel,
                      .version = version_,
                      .psk = psk_,
                      .renews = role_ == Role::dialler ? target_.renews : hello.renews};
  write_record(link_frame(kReady, {}));
}

void Link::judge_hello(const ReceivedHello& received) {
  const Hello& hello = received.hello();
  if (hello.cluster != config_.cluster) {
    return fail(Refusal::wrong_cluster, "cluster \"" + printable(hello.cluster) + "\" met cluster \"" +
                                            printable(config_.cluster) + "\"");
  }
  if (!received.verify(peer_role(), transcript_)) return fail(Refusal::bad_signature, "");
  if (hello.key == config_.key.public_key()) {
    return fail(hello.boot_nonce == config_.boot_nonce ? Refusal::self : Refusal::clone, "");
  }
  if (!hello.expected.is_zero() && hello.expected != own_id()) {
    return fail(Refusal::unexpected_peer,
                "node " + hello.expected.hex() + " was sought, this is " + own_id().hex());
  }
  if (target_.expected && crypto::node_id(hello.key) != *target_.expected) {
    return fail(Refusal::unexpected_peer, "node " + target_.expected->hex() + " was sought, this is " +
                                              crypto::node_id(hello.key).hex());
  }
}

void Link::take_ready(ByteView payload) {
  if (stage_ != Stage::hello || !peer_ || !payload.empty()) return fail(Refusal::malformed, "READY");
  stage_ = Stage::open;
  reader_.allow_messages();
  events_.push_back(std::move(*peer_));
}

void Link::take_refusal(ByteView payload) {
  Reader reader(payload);
  Refusal reason = refusal_from(reader.u8());
  if (reason == Refusal::none) reason = Refusal::other;
  std::string text = printable(reader.string(kMaxRefusalText), kMaxRefusalText);
  if (!reader.ok()) return fail(Refusal::malformed, "REFUSE");
  close(reason, true, std::move(text));
}

void Link::take_finished(ByteView payload) {
  if (stage_ != Stage::open || peer_finished_ || !payload.empty())
    return fail(Refusal::malformed, "FINISHED");
  peer_finished_ = true;
  events_.push_back(PeerFinished{});
  end_if_finished();
}

void Link::end_if_finished() {
  if (said_finished_ && peer_finished_) close(Refusal::none, false, "finished");
}

NodeId Link::own_id() const { return crypto::node_id(config_.key.public_key()); }

// ---------------------------------------------------------------- messages

void Link::send(Lane lane, uint8_t type, ByteView payload) {
  if (established() && !finishing_) queue_.push(lane, type, payload);
}

void Link::finish() { finishing_ = established(); }

Bytes Link::poll_transmit() {
  Bytes output = std::exchange(clear_output_, {});
  if (!tls_) return output;
  append(output, tls_->take_output());
  while (established() && output.size() < kTransmitSize) {
    Bytes record = queue_.next_record();
    const bool last = record.empty() && finishing_ && !said_finished_;
    if (record.empty() && !last) break;
    write_record(last ? link_frame(kFinished, {}) : record);
    if (last) {
      said_finished_ = true;
      end_if_finished();
    }
    append(output, tls_->take_output());
  }
  return output;
}

}  // namespace kith::mesh
