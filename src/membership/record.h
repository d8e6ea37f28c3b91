// What a node says about itself, signed by itself.
//
// Problem: names and addresses are claims that any holder of the cluster's PSK could make for another
// node. Idea: a node is its Ed25519 key; its record is signed by that key and ordered by (incarnation,
// sequence), so records form a lattice that only their subject can raise: "alive", "draining" and
// "left" cannot be forged, and copies may travel by any path in any order.
// Bytes: docs/formats/membership.md.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>
#include <string_view>

#include "base/bytes.h"
#include "base/net.h"
#include "base/key_id.h"
#include "base/node.h"
#include "base/result.h"
#include "crypto/ed25519.h"

namespace kith::membership {

inline constexpr size_t kMaxRecordBytes = 2048;  // a signed record, with room for fields of later versions
inline constexpr size_t kMaxLabelBytes = 64;     // name, software, region, zone

inline constexpr size_t kMaxKeys = 8;            // pre-shared keys a node names
inline constexpr size_t kMaxBans = 32;           // nodes it bans

// In the order of a life; a record is free to go back from draining to ready.
enum class State : uint8_t { joining = 0, ready = 1, draining = 2, left = 3 };
std::string_view to_string(State state);

// The order of two records of one node: a later life wins, then a later word of the same life.
struct RecordVersion {
  uint64_t incarnation = 0;
  uint64_t sequence = 0;
  auto operator<=>(const RecordVersion&) const = default;
};

struct NodeRecord {
  crypto::PublicKey key{};
  NodeId id;                 // always crypto::node_id(key); not on the wire
  uint64_t incarnation = 0;  // greater with each boot
  uint64_t sequence = 0;     // greater with each word of one life
  std::string name;          // metadata, never identity; at most kMaxLabelBytes, no control characters
  std::string software;
  std::string region;
  std::string zone;
  Multiaddr membership;      // what peers dial for the membership channel
  Multiaddr data;            // and for the data channel
  uint16_t min_version = 1;  // protocol versions this node speaks
  uint16_t max_version = 1;
  State state = State::joining;
  std::vector<KeyId> keys;  // the pre-shared keys it holds, the one it offers first; at most kMaxKeys
  std::vector<NodeId> bans;  // whom it bans; at most kMaxBans

  RecordVersion version() const { return {incarnation, sequence}; }
  Replica replica() const { return {id, incarnation}; }

  // The signed form. The key must be this record's key; labels too long for the wire are cut.
  Bytes encode(const crypto::SigningKey& key) const;
  // Refuses what is too large, malformed or not signed by the key it names (invalid, side peer).
  static Result<NodeRecord> decode(ByteView bytes);
};

// Whose record this claims to be and its version, without the cost of checking the signature: enough
// to drop what is known already. Trust nothing else on its word.
struct RecordHead {
  NodeId id;
  RecordVersion version;
};
Result<RecordHead> peek_record(ByteView bytes);

// A record with its signed bytes, as it is kept and passed on. Immutable, so that whoever needs it shares it.
struct SignedRecord {
  NodeRecord record;
  Bytes bytes;
  uint64_t fingerprint = 0;  // what it adds to the hash of a view
};
using RecordRef = std::shared_ptr<const SignedRecord>;

// The first 8 bytes, as u64, of the SHA-256 over (NodeId, incarnation u64, sequence u64).
uint64_t fingerprint_of(const NodeId& id, const RecordVersion& version);

// Checks what nodes sign. Cores may share one; the simulator's remembers what it has checked, so that a
// thousand cores in one thread do not each pay for the same signature.
class Notary {
 public:
  virtual ~Notary() = default;
  virtual Result<RecordRef> record(ByteView bytes);  // NodeRecord::decode, kept with its bytes
  virtual bool verify(const crypto::PublicKey& key, ByteView message, const crypto::Signature& signature);
};

}  // namespace kith::membership
