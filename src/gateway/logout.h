// Single logout: the browser visits each identity provider of the session in turn, the session ends on
// every node, and the user sees that it did. The session is revoked no later than on the way to the
// last provider, so a provider that does not send the browser back cannot keep it alive.
//
// Logging somebody out from another site must not work: a POST, or a GET, goes on at once only with
// evidence that it comes from here (Sec-Fetch-Site, else Origin); any other gets a page to confirm. The
// way back from a provider needs a cookie that was made for this very session.
#pragma once

#include "gateway/answers.h"
#include "gateway/sealer.h"
#include "runtime/scope.h"

namespace kith::gateway {

class LogoutFlow {
 public:
  static constexpr Duration kLifetime = 10min;

  // All outlive it.
  LogoutFlow(const Routes& routes, runtime::Ports& ports, runtime::Scope& scope, SessionManager& sessions,
             const std::vector<std::unique_ptr<identity::Connector>>& connectors,
             std::shared_ptr<const cluster::CookieKeys> cookie_keys, Log log);

  // Answers a request for the logout URL.
  runtime::Task<void> begin(RequestContext& context);
  // Answers a browser that a provider sent back.
  runtime::Task<void> callback(RequestContext& context);

 private:
  struct Progress {
    std::string state;
    std::string session;  // its key in hex; "" = there was none
    WallTime created;
    std::vector<std::string> visited;  // connectors
  };
  std::optional<Progress> read_progress(const RequestContext& context) const;
  std::string write_progress(const Progress& progress);
  runtime::Task<void> advance(RequestContext& context, Progress progress);
  runtime::Task<bool> end_session(RequestContext& context);
  runtime::Task<void> finish(RequestContext& context);
  runtime::Task<std::optional<std::string>> provider_url(RequestContext& context,
                                                         const identity::Identity& identity,
                                                         std::string state);

  const Routes& routes_;
  runtime::Ports& ports_;
  runtime::Scope& scope_;
  SessionManager& sessions_;
  const std::vector<std::unique_ptr<identity::Connector>>& connectors_;
  Sealer sealer_;
  Log log_;
};

// Whether the request shows that one of our own pages, or the user's own hand, made it.
bool is_from_here(const http::RequestHead& request, const ClientFacts& client);

}  // namespace kith::gateway
