// The request path: a short list of named phases over one RequestContext, one Gateway per worker
// loop, all sharing one immutable Routes snapshot. Each phase continues or answers:
//
//   health -> readiness -> standing (a standby forwards one hop, or answers 503) -> route ->
//   session (behind? wait, pull, or forward one hop) -> endpoint (login callback,
//   logout) or policy (authentication, authorization) -> upstream -> access log
//
// Order matters: health is answered before anything that could fail, and no header or cookie of a
// client changes what is judged before the session phase.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "cluster/cookie_keys.h"
#include "cluster/forwarder.h"
#include "cluster/session_store.h"
#include "gateway/counters.h"
#include "gateway/health.h"
#include "gateway/position_token.h"
#include "gateway/routes.h"
#include "http/client.h"
#include "identity/connectors.h"
#include "runtime/ports.h"
#include "runtime/scope.h"

namespace kith::gateway {

struct RequestContext;
class SessionManager;
class LoginFlow;
class LogoutFlow;
class Upstream;
class SessionPhase;

using TlsContexts = identity::TlsContexts;  // client contexts, by profile

// What a Gateway uses. References outlive it; all but store, forwarder and health belong to its loop.
struct Services {
  runtime::Ports& ports;
  http::Client& client;                     // of this loop
  cluster::SessionStore& store;             // called from any loop
  cluster::Forwarder* forwarder = nullptr;  // null: standalone, nothing is ever forwarded
  // The forwarder is of another cluster than the store, and may reach nodes whose sessions are not here.
  bool forwards_beyond_store = false;
  std::vector<std::unique_ptr<identity::Connector>> connectors;  // of this loop
  std::string node_name;
  // With a cluster they derive from its PSKs, so that any node can finish what another began; standalone
  // they are random per process.
  std::shared_ptr<const cluster::CookieKeys> cookie_keys;
  // The known replica whose NodeId begins with the prefix; null or nullopt: unknown, treated as not
  // covered. Called on this loop.
  std::function<std::optional<NodeId>(const NodePrefix&)> find_node;
  const HealthSource& health;
  std::shared_ptr<const TlsContexts> tls;  // for https upstreams; may be null when no app names one
  Log log;                                 // components "gateway" and "access" are named from it
};

class Gateway final : public http::Handler {
 public:
  Gateway(Services services, std::shared_ptr<const Routes> routes);
  ~Gateway() override;

  runtime::Task<void> handle(http::Exchange& exchange) override;

  // Waits for connector calls that outlived their request (http.endpointTimeoutSeconds). Awaited once,
  // after the server was drained and before the Gateway is destroyed.
  runtime::Task<void> close();

  const Counters& counters() const { return counters_; }  // may be read from any thread

 private:
  // A connector's place, routed before any app.
  struct Callback {
    identity::Connector::Place place;
    identity::Connector* connector = nullptr;
    bool is_logout = false;
  };

  void prepare(RequestContext& context);
  identity::Connector* find_connector(const std::string& name) const;

  // What a phase answers the request with; nothing: the next phase has it.
  using Answer = std::optional<runtime::Task<void>>;

  runtime::Task<void> run_phases(RequestContext& context);
  Answer health_phase(RequestContext& context);
  Answer readiness_phase(RequestContext& context);
  Answer standing_phase(RequestContext& context);
  void route_phase(RequestContext& context);
  Answer endpoint_phase(RequestContext& context);
  Answer policy_phase(RequestContext& context);
  runtime::Task<void> refuse_blind(RequestContext& context);
  runtime::Task<void> answer_health(RequestContext& context);
  runtime::Task<void> hand_over(RequestContext& context, std::optional<NodeId> leader);

  Services services_;
  std::shared_ptr<const Routes> routes_;
  Counters counters_;
  runtime::Scope scope_;
  std::vector<Callback> callbacks_;
  std::unique_ptr<SessionManager> sessions_;
  std::unique_ptr<SessionPhase> session_phase_;
  std::unique_ptr<LoginFlow> login_;
  std::unique_ptr<LogoutFlow> logout_;
  std::unique_ptr<Upstream> upstream_;
  Log log_;
  Log access_;
};

}  // namespace kith::gateway
