#include "gateway/upstream.h"

#include "gateway/headers.h"
#include "http/relay.h"

namespace kith::gateway {

namespace {

constexpr std::string_view kSessionEnded = "session ended";

// Ends a relay from outside, both its sides; either may end it, and with it all that is referred to
// here, within the call.
struct Cut {
  http::ClientResponse& response;
  http::Exchange& exchange;
  bool over = false;  // the relay has ended
  bool made = false;

  void make() {
    if (over) return;
    made = true;
    response.abort();
    if (!over) exchange.abort();
  }
};

// Nothing is left to come but what is here already.
bool is_all_here(http::ClientResponse& response) {
  const auto& length = response.head().content_length;
  return response.body().complete() || (length && response.body().here().size() >= *length);
}

}  // namespace

Result<http::ClientRequest> Upstream::make_request(RequestContext& context) const {
  const http::RequestHead& from = context.request();
  const AppConfig& app = context.app->config;
  http::ClientRequest request;
  request.url.scheme = app.upstream.scheme;
  request.url.host = app.upstream.host;
  request.url.port = app.upstream.port;
  request.url.target = from.target;
  // The upstream's base path, then the path that was judged.
  request.url.target.path.insert(0, context.app->upstream_prefix);
  request.host_header = app.preserve_host ? from.host : context.app->upstream_host;
  if (!app.tls.empty()) {
    auto profile = tls_ ? tls_->find(app.tls) : TlsContexts::const_iterator();
    // Never in its place the system's authorities: the profile may have been there to trust fewer.
    if (!tls_ || profile == tls_->end())
      return Error(Code::internal, "no TLS profile " + app.tls, Side::config);
    request.tls = profile->second;
  }
  request.head.method = from.method;
  request.head.content_length = from.content_length;
  request.head.chunked = from.chunked;
  if (from.upgrade == "websocket") request.head.upgrade = from.upgrade;
  UpstreamFacts facts{.client = context.client,
                      .request_id = context.request_id,
                      .node_name = node_name_,
                      .forwarded_by = context.forwarded_by()};
  request.head.headers = upstream_headers(from, context.routes.injected, context.routes.cookies, facts);
  inject_headers(request.head.headers, app.headers, context.claims());
  if (from.has_body()) request.body = &context.exchange.body();
  return request;
}

runtime::Task<void> Upstream::run(RequestContext& context) {
  context.upstream = context.app->upstream_origin;
  if (context.request().method == "TRACE") {  // would show the client what we inject
    co_await answer_error(context, 405, "TRACE is not served.");
    co_return;
  }
  auto request = make_request(context);
  if (!request) {
    log_.error("upstream request not made",
               {{"request_id", context.request_id}, {"error", request.error().message()}});
    co_await answer_error(context, 502, "The application cannot be reached.");
    co_return;
  }
  auto sent = co_await client_.send(std::move(*request));
  if (!sent) {
    const Error& error = sent.error();
    context.reason = "upstream failed";
    log_.warn("upstream failed", {{"request_id", context.request_id},
                                  {"upstream", context.upstream},
                                  {"error_code", to_string(error.code())},
                                  {"error", error.message()}});
    if (error.side() == Side::client) {
      context.exchange.abort();  // its own request body broke off: there is nobody to answer
    } else if (error.code() == Code::timeout) {
      co_await answer_error(context, 504, "The application did not answer in time.");
    } else {
      co_await answer_error(context, 502, "The application cannot be reached.");
    }
    co_return;
  }
  std::unique_ptr<http::ClientResponse> response = std::move(*sent);
  if (response->head().status == 101) {
    co_await relay_upgraded(context, *response);
  } else {
    co_await relay(context, *response);
  }
}

runtime::Task<void> Upstream::relay(RequestContext& context, http::ClientResponse& response) {
  http::ResponseHead head;
  head.status = response.head().status;
  head.headers = client_headers(response.head().headers, context.routes.cookies);
  head.content_length = response.head().content_length;
  std::shared_ptr<Cut> cut;
  std::optional<SessionWatch> watch;
  if (context.session.live && !is_all_here(response)) {
    cut = std::make_shared<Cut>(Cut{response, context.exchange});
    watch.emplace(sessions_.watch(context.session, [cut] { cut->make(); }));
  }
  auto relayed = co_await context.exchange.start(std::move(head));
  if (relayed) relayed = co_await http::relay_body(response.body(), context.exchange);
  if (cut) cut->over = true;
  if (relayed) co_return;
  // Whoever broke off, the client has to see that the response is not whole.
  bool by_upstream = relayed.error().side() == Side::upstream;
  context.reason = cut && cut->made ? kSessionEnded : by_upstream ? "upstream broke off" : "client went away";
  log_.info(context.reason, {{"request_id", context.request_id}, {"error", relayed.error().message()}});
  response.abort();
  context.exchange.abort();
}

runtime::Task<void> Upstream::relay_upgraded(RequestContext& context, http::ClientResponse& response) {
  if (context.request().upgrade != "websocket") {  // nobody asked for it
    response.abort();
    co_await answer_error(context, 502, "The application answered out of turn.");
    co_return;
  }
  http::ResponseHead head;
  head.status = 101;
  head.headers = client_headers(response.head().headers, context.routes.cookies);
  std::unique_ptr<runtime::Stream> upstream = response.take_upgraded();
  auto client = co_await context.exchange.upgrade(std::move(head));
  if (!client) co_return;
  std::unique_ptr<runtime::Stream> browser = std::move(*client);
  std::optional<SessionWatch> watch;
  if (context.session.live) {
    watch.emplace(sessions_.watch(context.session, [&context, &browser] {
      context.reason = kSessionEnded;
      browser->close();
    }));
  }
  co_await http::relay_duplex(ports_.loop, *browser, *upstream, kUpgradedIdle);
}

}  // namespace kith::gateway
