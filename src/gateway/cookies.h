// The cookies we set: the session's, with the attributes of the configuration, and short-lived ones
// (login transactions, logout progress) that never leave this host.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/config.h"
#include "http/message.h"

namespace kith::gateway {

class CookieJar {
 public:
  explicit CookieJar(const CookieConfig& config)
      : config_(config),
        name_(config.effective_name()),
        short_name_(config.disable_secure ? "kith_" : "__Host-kith_") {}

  const std::string& session_name() const { return name_; }
  std::string transaction_prefix() const { return short_name_ + "txn_"; }
  std::string logout_name() const { return short_name_ + "logout"; }

  // Values of Set-Cookie headers.
  std::string set_session(std::string_view value) const;
  std::string expire_session() const;
  // Host-only, HttpOnly, SameSite=Lax: it comes along when a provider sends the browser back.
  std::string set_short(std::string_view name, std::string_view value, Duration lifetime) const;
  std::string expire_short(std::string_view name) const;

  // Whether a cookie of this name is ours: never sent upstream, never taken from there.
  bool is_ours(std::string_view cookie) const;

 private:
  std::string short_attributes() const;
  std::string session_attributes() const;

  CookieConfig config_;
  std::string name_;
  // Of the short-lived ones. They are of this host alone, so the session cookie's name and domain do not
  // keep them from the prefix by which a browser refuses those that a sibling domain plants.
  std::string short_name_;
};

// The names of all cookies in a request, as sent, at most `max`.
std::vector<std::string> cookie_names(const http::Headers& headers, size_t max = 200);

}  // namespace kith::gateway
