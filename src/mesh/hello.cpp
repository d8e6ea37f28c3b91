#include "mesh/hello.h"

#include <algorithm>

#include "base/codec.h"
#include "crypto/hash.h"

namespace kith::mesh {
namespace {

constexpr uint8_t kRenews = 0x01;  // other bits: sent as 0, ignored
constexpr std::string_view kLabel("kith mesh hello 1\0", 18);

Bytes signed_bytes(Role role, const Transcript& transcript, ByteView body) {
  Bytes message = to_bytes(kLabel);
  message.push_back(static_cast<uint8_t>(role));
  append(message, transcript.exporter.reveal());
  append(message, transcript.opening.dialler);
  append(message, transcript.opening.acceptor);
  append(message, transcript.opening.challenge);
  append(message, body);
  return message;
}

}  // namespace

Bytes Hello::encode(const crypto::SigningKey& signer, Role role, const Transcript& transcript) const {
  KITH_CHECK(cluster.size() <= kMaxClusterName && record.size() <= kMaxRecord);
  Bytes body;
  Writer writer(body);
  writer.string(cluster);
  writer.raw(key);
  writer.u64(incarnation);
  writer.u64(boot_nonce);
  writer.id(expected);
  writer.bytes(record);
  writer.u8(renews ? kRenews : 0);
  Bytes payload;
  Writer outer(payload);
  outer.bytes(body);
  outer.raw(signer.sign(signed_bytes(role, transcript, body)));
  return payload;
}

Result<ReceivedHello> ReceivedHello::decode(ByteView payload) {
  const auto malformed = [] { return Error(Code::protocol, "malformed HELLO", Side::peer); };
  ReceivedHello received;
  Reader outer(payload);
  ByteView body = outer.bytes(kMaxHello);
  ByteView signature = outer.raw(received.signature_.size());
  if (!outer.done()) return malformed();
  std::copy(signature.begin(), signature.end(), received.signature_.begin());
  received.body_.assign(body.begin(), body.end());

  Reader reader(body);
  Hello& hello = received.hello_;
  hello.cluster = reader.string(kMaxClusterName);
  ByteView key = reader.raw(hello.key.size());
  hello.incarnation = reader.u64();
  hello.boot_nonce = reader.u64();
  hello.expected = reader.id<NodeId>();
  ByteView record = reader.bytes(kMaxRecord);
  hello.renews = (reader.u8() & kRenews) != 0;
  if (!reader.ok()) return malformed();  // what is left over belongs to later versions
  std::copy(key.begin(), key.end(), hello.key.begin());
  hello.record.assign(record.begin(), record.end());
  return received;
}

bool ReceivedHello::verify(Role signer, const Transcript& transcript) const {
  return crypto::verify(hello_.key, signed_bytes(signer, transcript, body_), signature_);
}

}  // namespace kith::mesh
