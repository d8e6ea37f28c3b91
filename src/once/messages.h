// The messages of single use, as values and as bytes (docs/formats/once.md). Bytes after the known fields
// belong to a later version and are skipped.
#pragma once

#include "base/result.h"
#include "once/register.h"

namespace kith::once {

enum class MessageType : uint8_t {
  store = 0x70,
  stored = 0x71,
  prepare = 0x72,
  accept = 0x73,
  vote = 0x74,
  redeem = 0x75,
  redeemed = 0x76,
};
inline constexpr uint8_t kOnceFirst = 0x70;
inline constexpr uint8_t kOnceLast = 0x76;

// How a redemption ends. Everything but the last is a denial.
enum class Outcome : uint8_t {
  unknown = 0,      // a majority of the group does not have the record
  expired = 1,      // and nobody had redeemed it
  used = 2,         // by somebody else, or by the same client too long ago
  wrong_proof = 3,  // the record is for another client; nothing was used up
  no_majority = 4,  // too few of the group can be reached
  late = 5,         // nobody of the group answered within the deadline; never said by others
  won = 6,
};
std::string_view to_string(Outcome outcome);

// The copy of a record, to a deputy; to an acceptor that misses it.
struct Store {
  Record record;  // with a group of kGroupSize
  Bytes encode() const;
  static Result<Store> decode(ByteView bytes);
};

struct Stored {
  RecordId id;
  bool held = false;  // false: it has no room, or the record is none for it
  Bytes encode() const;
  static Result<Stored> decode(ByteView bytes);
};

struct Prepare {
  RecordId id;
  Ballot ballot;
  Bytes encode() const;
  static Result<Prepare> decode(ByteView bytes);
};

struct Accept {
  RecordId id;
  Accepted proposal;
  Bytes encode() const;
  static Result<Accept> decode(ByteView bytes);
};

// The answer to both.
struct VoteMessage {
  RecordId id;
  Vote vote;
  Bytes encode() const;
  static Result<VoteMessage> decode(ByteView bytes);
};

// "Redeem this for my client": to a member of the group.
struct Redeem {
  RecordId id;
  uint64_t nonce = 0;  // names the redemption; the same when it is asked again, of whomever
  ProofHash proof;
  std::chrono::milliseconds patience{0};  // after which nobody waits for the answer
  Bytes encode() const;
  static Result<Redeem> decode(ByteView bytes);
};

struct RedeemedMessage {
  uint64_t nonce = 0;
  Outcome outcome = Outcome::unknown;
  bool again = false;  // won: by an earlier redemption of the same client
  ProofHash first;     // used: by whom
  Bytes payload;       // won: the record's
  Bytes encode() const;
  static Result<RedeemedMessage> decode(ByteView bytes);
};

}  // namespace kith::once
