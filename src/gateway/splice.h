// Two byte streams joined: what one says, the other gets, until both have ended.
#pragma once

#include "runtime/ports.h"

namespace kith::gateway {

// Completes when both directions have ended; both streams are then closed. An orderly end of one
// direction leaves the other running; a failure, or no byte in either for `idle`, ends both.
runtime::Task<void> splice(runtime::Loop& loop, runtime::Stream& a, runtime::Stream& b, Duration idle);

}  // namespace kith::gateway
