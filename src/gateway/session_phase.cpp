#include "gateway/session_phase.h"

#include "gateway/answers.h"
#include "gateway/headers.h"

namespace kith::gateway {

bool SessionPhase::recognise(RequestContext& context) {
  context.session = sessions_.recognise(context.request().headers);
  if (!context.session.known) return true;
  if (!sessions_.is_current(context.session, context.now)) return false;
  sessions_.load(context.session, context.now);
  return true;
}

runtime::Task<Step> SessionPhase::come_level(RequestContext& context) {
  Outcome outcome = Outcome::use;
  if (context.forwarded_by().empty()) {
    outcome = co_await behind(context);
  } else {
    counters_.forwarded_twice_refused.add();
  }
  if (outcome == Outcome::answered) co_return Step::answered;
  if (outcome == Outcome::use) sessions_.load(context.session, context.now);
  co_return Step::next;
}

runtime::Task<SessionPhase::Outcome> SessionPhase::behind(RequestContext& context) {
  bool may_forward = routing_.enabled && forwarder_;
  bool pull_first = !may_forward || routing_.prefer == http::RoutingConfig::Prefer::pull;
  counters_.catch_up_waits.add();
  cluster::CatchUp found = co_await catch_up(context, routing_.wait, pull_first);
  // A session of another cluster: the node of its last write has it, if it is one that we can ask.
  if (found.kind == cluster::CatchUp::Kind::lost && may_forward && beyond_store_)
    found = {cluster::CatchUp::Kind::elsewhere, sessions_.position(context.session).origin.node};
  if (found.kind == cluster::CatchUp::Kind::elsewhere && may_forward) {
    auto sent = co_await forward(context, found.node);
    if (sent) co_return Outcome::answered;
    counters_.forward_failures.add();
    log_.warn("forwarding failed", {{"request_id", context.request_id},
                                    {"to", context.forwarded_to},
                                    {"error", sent.error().message()}});
    context.forwarded_to.clear();
    if (is_out_of_hand(context, sent.error())) {
      co_await answer_out_of_hand(context, sent.error(), "Another node has your request and did not answer.");
      co_return Outcome::answered;
    }
    if (!pull_first) found = co_await catch_up(context, 0ns, true);
  }
  if (found.kind == cluster::CatchUp::Kind::here) co_return Outcome::use;
  co_return co_await lost(context);
}

runtime::Task<cluster::CatchUp> SessionPhase::catch_up(RequestContext& context, Duration wait, bool pull) {
  if (pull) counters_.catch_up_pulls.add();
  MonoTime deadline = ports_.loop.now() + routing_.timeout;
  return sessions_.catch_up(context.session, wait, pull, deadline);
}

runtime::Task<Result<void>> SessionPhase::forward(RequestContext& context, NodeId to) {
  context.forwarded_to = forwarder_->node_name(to);
  if (context.forwarded_to.empty()) context.forwarded_to = to.hex().substr(0, 12);
  http::RequestHead head = context.request();
  head.headers.remove_folded(kRequestIdHeader);
  head.headers.add(kRequestIdHeader, context.request_id);
  context.exchange.replace_request(std::move(head));
  context.exchange.let_another_answer(true);
  MonoTime accept_deadline = ports_.loop.now() + routing_.timeout;
  auto sent = co_await forwarder_->forward(ports_.loop, context.exchange, to, accept_deadline);
  if (sent) {
    counters_.requests_forwarded_out.add();
    context.decision = "forward";
  } else {
    context.exchange.let_another_answer(false);
  }
  co_return sent;
}

runtime::Task<SessionPhase::Outcome> SessionPhase::lost(RequestContext& context) {
  counters_.catch_up_lost.add();
  switch (routing_.lost) {
    case http::RoutingConfig::Lost::reauth: context.reason = "session state lost"; co_return Outcome::ignore;
    case http::RoutingConfig::Lost::stale: co_return Outcome::use;
    case http::RoutingConfig::Lost::fail: break;
  }
  context.reason = "session state lost";
  http::Headers extra;
  extra.add("Retry-After", "1");
  co_await answer_error(context, 503, "Your session is not available right now.", std::move(extra));
  co_return Outcome::answered;
}

}  // namespace kith::gateway
