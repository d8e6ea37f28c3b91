// A connector proves who somebody is, through an identity provider or by itself. It holds no session
// and no cookie: the gateway keeps the transaction between the start of a login and its return (sealed,
// in a cookie of the browser that began it), and makes the session from the identity that comes out.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "http/client.h"
#include "http/message.h"
#include "identity/claim.h"
#include "runtime/ports.h"

namespace kith::identity {

struct Identity {
  std::string connector;  // name of the connector that proved it
  std::string issuer;
  std::string subject;     // never empty
  std::string sid;         // the provider's session id, or ""
  WallTime authenticated;  // auth_time when the provider says it, else now
  ClaimMap claims;
  std::string id_token;  // kept for the logout hint; "" when there is none
  std::string acr;
};

// What a connector wants back at the callback: nonce, verifier, redirect URI ... It travels sealed.
using Private = std::map<std::string, std::string>;

struct LoginStart {
  std::string redirect;  // absolute URL, or a local path for a built-in page
  Private remember;
};

// The callback as the gateway received it; parameters are already strictly decoded, no duplicates.
struct Callback {
  std::string method;  // GET or POST
  std::string path;
  std::map<std::string, std::string> params;  // of the query (GET) or the form (POST)
  IpAddress client{};                         // who sent it, as far as trusted proxies tell
};

struct Page {
  int status = 200;
  std::string html;  // served with no-store, nosniff and a strict CSP (no script)
};

using LoginResult = std::variant<Identity, Page>;

class Connector {
 public:
  virtual ~Connector() = default;
  virtual const std::string& name() const = 0;

  // Paths (host + path; host "" = any) at which callbacks arrive; the gateway routes them to this
  // connector before any app. The parameter "state" names the transaction.
  struct Place {
    std::string host;
    std::string path;
  };
  virtual std::vector<Place> login_callbacks() const = 0;
  virtual std::vector<Place> logout_callbacks() const = 0;

  // Begins a login. `state` is the transaction's random name, to be sent along and returned;
  // `origin` is scheme://authority of the request (to choose among redirect URLs).
  virtual runtime::Task<Result<LoginStart>> start_login(std::string state, std::string origin) = 0;
  // Completes it. Failures: denied (the provider said no), protocol or invalid (a bad answer, side
  // upstream or client), unavailable. A Page keeps the transaction open.
  virtual runtime::Task<Result<LoginResult>> finish_login(Callback callback, Private remembered) = 0;

  // Where to send the browser so that the provider's session ends too; nullopt when there is no such
  // place. `state` comes back to a logout callback.
  virtual runtime::Task<std::optional<std::string>> start_logout(const Identity& identity, std::string state,
                                                                 std::string origin) = 0;
};

}  // namespace kith::identity
