// Passing on what one side sends to another, as it comes: bodies, and upgraded connections.
#pragma once

#include "http/exchange.h"

namespace kith::http {

// Writes the whole body to the started exchange and finishes it. The error's side tells who broke off:
// a reader's failure comes back as it is. The exchange is then to be aborted, so that a cut answer does
// not look like a whole one.
runtime::Task<Result<void>> relay_body(BodyReader& from, Exchange& to);

struct DuplexCount {
  uint64_t a_to_b = 0;
  uint64_t b_to_a = 0;
  bool idle = false;  // ended because neither side said anything for the idle limit
};
// Joins two streams: what one says, the other gets. The orderly end of one direction is passed on and
// leaves the other running; a failure, or silence of both for `idle` (0 = no limit), closes both.
// Completes when both directions have ended; to end it earlier, close either stream.
runtime::Task<DuplexCount> relay_duplex(runtime::Loop& loop, runtime::Stream& a, runtime::Stream& b,
                                        Duration idle);

}  // namespace kith::http
