// `session:`, `singleLogout:` and `health:`.

#include <algorithm>

#include "app/keys.h"
#include "base/text.h"

namespace kith::app {

namespace {

using gateway::CookieConfig;
using gateway::HealthConfig;
using gateway::SessionConfig;
using gateway::SingleLogoutConfig;

// RFC 6265 section 4.1.1: a cookie's name is a token (RFC 9110 section 5.6.2).
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

Codec<std::string> cookie_name() {
  return leaf<std::string>(
      {Shape::Kind::text, "a cookie name (a token of at most 64 characters)"},
      [](const std::string& value) -> Result<std::string> {
        if (!is_token(value) || value.size() > 64) return plain_mismatch();
        return value;
      },
      [](const std::string& value) { return json::value(value); });
}

// A leading dot is customary and means nothing (RFC 6265 section 5.2.3).
Codec<std::string> cookie_domain() {
  return leaf<std::string>(
      {Shape::Kind::text, "a domain such as .example.test"},
      [](const std::string& value) -> Result<std::string> {
        std::string_view domain = value;
        if (domain.starts_with('.')) domain.remove_prefix(1);
        if (domain.size() > 253 || IpAddress::parse(domain)) return plain_mismatch();
        for (std::string_view label : split(domain, '.')) {
          bool good = !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
                      std::all_of(label.begin(), label.end(), [](char c) {
                        return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-';
                      });
          if (!good) return plain_mismatch();
        }
        return lower(value);
      },
      [](const std::string& value) { return json::value(value); });
}

Keys<CookieConfig> cookie_keys() {
  using SameSite = CookieConfig::SameSite;
  auto name =
      key("name", &CookieConfig::name, cookie_name(),
          "name of the session cookie; by default __Host-kith_session, and kith_session with a domain "
          "or without Secure");
  name.show = [](const CookieConfig& value) { return json::value(value.effective_name()); };
  return {
      std::move(name),
      key("domain", &CookieConfig::domain, cookie_domain(),
          "send the cookie to all hosts of this domain; by default to the one host only"),
      key("disableHTTPOnly", &CookieConfig::disable_http_only, flag(),
          "let scripts of pages read the cookie"),
      key("disableSecure", &CookieConfig::disable_secure, flag(), "send the cookie over plain HTTP too"),
      key("sameSite", &CookieConfig::same_site,
          choice<SameSite>({{"Lax", SameSite::lax}, {"Strict", SameSite::strict}, {"None", SameSite::none}}),
          "whether other sites' requests carry the cookie; None needs Secure"),
  };
}

}  // namespace

Keys<SessionConfig> session_keys() {
  using Store = SessionConfig::Store;
  using Ack = cluster::AckLevel;
  Keys<SessionConfig> lifetime = {
      key("maxTimeout", &SessionConfig::max_timeout, duration(1s),
          "how long after the login a session ends in any case"),
      key("idleTimeout", &SessionConfig::idle_timeout, duration(),
          "how long without a request a session lives; 0 = off"),
      unsupported<SessionConfig>("evalMaxLifetimeSE", "service extensions"),
      unsupported<SessionConfig>("evalIdleTimeoutSE", "service extensions"),
  };
  Keys<SessionConfig> store = {
      key("type", &SessionConfig::store,
          choice<Store>({{"local", Store::local}, {"cluster", Store::cluster}}),
          "where sessions are: in this node alone, or on every node of a cluster"),
      group<SessionConfig>("local", "the local store",
                           {key("capacity", &SessionConfig::local_capacity, number<size_t>(1, 10'000'000),
                                "sessions; beyond, the one used longest ago is dropped")}),
      group<SessionConfig>(
          "cluster", "the replicated store",
          {key("name", &SessionConfig::cluster, name("the name of a cluster"), "a defined cluster's name"),
           key("ack", &SessionConfig::ack,
               choice<Ack>(
                   {{"local", Ack::local},
                    {"journal", Ack::journal},
                    {"fsync", Ack::fsync},
                    {"one", Ack::one},
                    {"zone", Ack::zone},
                    {"all", Ack::all}}),
               "what has to hold a login before the browser is answered: this node, its journal, its disk, one "
               "other node, one in another zone or region, or all")}),
  };
  return {
      group<SessionConfig>("cookie", "the session cookie", of(&SessionConfig::cookie, cookie_keys())),
      group<SessionConfig>("lifetime", "when sessions end", std::move(lifetime)),
      group<SessionConfig>("store", "where sessions are kept", std::move(store)),
      key("maxLifetimeSeconds", &SessionConfig::max_timeout, seconds(315'360'000),
          "lifetime.maxTimeout in seconds")
          .old_spelling(),
      key("idleTimeoutSeconds", &SessionConfig::idle_timeout, seconds(315'360'000),
          "lifetime.idleTimeout in seconds")
          .old_spelling(),
      of(&SessionConfig::cookie,
         Keys<CookieConfig>{
             key("cookieDomain", &CookieConfig::domain, cookie_domain(), "cookie.domain").old_spelling()})[0],
  };
}

Keys<SingleLogoutConfig> single_logout_keys() {
  return {
      key("logoutURL", &SingleLogoutConfig::logout_url, url(),
          "URL of this gateway at which logging out begins"),
      group<SingleLogoutConfig>("postLogout", "after the last provider",
                                {key("redirectURL", &SingleLogoutConfig::post_logout_redirect_url, url(),
                                     "where the browser goes then; without it a plain page says so"),
                                 unsupported<SingleLogoutConfig>("postLogoutSE", "service extensions")}),
      key("postLogoutRedirectURL", &SingleLogoutConfig::post_logout_redirect_url, url(),
          "postLogout.redirectURL")
          .old_spelling(),
      unsupported<SingleLogoutConfig>("postLogoutSE", "service extensions"),
  };
}

Keys<HealthConfig> health_keys() {
  return {
      key("location", &HealthConfig::location, local_path(), "path at which the status is served"),
      group<HealthConfig>(
          "heartbeat", "a log line that says this node is alive",
          {inverted("disabled", &HealthConfig::heartbeat, "no heartbeat"),
           key("interval", &HealthConfig::heartbeat_interval, duration(1s), "time between two lines"),
           key("logLevel", &HealthConfig::heartbeat_level,
               level({{"info", Level::info}, {"debug", Level::debug}}), "the level of the line")}),
  };
}

}  // namespace kith::app
