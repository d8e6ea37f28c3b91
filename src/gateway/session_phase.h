// Read your writes, on any node: a request whose cookie is ahead of this node waits a moment for the
// write in flight, then the session is pulled, or the request goes to a node that has it. One hop at
// most: what another node forwarded is answered here, with what this node knows.
#pragma once

#include "cluster/forwarder.h"
#include "gateway/context.h"

namespace kith::gateway {

enum class Step : uint8_t { answered, next };

class SessionPhase {
 public:
  SessionPhase(const http::RoutingConfig& routing, runtime::Ports& ports, SessionManager& sessions,
               cluster::Forwarder* forwarder, bool beyond_store, Counters& counters, Log log)
      : routing_(routing),
        ports_(ports),
        sessions_(sessions),
        forwarder_(forwarder),
        beyond_store_(beyond_store),
        counters_(counters),
        log_(std::move(log)) {}

  // Fills in context.session. False when this node is behind the cookie: then come_level is to follow.
  bool recognise(RequestContext& context);
  // Fills it in after all, or answers (forwarded; 503 when the state is lost and onLost is fail).
  runtime::Task<Step> come_level(RequestContext& context);
  // Hands the request to the node. Fails while it can still be answered here (see cluster::Forwarder).
  runtime::Task<Result<void>> forward(RequestContext& context, NodeId to);

 private:
  enum class Outcome : uint8_t {
    use,     // what the store says here
    ignore,  // anonymous: the user logs in again
    answered,
  };
  runtime::Task<Outcome> behind(RequestContext& context);
  runtime::Task<cluster::CatchUp> catch_up(RequestContext& context, Duration wait, bool pull);
  runtime::Task<Outcome> lost(RequestContext& context);

  const http::RoutingConfig& routing_;
  runtime::Ports& ports_;
  SessionManager& sessions_;
  cluster::Forwarder* forwarder_;
  const bool beyond_store_;
  Counters& counters_;
  Log log_;
};

}  // namespace kith::gateway
