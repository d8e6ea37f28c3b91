// The node's identity: an Ed25519 key, from a file that is made (mode 0600) when it is missing.
#pragma once

#include <string>

#include "base/log.h"
#include "crypto/ed25519.h"
#include "runtime/ports.h"

namespace kith::cluster {

// path "" = a new key that lives as long as the process. A file that exists but cannot be read or
// parsed is an error: another identity must not be made silently in its place.
Result<crypto::SigningKey> load_node_key(const std::string& path, runtime::Files& files, runtime::Entropy& entropy,
                                         const Log& log);

}  // namespace kith::cluster
