#include "membership/record.h"

#include <algorithm>

#include "base/check.h"
#include "base/codec.h"
#include "crypto/hash.h"

namespace kith::membership {
namespace {

constexpr uint8_t kFormat = 1;
constexpr std::string_view kPurpose = "kith node record 1";  // what the signature is for, and nothing else
constexpr size_t kMaxAddressBytes = 300;                     // a DNS name is at most 253
constexpr size_t kSignatureBytes = std::tuple_size_v<crypto::Signature>;

Error bad(std::string what) { return Error(Code::invalid, "node record: " + std::move(what), Side::peer); }

bool is_label(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

Bytes signed_part(ByteView body) {
  Bytes out = to_bytes(kPurpose);
  append(out, body);
  return out;
}

// What record and peek have in common: the fixed head.
struct Head {
  crypto::PublicKey key{};
  RecordVersion version;
};
Result<Head> read_head(Reader& in) {
  if (uint8_t format = in.u8(); in.ok() && format != kFormat)
    return bad("format " + std::to_string(format) + " is not known here");
  Head head;
  ByteView key = in.raw(head.key.size());
  std::copy(key.begin(), key.end(), head.key.begin());
  head.version.incarnation = in.u64();
  head.version.sequence = in.u64();
  if (!in.ok()) return bad("it is cut short");
  return head;
}

}  // namespace

std::string_view to_string(State state) {
  switch (state) {
    case State::joining: return "joining";
    case State::ready: return "ready";
    case State::draining: return "draining";
    case State::left: return "left";
  }
  return "unknown";
}

Bytes NodeRecord::encode(const crypto::SigningKey& signer) const {
  KITH_CHECK(signer.public_key() == key);
  Bytes out;
  Writer writer(out);
  writer.u8(kFormat);
  writer.raw(key);
  writer.u64(incarnation);
  writer.u64(sequence);
  writer.u8(static_cast<uint8_t>(state));
  writer.u16(min_version);
  writer.u16(max_version);
  for (const std::string* label : {&name, &software, &region, &zone})
    writer.string(std::string_view(*label).substr(0, kMaxLabelBytes));
  writer.string(membership.text());
  writer.string(data.text());
  KITH_CHECK(keys.size() <= kMaxKeys);
  writer.varint(keys.size());
  for (const KeyId& one : keys) writer.id(one);
  KITH_CHECK(bans.size() <= kMaxBans);
  writer.varint(bans.size());
  for (const NodeId& one : bans) writer.id(one);
  crypto::Signature signature = signer.sign(signed_part(out));
  writer.raw(signature);
  return out;
}

Result<NodeRecord> NodeRecord::decode(ByteView bytes) {
  if (bytes.size() > kMaxRecordBytes) return bad("larger than " + std::to_string(kMaxRecordBytes) + " bytes");
  if (bytes.size() < kSignatureBytes) return bad("it is cut short");
  ByteView body = bytes.first(bytes.size() - kSignatureBytes);
  Reader in(body);
  KITH_TRY(Head head, read_head(in));
  NodeRecord record;
  record.key = head.key;
  record.incarnation = head.version.incarnation;
  record.sequence = head.version.sequence;
  uint8_t state = in.u8();
  record.min_version = in.u16();
  record.max_version = in.u16();
  for (std::string* label : {&record.name, &record.software, &record.region, &record.zone}) {
    *label = in.string(kMaxLabelBytes);
    if (!is_label(*label)) return bad("a label with control characters");
  }
  std::string membership = in.string(kMaxAddressBytes);
  std::string data = in.string(kMaxAddressBytes);
  const uint64_t key_count = in.remaining() > 0 ? in.varint() : 0;  // the first records had no keys
  if (in.ok() && key_count > kMaxKeys) return bad("too many keys");
  for (uint64_t i = 0; i < key_count && in.ok(); ++i) record.keys.push_back(in.id<KeyId>());
  const uint64_t ban_count = in.remaining() > 0 ? in.varint() : 0;  // nor bans
  if (in.ok() && ban_count > kMaxBans) return bad("too many bans");
  for (uint64_t i = 0; i < ban_count && in.ok(); ++i) record.bans.push_back(in.id<NodeId>());
  if (!in.ok()) return bad("it is cut short, or a field is too long");
  if (state > static_cast<uint8_t>(State::left))
    return bad("state " + std::to_string(state) + " is not known");
  if (record.min_version > record.max_version) return bad("its lowest version is above its highest");
  record.state = static_cast<State>(state);
  auto membership_address = Multiaddr::parse(membership);
  auto data_address = Multiaddr::parse(data);
  if (!membership_address || !data_address) return bad("an address that cannot be read");
  record.membership = *std::move(membership_address);
  record.data = *std::move(data_address);

  crypto::Signature signature;
  std::copy(bytes.end() - kSignatureBytes, bytes.end(), signature.begin());
  if (!crypto::verify(record.key, signed_part(body), signature)) return bad("the signature is wrong");
  record.id = crypto::node_id(record.key);
  return record;
}

Result<RecordHead> peek_record(ByteView bytes) {
  if (bytes.size() > kMaxRecordBytes) return bad("larger than " + std::to_string(kMaxRecordBytes) + " bytes");
  Reader in(bytes);
  KITH_TRY(Head head, read_head(in));
  return RecordHead{crypto::node_id(head.key), head.version};
}

uint64_t fingerprint_of(const NodeId& id, const RecordVersion& version) {
  Bytes text;
  text.reserve(NodeId::kSize + 16);
  Writer writer(text);
  writer.id(id);
  writer.u64(version.incarnation);
  writer.u64(version.sequence);
  crypto::Digest digest = crypto::sha256(text);
  return Reader(digest).u64();
}

Result<RecordRef> Notary::record(ByteView bytes) {
  KITH_TRY(NodeRecord record, NodeRecord::decode(bytes));
  auto out = std::make_shared<SignedRecord>();
  out->fingerprint = fingerprint_of(record.id, record.version());
  out->record = std::move(record);
  out->bytes.assign(bytes.begin(), bytes.end());
  return RecordRef(std::move(out));
}

bool Notary::verify(const crypto::PublicKey& key, ByteView message, const crypto::Signature& signature) {
  return crypto::verify(key, message, signature);
}

}  // namespace kith::membership
