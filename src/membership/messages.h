// The messages of the membership channel, as values and as bytes (docs/formats/membership.md).
// Decoders refuse what is malformed or beyond a limit; bytes after the known fields belong to a later
// version and are skipped.
#pragma once

#include <vector>

#include "membership/record.h"

namespace kith::membership {

enum class MessageType : uint8_t { ping = 1, ack = 2, votes = 3, digest = 4, records = 5 };

inline constexpr size_t kMaxMessageBytes = 15 * 1024;  // fits one frame of the mesh
inline constexpr size_t kMaxSubjects = 320;  // of one votes or digest message: a view and all the departed

struct PingMessage {
  uint64_t stamp = 0;  // the sender's, echoed unread
  uint64_t view_hash = 0;
  uint8_t health = 0;  // of the sender; 0 is well
  Bytes encode() const;
  static Result<PingMessage> decode(ByteView bytes);
};
using AckMessage = PingMessage;  // stamp is the ping's

// What one observer sees of one life of another node.
enum class Verdict : uint8_t {
  none = 0,     // cannot tell
  ok = 1,       // heard lately on a link of our own
  silent = 2,   // not heard for the hang time
  refused = 3,  // the link closed, and nobody listens at its address any more
};
struct Vote {
  NodeId subject;
  uint64_t incarnation = 0;
  Verdict verdict = Verdict::none;
};
struct VotesMessage {
  std::vector<Vote> votes;  // changes; what is not named stays as it was
  Bytes encode() const;
  static Result<VotesMessage> decode(ByteView bytes);
};

// The sender's view; the receiver answers with the records that are newer on its side and, when it
// misses some itself and an answer is asked, with its own digest.
struct DigestMessage {
  bool answer = false;
  std::vector<RecordHead> heads;
  Bytes encode() const;
  static Result<DigestMessage> decode(ByteView bytes);
};

struct RecordsMessage {
  std::vector<Bytes> records;  // signed; each checked by who uses it
  Bytes encode() const;
  static Result<RecordsMessage> decode(ByteView bytes);
};

}  // namespace kith::membership
