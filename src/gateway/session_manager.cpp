#include "gateway/session_manager.h"

#include <algorithm>

#include "gateway/sealer.h"
#include "gateway/session_body.h"

namespace kith::gateway {

namespace {

// The new session's identities: those of `old` for other connectors, then the new one. When the same
// connector now says that it is somebody else, nothing of the former person stays.
std::vector<identity::Identity> merged(const SessionView& old, identity::Identity identity) {
  std::vector<identity::Identity> result;
  for (const identity::Identity& other : old.identities()) {
    if (other.connector == identity.connector) {
      if (other.subject == identity.subject && other.issuer == identity.issuer) continue;
      result.clear();
      break;
    }
    result.push_back(other);
  }
  result.push_back(std::move(identity));
  return result;
}

}  // namespace

SessionManager::SessionManager(const Routes& routes, runtime::Ports& ports, cluster::SessionStore& store,
                               std::shared_ptr<const cluster::CookieKeys> cookie_keys, FindNode find_node,
                               Counters& counters, Log log)
    : routes_(routes),
      ports_(ports),
      store_(store),
      mac_keys_(cookie_keys, "kith session cookie 1"),
      references_(cookie_keys),
      find_node_(std::move(find_node)),
      counters_(counters),
      log_(std::move(log)) {}

SessionView SessionManager::recognise(const http::Headers& headers) {
  SessionView view;
  http::CookieLookup found = http::find_cookie(headers, routes_.cookies.session_name());
  if (!found.value) return view;
  const auto& keys = mac_keys_.get();
  view.known = memo_.find(*found.value, mac_keys_.generation());
  if (view.known) return view;
  if (auto cookie = decode_session_cookie(*found.value, keys)) {
    view.known = std::make_shared<KnownSession>(*cookie, references_.of(session_key(cookie->id)));
    memo_.note(*found.value, view.known);
  }
  return view;
}

Dot SessionManager::position(const SessionView& view) const {
  const PositionToken& token = view.known->cookie().position;
  if (token.seq == 0) return {};
  Dot dot{.origin = {.node = {}, .incarnation = token.incarnation}, .seq = token.seq};
  std::optional<NodeId> known = find_node_ ? find_node_(token.origin) : std::nullopt;
  if (known) {
    dot.origin.node = *known;
  } else {
    std::copy(token.origin.bytes.begin(), token.origin.bytes.end(), dot.origin.node.bytes.begin());
  }
  return dot;
}

bool SessionManager::is_current(const SessionView& view, WallTime now) {
  if (view.known->covered()) return true;
  if (store_.covers(position(view))) {
    view.known->note_covered();
    return true;
  }
  return store_.get(view.known->key(), now).state == cluster::SessionState::ended;
}

runtime::Task<cluster::CatchUp> SessionManager::catch_up(const SessionView& view, Duration wait, bool pull,
                                                         MonoTime deadline) {
  cluster::SessionKey key = view.known->key();
  Dot dot = position(view);
  return store_.catch_up(ports_.loop, key, dot, wait, pull, deadline);
}

void SessionManager::load(SessionView& view, WallTime now) {
  cluster::SessionLookup found = store_.get(view.known->key(), now);
  if (found.state != cluster::SessionState::live || !found.record) {
    view.known->forget_identities();
    return;
  }
  auto identities = view.known->identities(found.record);
  if (!identities) {
    log_.warn("session record not readable",
              {{"session_ref", view.known->reference()}, {"error", identities.error().message()}});
    return;
  }
  view.live = true;
  view.expires = found.record->expires;
  view.holds = std::move(*identities);
  store_.touch(view.known->key(), now);
}

runtime::Task<Result<std::string>> SessionManager::create(const SessionView& old, identity::Identity identity,
                                                          WallTime now) {
  // It was loaded when the login came back, and may have been ended since: its identities are not to outlive
  // that.
  const bool still =
      old.live && store_.get(old.known->key(), ports_.loop.wall_now()).state == cluster::SessionState::live;
  const SessionView nobody;
  std::vector<identity::Identity> identities = merged(still ? old : nobody, std::move(identity));
  cluster::SessionRecord record;
  KITH_CO_TRY(record.body, encode_session_body(identities));
  record.created = now;
  record.last_seen = now;
  record.expires =
      now + std::chrono::duration_cast<std::chrono::milliseconds>(routes_.config.session.max_timeout);
  for (const identity::Identity& each : identities)
    record.scopes.push_back(scope_of(each.connector, each.subject));
  // An identity taken over does not live longer by another's login.
  if (identities.size() > 1) record.expires = std::min(record.expires, old.expires);

  SessionCookie cookie;
  ports_.entropy.fill(cookie.id.bytes);
  cluster::SessionKey key = session_key(cookie.id);
  MonoTime deadline = ports_.loop.now() + kWriteTimeout;
  auto written = co_await store_.create(ports_.loop, key, std::move(record), routes_.config.session.ack, deadline);
  if (!written) co_return std::move(written).error();
  counters_.sessions_created.add();
  if (!written->at_level) {
    counters_.sessions_not_at_level.add();
    log_.warn("session not acknowledged in time", {{"session_ref", references_.of(key)}});
  }
  if (old.known) {
    auto revoked = co_await revoke(old, cluster::EndReason::replaced, now);
    if (!revoked) {
      log_.warn("former session not revoked",
                {{"session_ref", old.known->reference()}, {"error", revoked.error().message()}});
    }
  }
  cookie.position = PositionToken::of(written->position);
  co_return routes_.cookies.set_session(encode_session_cookie(cookie, mac_keys_.get()));
}

std::optional<std::string> SessionManager::renewed_cookie(const SessionView& view) const {
  if (!view.live || !view.known->cookie().old_key) return std::nullopt;
  return routes_.cookies.set_session(encode_session_cookie(view.known->cookie(), mac_keys_.get()));
}

runtime::Task<Result<void>> SessionManager::revoke(const SessionView& view, cluster::EndReason reason,
                                                   WallTime now) {
  auto longest = std::chrono::duration_cast<std::chrono::milliseconds>(routes_.config.session.max_timeout);
  WallTime hint = view.live ? view.expires : now + longest;
  cluster::SessionKey key = view.known->key();
  MonoTime deadline = ports_.loop.now() + kWriteTimeout;
  auto written = co_await store_.revoke(ports_.loop, key, reason, hint, routes_.config.session.ack, deadline);
  if (!written) co_return std::move(written).error();
  counters_.sessions_revoked.add();
  if (!written->at_level)
    log_.warn("revocation not acknowledged in time", {{"session_ref", references_.of(key)}});
  co_return Result<void>();
}

SessionWatch SessionManager::watch(const SessionView& view, std::function<void()> on_end) {
  cluster::SessionWatches& watches = store_.watches();
  const cluster::SessionKey key = view.known->key();
  SessionWatch watch{.revoked = watches.add(ports_.loop, key, std::move(on_end)), .expired = nullptr};
  const WallTime now = ports_.loop.wall_now();
  // It may have ended since it was loaded.
  if (store_.get(key, now).state == cluster::SessionState::ended) watches.ended(key);
  watch.expired = ports_.loop.call_after(view.expires - now, [&watches, key] { watches.ended(key); });
  return watch;
}

}  // namespace kith::gateway
