#include "gateway/login.h"

#include "base/html.h"
#include "base/text.h"
#include "gateway/return_target.h"
#include "gateway/within.h"

namespace kith::gateway {

namespace {

// The body of a form post, as far as it is one and not too large.
runtime::Task<Result<std::string>> read_form(http::Exchange& exchange, size_t max) {
  const http::RequestHead& head = exchange.request();
  std::string_view type = head.headers.get("Content-Type");
  if (!iequals(trim(type.substr(0, type.find(';'))), "application/x-www-form-urlencoded")) {
    co_return Error(Code::invalid, "not a form", Side::client);
  }
  Error too_large(Code::limit, "form too large", Side::client);
  if (head.content_length.value_or(0) > max) co_return too_large;
  std::string text;
  std::array<uint8_t, 4096> buffer;
  while (head.has_body()) {
    auto got = co_await exchange.body().read(buffer);
    if (!got) co_return std::move(got).error();
    if (*got == 0) break;
    if (text.size() + *got > max) co_return too_large;
    text += as_text(ByteView(buffer).first(*got));
  }
  co_return text;
}

int status_of(const Error& error) {
  switch (error.code()) {
    case Code::denied:
    case Code::unauthenticated: return 403;
    case Code::timeout: return 504;
    case Code::limit: return error.side() == Side::client ? 413 : 503;
    case Code::unavailable:
    case Code::unreachable:
    case Code::refused: return 503;
    default: return error.side() == Side::client ? 400 : 502;
  }
}

// A page that goes on by itself: a redirect would still count as coming from the provider's site, and
// a SameSite=Strict cookie would not be sent with it.
std::string onward_page(const std::string& target) {
  std::string to = escape_html(target);
  return identity::render_page("Logged in", "<meta http-equiv=\"refresh\" content=\"0;url=" + to +
                                                "\">\n<p><a href=\"" + to + "\">Continue</a></p>\n");
}

}  // namespace

LoginFlow::LoginFlow(const Routes& routes, runtime::Ports& ports, runtime::Scope& scope,
                     SessionManager& sessions, std::shared_ptr<const cluster::CookieKeys> cookie_keys,
                     Counters& counters, Log log)
    : routes_(routes),
      ports_(ports),
      scope_(scope),
      sessions_(sessions),
      transactions_(routes.cookies, std::move(cookie_keys), ports.entropy),
      counters_(counters),
      log_(std::move(log)) {}

runtime::Task<void> LoginFlow::begin(RequestContext& context, identity::Connector& connector) {
  context.decision = "login";
  if (!is_navigation(context.request())) {
    http::Headers extra;
    extra.add("WWW-Authenticate", "Cookie realm=\"kith\"");
    co_await answer_error(context, 401, "Log in first.", std::move(extra));
    co_return;
  }
  Transaction transaction{.connector = connector.name(),
                          .state = transactions_.new_state(),
                          .return_target = safe_return_target(context.request().target.text()),
                          .remembered = {},
                          .created = context.now};
  auto starting = connector.start_login(transaction.state, context.client.origin());
  auto start = co_await within(ports_.loop, scope_, context.endpoint_deadline, std::move(starting));
  if (!start) {
    co_await fail(context, start.error());
    co_return;
  }
  transaction.remembered = std::move(start->remember);
  auto cookies = transactions_.begin(context.request().headers, transaction);
  if (!cookies) {
    co_await fail(context, cookies.error());
    co_return;
  }
  counters_.logins_started.add();
  co_await answer_redirect(context, 302, std::move(start->redirect), std::move(*cookies));
}

runtime::Task<Result<identity::Callback>> LoginFlow::read_callback(RequestContext& context) {
  const http::RequestHead& request = context.request();
  std::string text = request.target.query;
  if (request.method == "POST") {
    KITH_CO_TRY(text, co_await read_form(context.exchange, kMaxFormBytes));
  } else if (request.method != "GET") {
    co_return Error(Code::invalid, "method not served here", Side::client);
  }
  KITH_CO_TRY(auto pairs, http::parse_form(text));
  identity::Callback callback{
      .method = request.method, .path = request.target.path, .params = {}, .client = context.client.address};
  for (auto& [name, value] : pairs) callback.params.emplace(std::move(name), std::move(value));
  co_return callback;
}

runtime::Task<void> LoginFlow::callback(RequestContext& context, identity::Connector& connector) {
  context.decision = "login";
  auto callback = co_await read_callback(context);
  if (!callback) {
    co_await fail(context, callback.error());
    co_return;
  }
  auto state = callback->params.find("state");
  std::string_view name = state == callback->params.end() ? std::string_view() : state->second;
  auto transaction = transactions_.find(context.request().headers, name, context.now);
  if (!transaction || transaction->connector != connector.name()) {
    counters_.logins_failed.add();
    context.reason = "no such login";
    co_await answer_error(context, 400,
                          "This login has expired, or was begun in another browser. Go back to the "
                          "application and try again.");
    co_return;
  }
  auto finishing = connector.finish_login(std::move(*callback), transaction->remembered);
  auto result = co_await within(ports_.loop, scope_, context.endpoint_deadline, std::move(finishing));
  if (!result) {
    co_await fail(context, result.error());
  } else if (auto* page = std::get_if<identity::Page>(&*result)) {
    co_await answer_page(context, page->status, std::move(page->html));
  } else {
    identity::Identity identity = std::move(std::get<identity::Identity>(*result));
    identity.connector = connector.name();
    co_await finish(context, *transaction, std::move(identity));
  }
}

runtime::Task<void> LoginFlow::finish(RequestContext& context, const Transaction& transaction,
                                      identity::Identity identity) {
  auto cookie = co_await sessions_.create(context.session, std::move(identity), context.now);
  if (!cookie) {
    co_await fail(context, cookie.error());
    co_return;
  }
  context.reason = "logged in";
  Cookies cookies = {std::move(*cookie), transactions_.end(transaction)};
  // A logout that was under way was of another session.
  const std::string logout = routes_.cookies.logout_name();
  http::CookieLookup left = http::find_cookie(context.request().headers, logout);
  if (left.value || left.duplicate) cookies.push_back(routes_.cookies.expire_short(logout));
  std::string target = safe_return_target(transaction.return_target);
  if (routes_.config.session.cookie.same_site == CookieConfig::SameSite::strict) {
    std::string page = onward_page(target);
    co_await answer_page(context, 200, std::move(page), std::move(cookies));
  } else {
    co_await answer_redirect(context, 303, std::move(target), std::move(cookies));
  }
}

runtime::Task<void> LoginFlow::fail(RequestContext& context, const Error& error) {
  counters_.logins_failed.add();
  context.reason = "login failed";
  log_.warn("login failed", {{"request_id", context.request_id},
                             {"error_code", to_string(error.code())},
                             {"error", error.message()}});
  int status = status_of(error);
  http::Headers extra;
  if (status == 503) extra.add("Retry-After", "5");
  std::string_view detail = status == 403   ? "The identity provider did not confirm who you are."
                            : status == 400 ? "This answer of the login could not be read."
                                            : "Logging in does not work right now. Try again in a moment.";
  co_await answer_error(context, status, detail, std::move(extra));
}

}  // namespace kith::gateway
