// The session cookie: a random session id, and the position of the last write that the browser's
// session depends on. The position lets any node know whether it is behind this user without asking
// anybody (session guarantees, Terry et al. 1994: read your writes, carried by the client).
//
//   "1." base64url(id, 32 bytes) "." base64url(origin prefix 8 | incarnation 8 | seq 8 | MAC 16)
//
// 101 characters. The MAC covers id and position, so neither can be mixed with another's; whatever
// was changed, in any byte, is no cookie at all.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/node.h"
#include "cluster/session_store.h"
#include "crypto/secret.h"

namespace kith::gateway {

using SessionId = Id<32, struct SessionIdTag>;   // the bearer value; never stored or logged
using NodePrefix = Id<8, struct NodePrefixTag>;  // the first bytes of a NodeId

struct PositionToken {
  NodePrefix origin;
  uint64_t incarnation = 0;
  uint64_t seq = 0;  // 0: nothing to wait for
  auto operator<=>(const PositionToken&) const = default;

  static PositionToken of(const Dot& dot);
};

struct SessionCookie {
  SessionId id;
  PositionToken position;
  bool old_key = false;  // decoded, and another key than the first had signed it: to be written anew
};

// What the store knows the session by.
cluster::SessionKey session_key(const SessionId& id);

// keys: MAC keys, at least one; the first signs, all verify.
std::string encode_session_cookie(const SessionCookie& cookie, const std::vector<crypto::Secret>& keys);
std::optional<SessionCookie> decode_session_cookie(std::string_view text,
                                                   const std::vector<crypto::Secret>& keys);

}  // namespace kith::gateway
