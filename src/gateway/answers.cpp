#include "gateway/answers.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/html.h"
#include "base/json.h"
#include "base/text.h"
#include "cluster/forwarder.h"

namespace kith::gateway {

namespace {

// Whether an Accept header names the media type itself; "*/*" is what scripts send.
bool accepts(const http::RequestHead& request, std::string_view type) {
  for (const http::Header& header : request.headers) {
    if (!iequals(header.name, "Accept")) continue;
    for (std::string_view item : split(header.value, ',')) {
      if (iequals(trim(item.substr(0, item.find(';'))), type)) return true;
    }
  }
  return false;
}

void add_page_headers(http::Headers& headers) {
  headers.set("Cache-Control", "no-store");
  headers.set("X-Content-Type-Options", "nosniff");
  headers.set("Content-Security-Policy", identity::content_security_policy());
  headers.set("X-Frame-Options", "DENY");
  // same-origin, not no-referrer: the latter makes browsers send "Origin: null" with our own forms.
  headers.set("Referrer-Policy", "same-origin");
}

http::ResponseHead page_head(int status, Cookies cookies) {
  http::ResponseHead head;
  head.status = status;
  add_page_headers(head.headers);
  for (std::string& cookie : cookies) head.headers.add("Set-Cookie", std::move(cookie));
  return head;
}

}  // namespace

bool wants_html(const http::RequestHead& request) { return accepts(request, "text/html"); }

bool is_navigation(const http::RequestHead& request) {
  if (request.method != "GET" && request.method != "HEAD") return false;
  if (!request.upgrade.empty()) return false;
  std::string_view mode = request.headers.get("Sec-Fetch-Mode");
  return mode.empty() ? wants_html(request) : mode == "navigate";
}

runtime::Task<void> answer_error(RequestContext& context, int status, std::string_view detail,
                                 http::Headers extra) {
  http::ResponseHead head = page_head(status, {});
  for (const http::Header& header : extra) head.headers.add(header.name, header.value);
  std::string title(http::standard_reason(status));
  std::string body;
  std::string type;
  if (wants_html(context.request())) {
    body = identity::render_page(title, "<p>" + escape_html(detail) + "</p>\n<p><small>Request " +
                                            escape_html(context.request_id) + "</small></p>\n");
    type = "text/html; charset=utf-8";
  } else {
    json::object problem;
    problem["type"] = "about:blank";
    problem["title"] = title;
    problem["status"] = status;
    problem["detail"] = detail;
    problem["request_id"] = context.request_id;
    body = json::serialize(problem);
    type = "application/problem+json";
  }
  // A client that is gone is no failure of ours; the access log shows what was sent.
  (void)co_await context.exchange.respond(std::move(head), std::move(body), std::move(type));
}

bool is_out_of_hand(const RequestContext& context, const Error& failure) {
  return cluster::may_have_acted(failure) && !context.is_safe_method();
}

runtime::Task<void> answer_out_of_hand(RequestContext& context, const Error& failure,
                                       std::string_view detail) {
  const bool late = failure.code() == Code::timeout;
  context.reason = late ? "forward timeout" : "forward lost";
  return answer_error(context, late ? 504 : 502, detail);
}

runtime::Task<void> answer_page(RequestContext& context, int status, std::string html, Cookies cookies,
                                std::string policy) {
  http::ResponseHead head = page_head(status, std::move(cookies));
  head.headers.set("Content-Security-Policy", std::move(policy));
  std::string type = "text/html; charset=utf-8";
  (void)co_await context.exchange.respond(std::move(head), std::move(html), std::move(type));
}

runtime::Task<void> answer_redirect(RequestContext& context, int status, std::string location,
                                    Cookies cookies) {
  http::ResponseHead head = page_head(status, std::move(cookies));
  head.headers.add("Location", std::move(location));
  std::string body;
  std::string type;
  (void)co_await context.exchange.respond(std::move(head), std::move(body), std::move(type));
}

}  // namespace kith::gateway
