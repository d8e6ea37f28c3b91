#include "gateway/logout.h"

#include <algorithm>

#include "base/codec.h"
#include "base/text.h"
#include "gateway/within.h"

namespace kith::gateway {

namespace {

constexpr size_t kStateBytes = 24;
constexpr size_t kMaxVisited = 16;
constexpr size_t kMaxName = 256;

// Holds what it passes by reference for as long as it runs, which may be longer than the request.
runtime::Task<Result<std::optional<std::string>>> ask_provider(identity::Connector& connector,
                                                               identity::Identity identity, std::string state,
                                                               std::string origin) {
  auto asking = connector.start_logout(identity, std::move(state), std::move(origin));
  co_return co_await std::move(asking);
}

}  // namespace

bool is_from_here(const http::RequestHead& request, const ClientFacts& client) {
  std::string_view site = request.headers.get("Sec-Fetch-Site");
  if (!site.empty()) return site == "same-origin" || site == "none";
  // An older browser, or none: a form of another site always carries an Origin (Fetch section 3.2).
  std::string_view origin = request.headers.get("Origin");
  return request.method == "POST" && (origin.empty() || origin == client.origin());
}

LogoutFlow::LogoutFlow(const Routes& routes, runtime::Ports& ports, runtime::Scope& scope,
                       SessionManager& sessions,
                       const std::vector<std::unique_ptr<identity::Connector>>& connectors,
                       std::shared_ptr<const cluster::CookieKeys> cookie_keys, Log log)
    : routes_(routes),
      ports_(ports),
      scope_(scope),
      sessions_(sessions),
      connectors_(connectors),
      sealer_(std::move(cookie_keys), "kith logout cookie 2", ports.entropy),
      log_(std::move(log)) {}

runtime::Task<void> LogoutFlow::begin(RequestContext& context) {
  context.decision = "logout";
  const std::string& method = context.request().method;
  if (method != "GET" && method != "HEAD" && method != "POST") {
    http::Headers extra;
    extra.add("Allow", "GET, HEAD, POST");
    co_await answer_error(context, 405, "Log out with GET or POST.", std::move(extra));
    co_return;
  }
  if (context.session.known && !is_from_here(context.request(), context.client)) {
    context.reason = "confirmation";
    // No action: the form posts to the page's own address. Its answer may lead to a provider.
    std::string page = identity::render_page(
        "Log out?", "<form method=\"post\"><button type=\"submit\">Log out everywhere</button></form>\n");
    Cookies none;
    std::string policy = identity::content_security_policy(false);
    co_await answer_page(context, 200, std::move(page), std::move(none), std::move(policy));
    co_return;
  }
  std::array<uint8_t, kStateBytes> random;
  ports_.entropy.fill(random);
  Progress progress{.state = base64url(random),
                    .session = context.session.known ? context.session.known->key().hex() : std::string(),
                    .created = context.now,
                    .visited = {}};
  co_await advance(context, std::move(progress));
}

runtime::Task<void> LogoutFlow::callback(RequestContext& context) {
  context.decision = "logout";
  auto progress = read_progress(context);
  auto params = http::parse_form(context.request().target.query);
  // Some providers do not send the state back; another's is not ours to act on.
  auto is_foreign = [&](const auto& pair) { return pair.first == "state" && pair.second != progress->state; };
  bool ours = progress && params && std::none_of(params->begin(), params->end(), is_foreign) &&
              (!context.session.known || progress->session == context.session.known->key().hex());
  if (ours) {
    co_await advance(context, std::move(*progress));
  } else if (context.session.live) {
    context.reason = "no such logout";
    co_await answer_error(context, 400, "This logout has expired. Log out again.");
  } else {
    co_await finish(context);
  }
}

runtime::Task<void> LogoutFlow::advance(RequestContext& context, Progress progress) {
  const Identities& identities = context.session.identities();
  auto is_visited = [&](const identity::Identity& identity) {
    return std::find(progress.visited.begin(), progress.visited.end(), identity.connector) !=
           progress.visited.end();
  };
  for (const identity::Identity& identity : identities) {
    if (is_visited(identity)) continue;
    progress.visited.push_back(identity.connector);
    auto url = co_await provider_url(context, identity, progress.state);
    if (!url) continue;
    Cookies cookies = {write_progress(progress)};
    if (std::all_of(identities.begin(), identities.end(), is_visited)) {
      bool ended = co_await end_session(context);
      if (!ended) co_return;
      cookies.push_back(routes_.cookies.expire_session());
    }
    co_await answer_redirect(context, 303, std::move(*url), std::move(cookies));
    co_return;
  }
  bool ended = co_await end_session(context);
  if (!ended) co_return;
  co_await finish(context);
}

runtime::Task<std::optional<std::string>> LogoutFlow::provider_url(RequestContext& context,
                                                                   const identity::Identity& identity,
                                                                   std::string state) {
  for (const auto& connector : connectors_) {
    if (connector->name() != identity.connector) continue;
    auto asking = ask_provider(*connector, identity, std::move(state), context.client.origin());
    auto url = co_await within(ports_.loop, scope_, context.endpoint_deadline, std::move(asking));
    if (url) co_return std::move(*url);
    log_.warn("provider logout skipped", {{"request_id", context.request_id},
                                          {"connector", identity.connector},
                                          {"error", url.error().message()}});
  }
  co_return std::nullopt;
}

// False when it could not be ended, which was answered.
runtime::Task<bool> LogoutFlow::end_session(RequestContext& context) {
  if (!context.session.known) co_return true;
  auto revoked = co_await sessions_.revoke(context.session, cluster::EndReason::logout, context.now);
  if (revoked) co_return true;
  log_.error("session not revoked",
             {{"request_id", context.request_id}, {"error", revoked.error().message()}});
  context.reason = "not revoked";
  http::Headers extra;
  extra.add("Retry-After", "1");
  co_await answer_error(context, 503, "You are NOT logged out: try again in a moment.", std::move(extra));
  co_return false;
}

runtime::Task<void> LogoutFlow::finish(RequestContext& context) {
  Cookies cookies = {routes_.cookies.expire_short(routes_.cookies.logout_name())};
  if (context.session.known) cookies.push_back(routes_.cookies.expire_session());
  const std::string& target = routes_.config.single_logout.post_logout_redirect_url;
  if (!target.empty()) {
    std::string location = target;
    co_await answer_redirect(context, 303, std::move(location), std::move(cookies));
    co_return;
  }
  std::string page = identity::message_page("Logged out", "You have been logged out.");
  co_await answer_page(context, 200, std::move(page), std::move(cookies));
}

std::string LogoutFlow::write_progress(const Progress& progress) {
  Bytes bytes;
  Writer writer(bytes);
  writer.string(progress.state);
  writer.string(progress.session);
  writer.u64(static_cast<uint64_t>(unix_ms(progress.created)));
  writer.varint(progress.visited.size());
  for (const std::string& name : progress.visited) writer.string(name);
  std::string cookie = routes_.cookies.logout_name();
  return routes_.cookies.set_short(cookie, sealer_.seal(bytes, cookie), kLifetime);
}

std::optional<LogoutFlow::Progress> LogoutFlow::read_progress(const RequestContext& context) const {
  std::string cookie = routes_.cookies.logout_name();
  http::CookieLookup found = http::find_cookie(context.request().headers, cookie);
  auto plain = found.value ? sealer_.open(*found.value, cookie) : std::nullopt;
  if (!plain) return std::nullopt;
  Reader reader(*plain);
  Progress progress;
  progress.state = reader.string(kMaxName);
  progress.session = reader.string(kMaxName);
  progress.created = from_unix_ms(static_cast<int64_t>(reader.u64()));
  uint64_t count = reader.varint();
  if (count > kMaxVisited) return std::nullopt;
  for (uint64_t i = 0; i < count && reader.ok(); ++i) progress.visited.push_back(reader.string(kMaxName));
  if (!reader.done() || context.now - progress.created > kLifetime) return std::nullopt;
  return progress;
}

}  // namespace kith::gateway
