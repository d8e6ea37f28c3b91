// Logging in through a connector: the way out (a redirect, with the transaction in a cookie) and the
// way back (a callback, which makes the session).
#pragma once

#include "gateway/answers.h"
#include "gateway/transaction.h"
#include "runtime/scope.h"

namespace kith::gateway {

class LoginFlow {
 public:
  static constexpr size_t kMaxFormBytes = 64 << 10;

  // All outlive it.
  LoginFlow(const Routes& routes, runtime::Ports& ports, runtime::Scope& scope, SessionManager& sessions,
            std::shared_ptr<const cluster::CookieKeys> cookie_keys, Counters& counters, Log log);

  // Answers a request that needs a login: a browser's navigation goes to the connector, the rest gets 401.
  runtime::Task<void> begin(RequestContext& context, identity::Connector& connector);
  // Answers a request at one of the connector's login callbacks.
  runtime::Task<void> callback(RequestContext& context, identity::Connector& connector);

 private:
  runtime::Task<Result<identity::Callback>> read_callback(RequestContext& context);
  runtime::Task<void> finish(RequestContext& context, const Transaction& transaction,
                             identity::Identity identity);
  runtime::Task<void> fail(RequestContext& context, const Error& error);

  const Routes& routes_;
  runtime::Ports& ports_;
  runtime::Scope& scope_;
  SessionManager& sessions_;
  Transactions transactions_;
  Counters& counters_;
  Log log_;
};

}  // namespace kith::gateway
