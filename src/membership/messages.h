// The messages of the membership channel, as values and as bytes (docs/formats/membership.md).
// Decoders refuse what is malformed or beyond a limit; bytes after the known fields belong to a later
// version and are skipped.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "membership/record.h"

namespace kith::membership {

enum class MessageType : uint8_t {
  ping = 1,
  ack = 2,
  votes = 3,
  digest = 4,
  records = 5,
  alerts = 6,
  sums = 7,
  reach = 8,
  reached = 9
};

inline constexpr size_t kMaxMessageBytes = 15 * 1024;  // fits one frame of the mesh
inline constexpr size_t kMaxSubjects = 320;            // of one votes, digest or records message
inline constexpr size_t kMaxAlerts = 100;              // of one alerts message
inline constexpr size_t kBuckets = 64;                 // of NodeIds, by the first 6 bits

inline uint8_t bucket_of(const NodeId& id) { return id.bytes[0] >> 2; }

// What a core hands out to be sent: encoded once, shared by all the links that it goes to.
class Payload {
 public:
  Payload() = default;
  Payload(Bytes bytes)  // NOLINT(google-explicit-constructor): an encoded message becomes one
      : bytes_(std::make_shared<const Bytes>(std::move(bytes))) {}
  operator ByteView() const {  // NOLINT(google-explicit-constructor): it is bytes to read
    return bytes_ ? ByteView(*bytes_) : ByteView();
  }
  const std::shared_ptr<const Bytes>& shared() const { return bytes_; }
  size_t size() const { return bytes_ ? bytes_->size() : 0; }

 private:
  std::shared_ptr<const Bytes> bytes_;
};

struct PingMessage {
  uint64_t stamp = 0;  // the sender's, echoed unread
  uint64_t view_hash = 0;
  uint8_t health = 0;  // of the sender; 0 is well
  Bytes encode() const;
  static Result<PingMessage> decode(ByteView bytes);
};
using AckMessage = PingMessage;  // stamp is the ping's

// What one observer sees of another node.
enum class Verdict : uint8_t {
  none = 0,     // cannot tell
  ok = 1,       // heard lately on a link of our own
  silent = 2,   // not heard for the hang time
  refused = 3,  // the link closed, and nobody listens at its address any more
};
inline bool is_bad(Verdict verdict) { return verdict == Verdict::silent || verdict == Verdict::refused; }

struct Vote {
  NodeId subject;
  RecordVersion about;  // ok is about the incarnation alone; the bad ones end with the subject's next word
  Verdict verdict = Verdict::none;
  bool operator==(const Vote&) const = default;
};

// The votes of the node at the other end of the link.
struct VotesMessage {
  std::vector<Vote> votes;  // changes; what is not named stays as it was
  Bytes encode() const;
  static Result<VotesMessage> decode(ByteView bytes);
};

// A vote that travels: signed by its observer, passed on by everybody.
struct Alert {
  Replica observer;
  uint64_t number = 0;  // of two alerts of one life of an observer about one subject the greater holds
  Vote vote;
  crypto::Signature signature{};
  Bytes signed_text() const;  // what the signature is over
};
struct AlertsMessage {
  std::vector<Alert> alerts;
  Bytes encode() const;
  static Result<AlertsMessage> decode(ByteView bytes);
};

// How the sender holds a node.
enum class Standing : uint8_t {
  member = 0,
  down = 1,  // declared down, up to this version: only a later word of its own brings it back
};
struct Head {
  NodeId id;
  RecordVersion version;
  Standing standing = Standing::member;
};
// What the sender knows. Of the buckets first to last it names all members; the receiver answers with the
// records that are newer on its side and, when it misses some itself and an answer is asked, with its own
// digest of them. An incomplete digest only tells what it names.
struct DigestMessage {
  bool answer = false;
  bool complete = false;
  uint8_t first = 0, last = kBuckets - 1;
  std::vector<Head> heads;
  Bytes encode() const;
  static Result<DigestMessage> decode(ByteView bytes);
};

struct RecordsMessage {
  bool more = false;           // the next message belongs to these: they are taken together
  std::vector<Bytes> records;  // signed; each checked by who uses it
  Bytes encode() const;
  static Result<RecordsMessage> decode(ByteView bytes);
};

// For each bucket the sum of the fingerprints of its members, so that two large views find where they differ.
struct SumsMessage {
  std::array<uint64_t, kBuckets> sums{};
  Bytes encode() const;
  static Result<SumsMessage> decode(ByteView bytes);
};

// REACH asks for help: do you hear this node? REACHED is the answer, given when it is yes.
struct ReachMessage {
  Replica subject;
  Bytes encode() const;
  static Result<ReachMessage> decode(ByteView bytes);
};

}  // namespace kith::membership
