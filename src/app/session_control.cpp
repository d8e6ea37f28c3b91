#include "app/session_control.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "base/text.h"
#include "gateway/session_body.h"
#include "gateway/session_reference.h"
#include "runtime/sync.h"

namespace kith::app {
namespace {

constexpr size_t kShown = 100, kMaxShown = 10'000;
constexpr Duration kConfirmation = 5s;  // for all members to have it

constexpr size_t kAtOnce = 100;  // sessions that are read before other work of the loop goes on
// Longer than any session that is not known here lives on beyond what this node allows.
constexpr auto kMarkMargin = std::chrono::hours(24);

std::string_view reason_of(const cluster::SessionLookup& ended) {
  if (ended.expired) return "expired";
  switch (ended.reason) {
    case cluster::EndReason::logout: return "logout";
    case cluster::EndReason::replaced: return "replaced";
    case cluster::EndReason::administrator: return "administrator";
    case cluster::EndReason::unknown: break;
  }
  return "other";
}

// One user as one connector knows them.
using Person = std::pair<std::string, std::string>;

bool is_named(const identity::Identity& who, std::string_view user) {
  if (who.subject == user) return true;
  for (const char* name : {"preferred_username", "email"}) {
    auto claim = who.claims.find(name);
    if (claim == who.claims.end()) continue;
    const auto& values = claim->second.values;
    if (std::find(values.begin(), values.end(), user) != values.end()) return true;
  }
  return false;
}

struct Filter {
  std::string user, connector;  // "": any

  bool is_any() const { return user.empty() && connector.empty(); }
  bool takes(const identity::Identity& who) const {
    return (connector.empty() || who.connector == connector) && (user.empty() || is_named(who, user));
  }
  bool takes(const std::vector<identity::Identity>& all) const {
    return std::any_of(all.begin(), all.end(), [&](const identity::Identity& who) { return takes(who); });
  }
};

json::object row_of(const std::string& reference, const cluster::SessionLookup& view,
                    const std::vector<identity::Identity>& identities) {
  json::array users;
  for (const identity::Identity& who : identities)
    users.push_back(json::object{{"connector", who.connector}, {"user", who.subject}});
  return {{"ref", reference},
          {"users", std::move(users)},
          {"created", format_rfc3339(view.record->created)},
          {"last_seen", format_rfc3339(view.record->last_seen)},
          {"expires", format_rfc3339(view.record->expires)}};
}

json::object details_of(const identity::Identity& who) {
  json::array claims;
  for (const auto& [name, claim] : who.claims) claims.push_back(json::value(name));
  return {{"connector", who.connector},
          {"user", who.subject},
          {"issuer", who.issuer},
          {"acr", who.acr},
          {"authenticated", format_rfc3339(who.authenticated)},
          {"claims", std::move(claims)}};
}

class Sessions {
 public:
  explicit Sessions(SessionControl control)
      : control_(std::move(control)), references_(control_.cookie_keys) {}

  runtime::Task<ControlReply> list(ControlRequest request) {
    const Filter filter{std::string(request.get("user")), std::string(request.get("connector"))};
    size_t limit = kShown;
    if (std::string_view wanted = request.get("limit"); !wanted.empty()) {
      const auto number = parse_u64(wanted);
      if (!number || *number == 0 || *number > kMaxShown)
        co_return control_failure(400, "limit: a number from 1 to " + std::to_string(kMaxShown));
      limit = static_cast<size_t>(*number);
    }
    json::array rows;
    uint64_t live = 0, matched = 0;
    auto visit = [&](const cluster::SessionListing& each) {
      if (each.view.state != cluster::SessionState::live) return Walk::on;
      ++live;
      if (filter.is_any() && rows.size() == limit) return Walk::on;  // to count it is enough
      auto identities = gateway::decode_session_body(each.view.record->body);
      if (!identities || !filter.takes(*identities)) return Walk::on;
      ++matched;
      if (rows.size() < limit) rows.push_back(row_of(references_.of(each.key), each.view, *identities));
      return Walk::on;
    };
    co_await walk(visit);
    if (filter.is_any()) matched = live;
    co_return ControlReply{200, {{"sessions", std::move(rows)}, {"matched", matched}, {"live", live}}};
  }

  runtime::Task<ControlReply> show(ControlRequest request) {
    const auto found = co_await find(std::move(request.argument));
    if (!found) co_return control_failure(404, "no session has this reference here");
    const bool live = found->view.state == cluster::SessionState::live;
    json::object body{{"ref", references_.of(found->key)}, {"state", live ? "live" : "ended"}};
    if (live) {
      auto identities = gateway::decode_session_body(found->view.record->body);
      if (!identities) co_return control_failure(500, identities.error().message());
      body = row_of(references_.of(found->key), found->view, *identities);
      body["state"] = "live";
      json::array details;
      for (const identity::Identity& who : *identities) details.push_back(details_of(who));
      body["identities"] = std::move(details);
    } else {
      body["reason"] = reason_of(found->view);
    }
    co_return ControlReply{200, std::move(body)};
  }

  runtime::Task<ControlReply> end_one(ControlRequest request) {
    const auto found = co_await find(std::move(request.argument));
    if (!found) co_return control_failure(404, "no session has this reference here");
    if (found->view.state != cluster::SessionState::live)
      co_return control_failure(409, "it has ended already: " + std::string(reason_of(found->view)));
    auto written = co_await control_.store.revoke(
        control_.loop, found->key, cluster::EndReason::administrator, found->view.record->expires,
        cluster::AckLevel::all, control_.loop.now() + kConfirmation);
    if (!written) co_return control_failure(503, written.error().message());
    control_.log.info("session ended by an administrator", {{"session_ref", references_.of(found->key)}});
    co_return ended(1, {}, {*written});
  }

  // Of one user, however many and wherever; or of everybody.
  runtime::Task<ControlReply> end_many(ControlRequest request) {
    const Filter filter{std::string(request.get("user")), std::string(request.get("connector"))};
    const bool all = request.get("everybody") == "true";
    if (all == !filter.user.empty() || (all && !filter.connector.empty()))
      co_return control_failure(400, "give one of user (with or without connector) and everybody=true");
    WallTime keep_until = control_.loop.wall_now() + control_.longest;
    uint64_t live = 0;
    std::set<Person> people;
    auto visit = [&](const cluster::SessionListing& each) {
      if (each.view.state != cluster::SessionState::live) return Walk::on;
      keep_until = std::max(keep_until, each.view.record->expires);  // another node may allow more
      if (all) {
        ++live;
        return Walk::on;
      }
      auto identities = gateway::decode_session_body(each.view.record->body);
      if (!identities || !filter.takes(*identities)) return Walk::on;
      ++live;
      for (const identity::Identity& who : *identities)
        if (filter.takes(who)) people.emplace(who.connector, who.subject);
      return Walk::on;
    };
    co_await walk(visit);
    const auto& known = control_.connectors;
    const bool is_known = std::find(known.begin(), known.end(), filter.connector) != known.end();
    if (!filter.connector.empty() && !is_known && people.empty())
      co_return control_failure(404, "there is no connector " + filter.connector);
    // Also those that are not known here: by the name they were asked for, which then is their subject.
    if (!all && !filter.connector.empty()) people.emplace(filter.connector, filter.user);
    if (!all && filter.connector.empty())
      for (const std::string& connector : known) people.emplace(connector, filter.user);
    co_return co_await mark(all, people, live, keep_until + kMarkMargin);
  }

 private:
  runtime::Task<ControlReply> mark(bool all, std::set<Person> people, uint64_t live, WallTime keep_until) {
    std::vector<store::Key> scopes;
    for (const auto& [connector, subject] : people) {
      scopes.push_back(gateway::scope_of(connector, subject));
      control_.log.info("sessions of a user ended by an administrator",
                        {{"connector", connector}, {"user_id", subject}});
    }
    if (all) {
      scopes.push_back(store::everybody());
      control_.log.warn("all sessions ended by an administrator", {{"sessions", live}});
    }
    std::vector<cluster::SessionWrite> writes;
    const MonoTime deadline = control_.loop.now() + kConfirmation;
    for (const store::Key& scope : scopes) {
      // When the last is everywhere the others seldom are not: without() looks at each.
      const auto level = scope == scopes.back() ? cluster::AckLevel::all : cluster::AckLevel::local;
      auto written = co_await control_.store.mark(control_.loop, scope, keep_until, level, deadline);
      if (!written) co_return control_failure(503, written.error().message());
      writes.push_back(*written);
    }
    co_return ended(live, people, writes);
  }

  enum class Walk { on, enough };

  // Past every session that is known here, ended ones among them; other work of the loop goes on meanwhile.
  runtime::Task<void> walk(std::function<Walk(cluster::SessionListing&)> visit) {
    size_t seen = 0;
    for (size_t part = 0; part < cluster::SessionStore::kParts; ++part) {
      std::vector<cluster::SessionListing> here = control_.store.list(part, control_.loop.wall_now());
      for (cluster::SessionListing& each : here) {
        if (++seen % kAtOnce == 0) co_await runtime::sleep(control_.loop, 0ns);
        if (visit(each) == Walk::enough) co_return;
      }
    }
  }

  runtime::Task<std::optional<cluster::SessionListing>> find(std::string reference) {
    std::optional<cluster::SessionListing> found;
    auto visit = [&](cluster::SessionListing& each) {
      const bool known = each.view.state != cluster::SessionState::unknown;
      if (!known || !references_.is_of(reference, each.key)) return Walk::on;
      found = std::move(each);
      return Walk::enough;
    };
    co_await walk(visit);
    co_return found;
  }

  ControlReply ended(uint64_t live, const std::set<Person>& people,
                     const std::vector<cluster::SessionWrite>& writes) const {
    json::array users, waiting;
    for (const auto& [connector, subject] : people)
      users.push_back(json::object{{"connector", connector}, {"user", subject}});
    for (const std::string& name : without(writes)) waiting.push_back(json::value(name));
    const bool confirmed = waiting.empty() && !writes.empty() && writes.back().at_level;
    return {200,
            {{"ended", live},
             {"users", std::move(users)},
             {"confirmed", confirmed},
             {"waiting_for", std::move(waiting)}}};
  }

  // The members that are not known to have all these writes, those without a link among them.
  std::vector<std::string> without(const std::vector<cluster::SessionWrite>& writes) const {
    std::vector<std::string> names;
    if (control_.cluster == nullptr) return names;
    for (const membership::Member& member : control_.cluster->membership().members()) {
      const bool has = std::all_of(writes.begin(), writes.end(), [&](const cluster::SessionWrite& written) {
        const std::vector<NodeId> holders = control_.cluster->replication().holders(written.position);
        return std::find(holders.begin(), holders.end(), member.record.id) != holders.end();
      });
      if (!member.self && !has) names.push_back(member.record.name);
    }
    return names;
  }

  SessionControl control_;
  gateway::SessionReferences references_;
};

}  // namespace

void serve_sessions(ControlServer& server, SessionControl control) {
  auto sessions = std::make_shared<Sessions>(std::move(control));
  auto serve = [&](const char* what, runtime::Task<ControlReply> (Sessions::*action)(ControlRequest)) {
    server.on(what, [sessions, action](ControlRequest request) {
      return ((*sessions).*action)(std::move(request));
    });
  };
  serve("GET /v1/sessions", &Sessions::list);
  serve("DELETE /v1/sessions", &Sessions::end_many);
  serve("GET /v1/sessions/", &Sessions::show);
  serve("DELETE /v1/sessions/", &Sessions::end_one);
}

}  // namespace kith::app
