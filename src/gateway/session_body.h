// The session record's body: the identities a session holds, one per connector. Opaque to the store.
// Format 1: u8 version, varint count, then per identity connector, issuer, subject, sid, acr, id_token
// (strings), u64 authenticated (ms), varint claims; per claim name, u8 list, varint values, values.
#pragma once

#include <vector>

#include "base/result.h"
#include "identity/connector.h"
#include "store/session_table.h"

namespace kith::gateway {

using store::kMaxSessionBody;
inline constexpr size_t kMaxIdentities = 16;
static_assert(kMaxIdentities <= store::kMaxScopes);
inline constexpr size_t kMaxClaims = 512;        // per identity
inline constexpr size_t kMaxClaimValues = 4096;  // per claim (groups)

// The scope (store/marks.h) of one person as one connector knows them.
store::Key scope_of(std::string_view connector, std::string_view subject);

// limit when a named limit is exceeded.
Result<Bytes> encode_session_body(const std::vector<identity::Identity>& identities);
// invalid for anything encode_session_body does not make (another version, left-over bytes).
Result<std::vector<identity::Identity>> decode_session_body(ByteView body);

}  // namespace kith::gateway
