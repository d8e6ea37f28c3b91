// Everything about one request while it goes through the phases.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/claims.h"
#include "gateway/client_address.h"
#include "gateway/observed_exchange.h"
#include "gateway/routes.h"
#include "gateway/session_manager.h"

namespace kith::gateway {

// What we answer ourselves, beside health.
enum class OwnPlace : uint8_t { none, login_callback, logout_callback, logout };

struct RequestContext {
  RequestContext(http::Exchange& inner, const Routes& routes_in) : exchange(inner), routes(routes_in) {}

  ObservedExchange exchange;
  const Routes& routes;
  MonoTime started{};
  MonoTime endpoint_deadline{};  // for what we answer ourselves (http.endpointTimeoutSeconds)
  WallTime now{};
  std::string request_id;
  ClientFacts client;

  const App* app = nullptr;  // of the matched route
  OwnPlace own_place = OwnPlace::none;
  identity::Connector* connector = nullptr;  // of a callback
  SessionView session;

  // For the access log.
  std::string_view decision = "";
  std::string_view reason = "";
  std::string_view upstream = "";  // the app's
  std::string forwarded_to;

  const http::RequestHead& request() const { return exchange.request(); }
  const std::string& forwarded_by() const { return exchange.origin().forwarded_by; }
  bool is_safe_method() const { return request().method == "GET" || request().method == "HEAD"; }
  Claims claims() const { return Claims(session.identities()); }
};

}  // namespace kith::gateway
