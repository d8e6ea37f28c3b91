#include "mesh/link.h"

#include <algorithm>

#include "base/codec.h"
#include "base/text.h"

namespace kith::mesh {
namespace {

constexpr std::string_view kExporterLabel = "EXPORTER-kith-mesh-1";
constexpr size_t kExporterSize = 32;
constexpr size_t kMaxRefusalText = 200;
// TLS input is fed in small steps until the handshake is complete, so that the limit on it counts little
// of what follows it.
constexpr size_t kTlsStep = 1024;

enum LinkFrame : uint8_t { kHello = 1, kReady = 2, kRefuse = 3 };

// The alerts by which a server says that it has not this PSK (RFC 8446 section 6.2); OpenSSL, having no
// certificate to go on with, says handshake_failure.
bool is_key_alert(int alert) {
  constexpr int kHandshakeFailure = 40, kDecryptError = 51, kUnknownPskIdentity = 115;
  return alert == kHandshakeFailure || alert == kDecryptError || alert == kUnknownPskIdentity;
}

std::string version_range(const Preamble& preamble) {
  return "it speaks versions " + std::to_string(preamble.min_version) + " to " +
         std::to_string(preamble.max_version) + ", this node " + std::to_string(kMinVersion) + " to " +
         std::to_string(kMaxVersion);
}

}  // namespace

// ---------------------------------------------------------------- life

Link::Link(const LinkConfig& config, Role role, Port port, MonoTime now)
    : config_(config), role_(role), port_(port), deadline_(now + kHandshakeTimeout) {
  KITH_CHECK(config_.keyring && config_.tls && config_.records_per_key > 0);
  KITH_CHECK(config_.cluster.size() <= kMaxClusterName && config_.record.size() <= kMaxRecord);
}

Link Link::dial(const LinkConfig& config, Channel channel, std::optional<NodeId> expected, ByteView random32,
                MonoTime now) {
  KITH_CHECK(random32.size() == 32);
  Link link(config, Role::dialler, port_of(channel), now);
  link.channel_ = channel;
  link.expected_ = expected.value_or(NodeId{});
  link.transcript_.dialler =
      Preamble{.kind = Preamble::Kind::dialler, .channel = static_cast<uint8_t>(channel)}.encode();
  append(link.clear_output_, link.transcript_.dialler);
  // The ClientHello does not wait for the other preamble: one round trip less.
  link.tls_ = crypto::TlsEngine::psk_client(config.tls, config.keyring->offer(channel, random32.first(16)));
  if (auto begun = link.tls_->handshake(); !begun)
    link.close(Refusal::tls_failure, false, begun.error().message());
  return link;
}

Link Link::accept(const LinkConfig& config, bool membership_port, ByteView random32, MonoTime now) {
  KITH_CHECK(random32.size() == 32);
  return Link(config, Role::acceptor, membership_port ? Port::membership : Port::data, now);
}

void Link::handle_input(ByteView data, MonoTime now) {
  if (!established()) handle_timeout(now);
  if (stage_ == Stage::preamble) take_preamble(data);
  if (stage_ == Stage::tls) take_tls_handshake(data);
  if (stage_ == Stage::hello || stage_ == Stage::open) {
    tls_->feed(data);
    take_records();
  }
}

void Link::handle_end(MonoTime) {
  if (closed()) return;
  close(Refusal::none, true,
        established() ? "closed by the peer" : "closed by the peer during the handshake");
}

void Link::handle_timeout(MonoTime now) {
  if (now >= poll_timeout()) fail(Refusal::handshake_timeout, "");
}

MonoTime Link::poll_timeout() const { return established() || closed() ? kNever : deadline_; }

std::optional<LinkEvent> Link::poll_event() {
  if (events_.empty()) return std::nullopt;
  LinkEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
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
  if (stage_ == Stage::preamble && role_ == Role::acceptor &&
      (reason == Refusal::version || reason == Refusal::wrong_port)) {
    Preamble refusal{.kind = Preamble::Kind::refusal, .flags_or_reason = static_cast<uint8_t>(reason)};
    append(clear_output_, refusal.encode());
  } else if (stage_ == Stage::hello || stage_ == Stage::open) {
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

// ---------------------------------------------------------------- preamble

void Link::take_preamble(ByteView& data) {
  const size_t size = std::min(data.size(), kPreambleSize - received_preamble_size_);
  std::copy_n(data.begin(), size,
              received_preamble_.begin() + static_cast<ptrdiff_t>(received_preamble_size_));
  received_preamble_size_ += size;
  data = data.subspan(size);
  if (!may_be_preamble(ByteView(received_preamble_).first(received_preamble_size_))) {
    return fail(Refusal::foreign_protocol, "");
  }
  if (received_preamble_size_ < kPreambleSize) return;
  std::optional<Preamble> theirs = Preamble::decode(received_preamble_);
  if (!theirs) return fail(Refusal::malformed, "preamble");
  if (role_ == Role::acceptor) {
    judge_dialler(*theirs);
  } else {
    judge_acceptor(*theirs);
  }
}

void Link::judge_dialler(const Preamble& theirs) {
  if (theirs.kind != Preamble::Kind::dialler) return fail(Refusal::malformed, "preamble of a wrong kind");
  std::optional<uint16_t> version = common_version(theirs, Preamble{});
  if (!version) return fail(Refusal::version, version_range(theirs));
  std::optional<Channel> channel = channel_from(theirs.channel);
  if (!channel) return fail(Refusal::malformed, "unknown channel");
  if (port_of(*channel) != port_) return fail(Refusal::wrong_port, "");
  channel_ = *channel;
  version_ = *version;
  transcript_.dialler = received_preamble_;
  transcript_.acceptor = Preamble{.kind = Preamble::Kind::acceptor, .channel = theirs.channel}.encode();
  append(clear_output_, transcript_.acceptor);
  finder_ = std::make_unique<KeyFinder>(config_.keyring, port_);
  tls_ = crypto::TlsEngine::psk_server(config_.tls, *finder_);
  stage_ = Stage::tls;
}

void Link::judge_acceptor(const Preamble& theirs) {
  if (theirs.kind == Preamble::Kind::refusal) {
    const Refusal reason = refusal_from(theirs.flags_or_reason);
    if (reason == Refusal::version) return close(reason, true, version_range(theirs));
    if (reason == Refusal::wrong_port) return close(reason, true, "");
    return fail(Refusal::malformed, "refusal without proof");
  }
  if (theirs.kind != Preamble::Kind::acceptor || theirs.channel != static_cast<uint8_t>(channel_)) {
    return fail(Refusal::malformed, "preamble that does not answer ours");
  }
  std::optional<uint16_t> version = common_version(theirs, Preamble{});
  if (!version) return fail(Refusal::version, version_range(theirs));
  version_ = *version;
  transcript_.acceptor = received_preamble_;
  stage_ = Stage::tls;
}

// ---------------------------------------------------------------- TLS

void Link::take_tls_handshake(ByteView& data) {
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
  const std::optional<int> alert = tls_->received_alert();
  if (role_ == Role::dialler && alert && is_key_alert(*alert)) return close(Refusal::unknown_key, true, "");
  const KeyFinder::Outcome outcome = finder_ ? finder_->outcome() : KeyFinder::Outcome::found;
  if (outcome == KeyFinder::Outcome::unknown) return close(Refusal::unknown_key, false, "");
  if (outcome == KeyFinder::Outcome::wrong_port) return close(Refusal::wrong_port, false, "");
  close(Refusal::tls_failure, alert.has_value(), error.message());
}

void Link::tls_handshake_done() {
  stage_ = Stage::hello;
  transcript_.exporter = tls_->exporter(kExporterLabel, {}, kExporterSize);
  Hello hello{.cluster = config_.cluster,
              .key = config_.key.public_key(),
              .incarnation = config_.incarnation,
              .boot_nonce = config_.boot_nonce,
              .expected = expected_,
              .record = std::move(config_.record)};
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
  if (++records_sent_ == config_.records_per_key) {
    tls_->update_key();
    records_sent_ = 0;
  }
}

// ---------------------------------------------------------------- frames of the link itself

void Link::take_link_frame(const Received& frame) {
  switch (frame.type) {
    case kHello: return take_hello(frame.payload);
    case kReady: return take_ready(frame.payload);
    case kRefuse: return take_refusal(frame.payload);
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
                      .channel = channel_,
                      .version = version_};
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
  if (!expected_.is_zero() && crypto::node_id(hello.key) != expected_) {
    return fail(Refusal::unexpected_peer,
                "node " + expected_.hex() + " was sought, this is " + crypto::node_id(hello.key).hex());
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

NodeId Link::own_id() const { return crypto::node_id(config_.key.public_key()); }

// ---------------------------------------------------------------- messages

void Link::send(Lane lane, uint8_t type, ByteView payload) {
  if (established()) queue_.push(lane, type, payload);
}

Bytes Link::poll_transmit() {
  Bytes output = std::exchange(clear_output_, {});
  if (!tls_) return output;
  append(output, tls_->take_output());
  while (established() && output.size() < kTransmitSize) {
    Bytes record = queue_.next_record();
    if (record.empty()) break;
    write_record(record);
    append(output, tls_->take_output());
  }
  return output;
}

}  // namespace kith::mesh
