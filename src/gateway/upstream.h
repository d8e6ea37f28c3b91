// The last phase of a proxied request: to the app's upstream and back, streamed both ways. Server-sent
// events pass as they come; a WebSocket becomes two byte streams joined (RFC 6455 section 1.3). What is
// still open when its session ends is cut.
#pragma once

#include "gateway/answers.h"
#include "gateway/gateway.h"
#include "gateway/session_manager.h"

namespace kith::gateway {

class Upstream {
 public:
  // Neither side of an upgraded connection said anything for so long: it is given up.
  static constexpr Duration kUpgradedIdle = 1h;

  Upstream(runtime::Ports& ports, http::Client& client, SessionManager& sessions,
           std::shared_ptr<const TlsContexts> tls, std::string node_name, Log log)
      : ports_(ports),
        client_(client),
        sessions_(sessions),
        tls_(std::move(tls)),
        node_name_(std::move(node_name)),
        log_(std::move(log)) {}

  // Answers the request from context.app's upstream.
  runtime::Task<void> run(RequestContext& context);

 private:
  Result<http::ClientRequest> make_request(RequestContext& context) const;
  runtime::Task<void> relay(RequestContext& context, http::ClientResponse& response);
  runtime::Task<void> relay_upgraded(RequestContext& context, http::ClientResponse& response);

  runtime::Ports& ports_;
  http::Client& client_;
  SessionManager& sessions_;
  std::shared_ptr<const TlsContexts> tls_;
  std::string node_name_;
  Log log_;
};

}  // namespace kith::gateway
