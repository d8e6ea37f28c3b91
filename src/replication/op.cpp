#include "replication/op.h"

#include <algorithm>

namespace kith::replication {

Bytes encode_op_body(const Op& op) {
  Bytes body;
  body.reserve(op.payload.size() + 56);
  Writer out(body);
  out.u8(static_cast<uint8_t>(op.store));
  out.u8(op.kind);
  out.id(op.key);
  out.u64(op.hlc);
  out.varint(static_cast<uint64_t>(op.expires_ms));
  out.bytes(op.payload);
  return body;
}

bool decode_op_body(ByteView body, Op& op) {
  Reader in(body);
  op.store = static_cast<StoreId>(in.u8());
  op.kind = in.u8();
  op.key = in.id<Key>();
  op.hlc = in.u64();
  const uint64_t expires = in.varint();
  const ByteView payload = in.bytes(kMaxPayload);
  if (!in.ok() || expires > static_cast<uint64_t>(INT64_MAX)) return false;
  op.expires_ms = static_cast<int64_t>(expires);
  op.payload.assign(payload.begin(), payload.end());
  return true;
}

namespace {

Bytes signed_text(ByteView body, const Dot& dot, std::string_view cluster) {
  Bytes text;
  text.reserve(body.size() + cluster.size() + 64);
  Writer out(text);
  out.bytes(as_bytes("kith op 1"));
  out.bytes(as_bytes(cluster));
  out.id(dot.origin.node);
  out.u64(dot.origin.incarnation);
  out.u64(dot.seq);
  out.bytes(body);
  return text;
}

}  // namespace

Bytes make_record(const Op& op, const crypto::SigningKey& key, std::string_view cluster) {
  Bytes record = encode_op_body(op);
  const crypto::Signature signature = key.sign(signed_text(record, op.dot, cluster));
  append(record, key.public_key());
  append(record, signature);
  return record;
}

bool is_proven(ByteView record, const Dot& dot, std::string_view cluster) {
  if (record.size() < kProofBytes) return false;
  const ByteView body = record.first(record.size() - kProofBytes);
  crypto::PublicKey key;
  crypto::Signature signature;
  std::copy_n(record.begin() + static_cast<std::ptrdiff_t>(body.size()), key.size(), key.begin());
  std::copy_n(record.end() - static_cast<std::ptrdiff_t>(signature.size()), signature.size(),
              signature.begin());
  return crypto::node_id(key) == dot.origin.node &&
         crypto::verify(key, signed_text(body, dot, cluster), signature);
}

}  // namespace kith::replication
