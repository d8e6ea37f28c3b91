// Forwarding of a request to another member, one hop, streamed both ways over the data channel.
#pragma once

#include "base/node.h"
#include "http/exchange.h"

namespace kith::cluster {

// Whether the member may have acted on a request whose forwarding failed so.
inline bool may_have_acted(const Error& failure) {
  const Code code = failure.code();
  return code != Code::unreachable && code != Code::unavailable && code != Code::limit;
}

class Forwarder {
 public:
  virtual ~Forwarder() = default;
  // Sends the exchange's request to the member and its answer to the client. The other node sees an
  // Exchange whose origin().forwarded_by is set; it answers itself, whatever it knows.
  // A member that took the request has as long for its answer as it gives itself (its limits on the
  // upstream are the same as ours); one that is lost meanwhile fails it at once.
  // Fails only while nothing was sent to the client and no request body byte was consumed, so that
  // the caller may still answer. The member has not acted on the request: unreachable (no link),
  // unavailable (it refused), limit. It may have: timeout (not known to be taken by accept_deadline),
  // closed (lost, or no answer that could be read).
  virtual runtime::Task<Result<void>> forward(runtime::Loop& here, http::Exchange& exchange, NodeId to,
                                              MonoTime accept_deadline) = 0;
  // The name a member calls itself, for logs; "" when unknown.
  virtual std::string node_name(NodeId node) = 0;
};

}  // namespace kith::cluster
