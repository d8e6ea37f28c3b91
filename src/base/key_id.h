// Names of the pre-shared keys of a cluster.
#pragma once

#include "base/bytes.h"

namespace kith {

// Public: derived from the key one way, so that nodes can say which keys they hold.
using KeyId = Id<8, struct PskNameTag>;

}  // namespace kith
