#include "gateway/access_log.h"

#include "base/recycle.h"

namespace kith::gateway {

namespace {

constexpr size_t kMaxText = 512;  // of what a client chose

std::string_view cut(std::string_view text) { return text.substr(0, kMaxText); }

}  // namespace

void write_access_log(const Log& log, Level level, const RequestContext& context, const AccessFacts& facts) {
  if (!log.enabled(level)) return;
  const http::RequestHead& request = context.request();
  const std::string client = context.client.address.text();
  recycle::Vector<Field> fields;
  fields.reserve(20);
  auto add = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) fields.emplace_back(key, value);
  };
  add("request_id", context.request_id);
  add("client_ip", client);
  add("method", cut(request.method));
  add("host", cut(request.host));
  add("path", cut(request.target.path));
  if (context.app) add("route", context.app->config.name);
  // Unanswered: the server says 500, or there was nobody left to answer.
  fields.emplace_back("status", context.exchange.status() == 0 ? 500 : context.exchange.status());
  fields.emplace_back("duration_seconds",
                      std::chrono::duration<double>(facts.finished - context.started).count());
  fields.emplace_back("bytes_in", context.exchange.bytes_in());
  fields.emplace_back("bytes_out", context.exchange.bytes_out());
  add("upstream", context.upstream);
  add("served_by", context.forwarded_to.empty() ? facts.node_name : std::string_view(context.forwarded_to));
  add("forwarded_to", context.forwarded_to);
  add("forwarded_by", context.forwarded_by());
  if (context.session.live) {
    const Identities& identities = context.session.identities();
    if (!identities.empty()) add("user_id", cut(identities.front().subject));
    add("session_ref", context.session.known->reference());
  }
  add("decision", context.decision);
  add("reason", context.reason);
  log.write(level, "request", std::span<const Field>(fields));
}

}  // namespace kith::gateway
