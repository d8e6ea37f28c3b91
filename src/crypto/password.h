// Password hashes for the local connector: scrypt (RFC 7914) in the PHC string form
//   $scrypt$ln=15,r=8,p=1$<salt, base64 without padding>$<hash, base64 without padding>
// Slow by intention (about 50 to 100 ms): run it in the pool.
#pragma once

#include <string>

#include "base/result.h"
#include "crypto/secret.h"

namespace kith::crypto {

std::string hash_password(const Secret& password, ByteView salt16);
// Parameters above ln=20, r=16, p=4 are refused: a hash must not be able to exhaust the machine.
Result<void> check_password_hash(std::string_view hash);
bool verify_password(const Secret& password, std::string_view hash);

}  // namespace kith::crypto
