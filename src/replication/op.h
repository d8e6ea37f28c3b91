// One write, as it stands in a log and on the wire.
//
// Problem: several stores share one log per node, and a node must carry and pass on writes of kinds
// that it does not know yet. Idea: replication sees a key, a stamp, a lifetime and opaque bytes; what
// kind and payload mean is the store's affair. Bytes: docs/formats/replication.md.
#pragma once

#include "base/bytes.h"
#include "base/codec.h"
#include "base/node.h"
#include "crypto/ed25519.h"

namespace kith::replication {

// Which store an op belongs to. Values not listed here are carried and forwarded all the same.
enum class StoreId : uint8_t { session = 1, mark = 2, cache = 3 };

using Key = Id<32, struct KeyTag>;  // always a hash, never a name

// The kind that every store knows: the payload is a whole state, to be merged (Source::state_of).
inline constexpr uint8_t kStateKind = 0xff;

struct Op {
  Dot dot;
  StoreId store = StoreId::session;
  uint8_t kind = 0;  // of the store
  Key key;
  uint64_t hlc = 0;        // orders values, never replication (hlc.h)
  int64_t expires_ms = 0;  // absolute expiry of the entry, Unix milliseconds; not negative
  Bytes payload;           // at most kMaxPayload

  bool operator==(const Op&) const = default;
};

// A session body is at most 64 KiB; the rest is for the fields around it.
inline constexpr size_t kMaxPayload = (64 << 10) + 1024;

// A whole state as it travels outside a log.
struct StateEntry {
  StoreId store = StoreId::session;
  Key key;
  Bytes state;  // at most kMaxPayload
};

// Sequence numbers and positions stay below, so that no sum of two overflows.
inline constexpr uint64_t kMaxSeq = uint64_t{1} << 56;

// Everything but the dot, with fields of later versions after the payload.
Bytes encode_op_body(const Op& op);
// False when malformed or above a limit; the dot is left as it is.
bool decode_op_body(ByteView body, Op& op);

// A record is an op as logs keep it and as it travels: the body, then its writer's public key and
// signature. It is made once and passed on bit by bit, so that whoever gets it from a third node sees
// whose words it is. What comes from the writer itself needs no look at the signature: its link is proof.
inline constexpr size_t kProofBytes = 32 + 64;
// cluster: a write means nothing in a cluster of another name.
Bytes make_record(const Op& op, const crypto::SigningKey& key, std::string_view cluster);
// Whether the writer's node key signed this record, for this place in its log.
bool is_proven(ByteView record, const Dot& dot, std::string_view cluster);

}  // namespace kith::replication
