#include "replication/op.h"

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

}  // namespace kith::replication
