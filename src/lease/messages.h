// The messages of the lease, as values and as bytes (docs/formats/lease.md). Bytes after the known fields
// belong to a later version and are skipped.
#pragma once

#include "base/result.h"
#include "lease/voters.h"

namespace kith::lease {

enum class MessageType : uint8_t { claim = 0x60, answer = 0x61 };
inline constexpr uint8_t kLeaseFirst = 0x60;
inline constexpr uint8_t kLeaseLast = 0x61;

// Above any time of this century in milliseconds; an epoch beyond it is no epoch.
inline constexpr uint64_t kMaxEpoch = uint64_t{1} << 62;

// "Grant me the lease": from who wants to lead or leads, to everybody.
struct Claim {
  enum class Kind : uint8_t { seek = 0, hold = 1, release = 2 };
  Kind kind = Kind::seek;
  uint64_t epoch = 0;
  uint64_t stamp = 0;  // the sender's clock, echoed unread
  Voters voters;       // as the sender has them
  Bytes encode() const;
  static Result<Claim> decode(ByteView bytes);
};

struct Answer {
  enum class Verdict : uint8_t { refused = 0, granted = 1, notice = 2 /* unasked: only the voters matter */ };
  Verdict verdict = Verdict::refused;
  uint64_t epoch = 0;  // granted: the claim's; else the greatest that the sender knows
  uint64_t stamp = 0;  // the claim's
  Voters voters;       // as the sender has them
  Bytes encode() const;
  static Result<Answer> decode(ByteView bytes);
};

}  // namespace kith::lease
