// The text that a client carries and presents: an authorization code, a one-time credential.
//
//   base64url(version 1 | fingerprints of the group 3 x 8 | random 20 | expiry 8 | MAC 16)
//
// 92 characters. The MAC covers all before it, so a node spends nothing on a guess; the fingerprints say
// whom to ask, wherever it is presented. Nodes know a record by a hash of the random part: what is stored
// and what travels between them contains no code that anybody could present.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/secret.h"
#include "once/record.h"

namespace kith::once {

struct OnceCode {
  std::vector<Fingerprint> group;  // as Core::mint names it, in its order; one or kGroupSize
  std::array<uint8_t, 20> random{};
  WallTime expires;

  bool operator==(const OnceCode&) const = default;
  RecordId id() const;

  // keys: MAC keys, at least one; the first signs, all verify.
  std::string text(const std::vector<crypto::Secret>& keys) const;
  // Fails with invalid for what no key of ours signed, with timeout when by this clock it expired so long
  // ago (expired_for) that nodes have dropped the record. In between the group answers: it may be a retry.
  static Result<OnceCode> parse(std::string_view text, const std::vector<crypto::Secret>& keys, WallTime now,
                                std::chrono::milliseconds expired_for = std::chrono::seconds(60));
};

}  // namespace kith::once
