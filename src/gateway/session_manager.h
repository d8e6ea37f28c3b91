// From cookie to session and back. Pairs the browser's random id with the store's record, which knows
// only the id's hash; a session gets a new id at each login and is never changed in place.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "cluster/session_store.h"
#include "gateway/config.h"
#include "gateway/counters.h"
#include "gateway/position_token.h"
#include "gateway/routes.h"
#include "gateway/sealer.h"
#include "gateway/session_memo.h"
#include "gateway/session_reference.h"
#include "identity/connector.h"

namespace kith::gateway {

struct SessionView {
  std::shared_ptr<KnownSession> known;  // of a genuine cookie, whatever the store says of it; null: none
  bool live = false;
  WallTime expires{};
  std::shared_ptr<const Identities> holds;  // when live

  const Identities& identities() const {
    static const Identities nobody;
    return holds ? *holds : nobody;
  }
};

// While it is there, its session's end is told; see SessionManager::watch.
struct SessionWatch {
  cluster::SessionWatches::Watch revoked;
  runtime::Timer expired;
};

class SessionManager {
 public:
  using FindNode = std::function<std::optional<NodeId>(const NodePrefix&)>;

  // How long a write may wait for its acknowledgement level before it counts as not at level.
  static constexpr Duration kWriteTimeout = 2s;

  SessionManager(const Routes& routes, runtime::Ports& ports, cluster::SessionStore& store,
                 std::shared_ptr<const cluster::CookieKeys> cookie_keys, FindNode find_node,
                 Counters& counters, Log log);

  // The cookie of the request, verified; anonymous when there is none, or several, or a changed one.
  SessionView recognise(const http::Headers& headers);
  // Whether this node's answer about the session is as new as what the browser has seen. Also true for
  // one that has ended here, which nothing newer can undo.
  bool is_current(const SessionView& view, WallTime now);
  // The position in the cookie. The origin's full id when it is known, else one that nobody has.
  Dot position(const SessionView& view) const;
  runtime::Task<cluster::CatchUp> catch_up(const SessionView& view, Duration wait, bool pull,
                                           MonoTime deadline);
  // Fills in what the store knows now (an expired session is none), and notes the activity.
  void load(SessionView& view, WallTime now);

  // A new session for the identity. Identities of other connectors are taken over from `old`, which
  // ends. Returns the Set-Cookie value. Fails as SessionStore::create does, or with limit.
  runtime::Task<Result<std::string>> create(const SessionView& old, identity::Identity identity,
                                            WallTime now);
  // The Set-Cookie value that signs a live session's cookie with the present key; nullopt when it is so
  // signed already. Keys rotate: a cookie follows them, so that it outlives any number of rotations.
  std::optional<std::string> renewed_cookie(const SessionView& view) const;
  // Ends the session everywhere. True also when it was not known here.
  runtime::Task<Result<void>> revoke(const SessionView& view, cluster::EndReason reason, WallTime now);

  // Calls on_end later, on this loop and at most once, when the live session is revoked or reaches
  // its absolute expiry.
  [[nodiscard]] SessionWatch watch(const SessionView& view, std::function<void()> on_end);

 private:

  const Routes& routes_;
  runtime::Ports& ports_;
  cluster::SessionStore& store_;
  PurposeKeys mac_keys_;
  SessionReferences references_;
  FindNode find_node_;
  Counters& counters_;
  Log log_;
  SessionMemo memo_;
};

}  // namespace kith::gateway
