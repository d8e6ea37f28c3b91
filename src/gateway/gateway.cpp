#include "gateway/gateway.h"

#include <algorithm>

#include "base/text.h"
#include "gateway/access_log.h"
#include "gateway/answers.h"
#include "gateway/context.h"
#include "gateway/headers.h"
#include "gateway/login.h"
#include "gateway/logout.h"
#include "gateway/session_manager.h"
#include "gateway/session_phase.h"
#include "gateway/upstream.h"

namespace kith::gateway {

std::string_view to_string(Health health) {
  switch (health) {
    case Health::starting: return "starting";
    case Health::syncing: return "syncing";
    case Health::up: return "up";
    case Health::standby: return "standby";
    case Health::no_majority: return "no_majority";
    case Health::draining: return "draining";
  }
  return "starting";
}

namespace {

constexpr size_t kRequestIdBytes = 12;
constexpr size_t kMaxRequestId = 128;

bool is_request_id(std::string_view text) {
  if (text.empty() || text.size() > kMaxRequestId) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '_' || c == '.';
  });
}

// Kept from whom we believe, since one request then has one id in all logs; else made.
std::string choose_request_id(const RequestContext& context, runtime::Entropy& entropy) {
  const http::Headers& headers = context.request().headers;
  bool believed = context.client.peer_trusted || !context.forwarded_by().empty();
  if (believed && headers.count(kRequestIdHeader) == 1 && is_request_id(headers.get(kRequestIdHeader))) {
    return std::string(headers.get(kRequestIdHeader));
  }
  std::array<uint8_t, kRequestIdBytes> random;
  entropy.fill(random);
  return hex(random);
}

}  // namespace

Gateway::Gateway(Services services, std::shared_ptr<const Routes> routes)
    : services_(std::move(services)),
      routes_(std::move(routes)),
      log_(services_.log.named("gateway")),
      access_(services_.log.named("access")) {
  KITH_CHECK(services_.cookie_keys);
  for (const auto& connector : services_.connectors) {
    for (auto& place : connector->login_callbacks())
      callbacks_.push_back({std::move(place), connector.get(), false});
    for (auto& place : connector->logout_callbacks())
      callbacks_.push_back({std::move(place), connector.get(), true});
  }
  const auto& keys = services_.cookie_keys;
  sessions_ = std::make_unique<SessionManager>(*routes_, services_.ports, services_.store, keys,
                                               services_.find_node, counters_, log_);
  session_phase_ = std::make_unique<SessionPhase>(routes_->config.http.routing, services_.ports, *sessions_,
                                                  services_.forwarder, services_.forwards_beyond_store,
                                                  counters_, log_);
  login_ = std::make_unique<LoginFlow>(*routes_, services_.ports, scope_, *sessions_, keys, counters_, log_);
  logout_ = std::make_unique<LogoutFlow>(*routes_, services_.ports, scope_, *sessions_, services_.connectors,
                                         keys, log_);
  upstream_ =
      std::make_unique<Upstream>(services_.ports, services_.client, *sessions_, services_.tls,
                                 services_.node_name, log_);
}

Gateway::~Gateway() = default;

runtime::Task<void> Gateway::close() { return scope_.close(); }

runtime::Task<void> Gateway::handle(http::Exchange& exchange) {
  RequestContext context(exchange, *routes_);
  prepare(context);
  co_await run_phases(context);
  if (routes_->config.http.access_log) {
    write_access_log(
        access_, routes_->config.http.access_log_level, context,
        {.node_name = services_.node_name, .finished = services_.ports.loop.now()});
  }
}

void Gateway::prepare(RequestContext& context) {
  runtime::Loop& loop = services_.ports.loop;
  context.started = loop.now();
  context.endpoint_deadline = context.started + routes_->config.http.endpoint_timeout;
  context.now = loop.wall_now();
  context.client = client_facts(context.request(), context.exchange.origin(), routes_->trusted_proxies);
  context.request_id = choose_request_id(context, services_.ports.entropy);
  http::Headers& ours = context.exchange.response_headers();
  ours.add(kNodeHeader, services_.node_name);
  ours.add(kRequestIdHeader, context.request_id);
  if (!context.forwarded_by().empty()) {
    ours.add(kForwardedByHeader, context.forwarded_by());
    counters_.requests_forwarded_in.add();
  }
  counters_.requests.add();
}

runtime::Task<void> Gateway::run_phases(RequestContext& context) {
  Answer answer = health_phase(context);
  if (!answer) answer = readiness_phase(context);
  if (!answer) answer = standing_phase(context);
  if (!answer) {
    route_phase(context);
    if (!session_phase_->recognise(context)) {
      const Step step = co_await session_phase_->come_level(context);
      if (step == Step::answered) co_return;
    }
    answer = endpoint_phase(context);
  }
  if (!answer) answer = policy_phase(context);
  if (!answer) {
    if (auto cookie = sessions_->renewed_cookie(context.session)) context.exchange.add_cookie(*std::move(cookie));
    answer = upstream_->run(context);
  }
  co_await *std::move(answer);
}

Gateway::Answer Gateway::health_phase(RequestContext& context) {
  if (context.request().target.path != routes_->config.health.location) return std::nullopt;
  context.decision = "health";
  return answer_health(context);
}

runtime::Task<void> Gateway::answer_health(RequestContext& context) {
  if (!context.is_safe_method()) {
    http::Headers extra;
    extra.add("Allow", "GET, HEAD");
    co_await answer_error(context, 405, "GET only.", std::move(extra));
    co_return;
  }
  Health health = services_.health.health();
  http::ResponseHead head;
  head.status = health == Health::up ? 200 : 503;
  head.headers.add("Cache-Control", "no-store");
  std::string body = std::string("{\"status\":\"").append(to_string(health)).append("\"");
  if (services_.health.degraded()) body += ",\"degraded\":true";
  body += "}";
  std::string type = "application/json";
  (void)co_await context.exchange.respond(std::move(head), std::move(body), std::move(type));
}

// A balancer without checks of its own learns from the answer that another node is to be asked. What a
// member forwarded is served: it has chosen this node for what it holds. So is everything while draining.
Gateway::Answer Gateway::readiness_phase(RequestContext& context) {
  Health health = services_.health.health();
  bool not_yet = health == Health::starting || health == Health::syncing;
  if (!not_yet || !context.forwarded_by().empty()) return std::nullopt;
  context.decision = "unready";
  context.reason = to_string(health);
  http::Headers extra;
  extra.add("Retry-After", "1");
  return answer_error(context, 503, "This node is starting. Try again in a moment.", std::move(extra));
}

// What does not serve hands the request to who does, one hop, or says that it does not.
Gateway::Answer Gateway::standing_phase(RequestContext& context) {
  cluster::Standing standing = services_.health.standing();
  if (standing.kind == cluster::Standing::Kind::serves) return std::nullopt;
  return hand_over(context, standing.leader);
}

runtime::Task<void> Gateway::hand_over(RequestContext& context, std::optional<NodeId> leader) {
  bool may_forward = leader && services_.forwarder != nullptr && context.forwarded_by().empty();
  if (may_forward) {
    auto sent = co_await session_phase_->forward(context, *leader);
    if (sent) co_return;
    counters_.forward_failures.add();
    context.forwarded_to.clear();
    if (is_out_of_hand(context, sent.error())) {
      co_await answer_out_of_hand(context, sent.error(),
                                  "The node that leads has your request and did not answer.");
      co_return;
    }
  }
  context.decision = "standby";
  http::Headers extra;
  extra.add("Retry-After", "1");
  co_await answer_error(context, 503, "This node stands by.", std::move(extra));
}

// Our own endpoints first: no app can take a callback's place.
void Gateway::route_phase(RequestContext& context) {
  const std::string& path = context.request().target.path;
  std::string_view host = context.request().host;
  for (const Callback& callback : callbacks_) {
    bool host_fits = callback.place.host.empty() || host == callback.place.host ||
                     host_name(host) == host_name(callback.place.host);
    if (!host_fits || path != callback.place.path) continue;
    context.connector = callback.connector;
    context.own_place = callback.is_logout ? OwnPlace::logout_callback : OwnPlace::login_callback;
    return;
  }
  if (!routes_->logout_path.empty() && path == routes_->logout_path &&
      host_name(host) == routes_->logout_host) {
    context.own_place = OwnPlace::logout;
    return;
  }
  if (auto app = routes_->router.find(host, path)) {
    context.app = &routes_->apps[*app];
    const std::string& logout_path = context.app->config.logout_path;
    if (!logout_path.empty() && path == logout_path) context.own_place = OwnPlace::logout;
  }
}

Gateway::Answer Gateway::endpoint_phase(RequestContext& context) {
  switch (context.own_place) {
    case OwnPlace::none: break;
    case OwnPlace::login_callback: return login_->callback(context, *context.connector);
    case OwnPlace::logout_callback: return logout_->callback(context);
    case OwnPlace::logout: return logout_->begin(context);
  }
  return std::nullopt;
}

Gateway::Answer Gateway::policy_phase(RequestContext& context) {
  if (!context.app) {
    context.decision = "deny";
    context.reason = "no route";
    return answer_error(context, 404, "There is nothing here.");
  }
  Verdict verdict = context.app->policies.judge(context.request().target.path, context.claims());
  if (verdict.policy != nullptr && verdict.policy->fail_closed && !services_.health.fresh())
    return refuse_blind(context);
  if (context.reason.empty()) context.reason = verdict.reason;
  if (verdict.decision == Decision::allow) {
    context.decision = "allow";
    return std::nullopt;
  }
  if (verdict.decision == Decision::login) {
    if (identity::Connector* connector = find_connector(verdict.policy->idps.front()))
      return login_->begin(context, *connector);
    context.reason = "no such connector";
  }
  context.decision = "deny";
  const std::string& page = context.app->config.unauthorized_page;
  if (!page.empty() && is_navigation(context.request())) return answer_redirect(context, 302, page);
  return answer_error(context, 403, "You are not allowed to see this.");
}

// Somebody may have been logged out whom this node takes for logged in. Another node may know better.
runtime::Task<void> Gateway::refuse_blind(RequestContext& context) {
  counters_.blind_refusals.add();
  context.decision = "blind";
  context.reason = "the cluster is not heard";
  http::Headers extra;
  extra.add("Retry-After", "1");
  return answer_error(context, 503, "This node cannot reach the others. Try again in a moment.",
                      std::move(extra));
}

identity::Connector* Gateway::find_connector(const std::string& name) const {
  for (const auto& connector : services_.connectors) {
    if (connector->name() == name) return connector.get();
  }
  return nullptr;
}

}  // namespace kith::gateway
