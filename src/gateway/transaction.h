// A login under way. It lives sealed in a cookie of the browser that began it, one cookie per login,
// so that several tabs can log in at once and any node can finish what another began.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/cookies.h"
#include "gateway/sealer.h"
#include "identity/connector.h"

namespace kith::gateway {

struct Transaction {
  std::string connector;
  std::string state;          // random, base64url; names it
  std::string return_target;  // safe_return_target()
  identity::Private remembered;
  WallTime created;
};

class Transactions {
 public:
  static constexpr Duration kLifetime = 10min;
  static constexpr size_t kMaxOpen = 8;  // per browser; the oldest gives way
  static constexpr size_t kStateBytes = 24;

  Transactions(const CookieJar& cookies, std::shared_ptr<const cluster::CookieKeys> cookie_keys,
               runtime::Entropy& entropy)
      : cookies_(cookies), sealer_(std::move(cookie_keys), "kith transaction cookie 1", entropy), entropy_(entropy) {}

  std::string new_state();
  // The Set-Cookie values that begin it and end those that give way. limit when it does not fit.
  Result<std::vector<std::string>> begin(const http::Headers& request, const Transaction& transaction);
  // The open transaction of that state; not_found when this browser has none, or it is too old.
  Result<Transaction> find(const http::Headers& request, std::string_view state, WallTime now) const;
  // The Set-Cookie value that ends it.
  std::string end(const Transaction& transaction) const;

 private:
  std::string cookie_name(std::string_view state) const;
  std::optional<Transaction> open(const http::Headers& request, const std::string& name) const;

  const CookieJar& cookies_;
  Sealer sealer_;
  runtime::Entropy& entropy_;
};

}  // namespace kith::gateway
