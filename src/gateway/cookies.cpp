#include "gateway/cookies.h"

#include "base/text.h"

namespace kith::gateway {

namespace {

std::string pair(std::string_view name, std::string_view value) {
  return std::string(name).append("=").append(value);
}

}  // namespace

std::string CookieJar::session_attributes() const {
  std::string text = "; Path=/";
  if (!config_.domain.empty()) text += "; Domain=" + config_.domain;
  if (!config_.disable_secure) text += "; Secure";
  if (!config_.disable_http_only) text += "; HttpOnly";
  switch (config_.same_site) {
    case CookieConfig::SameSite::lax: return text + "; SameSite=Lax";
    case CookieConfig::SameSite::strict: return text + "; SameSite=Strict";
    case CookieConfig::SameSite::none: return text + "; SameSite=None";
  }
  return text + "; SameSite=Lax";
}

std::string CookieJar::short_attributes() const {
  return config_.disable_secure ? "; Path=/; HttpOnly; SameSite=Lax"
                                : "; Path=/; Secure; HttpOnly; SameSite=Lax";
}

std::string CookieJar::set_session(std::string_view value) const {
  return pair(name_, value) + session_attributes();
}

std::string CookieJar::expire_session() const {
  return pair(name_, "") + "; Max-Age=0" + session_attributes();
}

std::string CookieJar::set_short(std::string_view name, std::string_view value, Duration lifetime) const {
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(lifetime).count();
  return pair(name, value) + "; Max-Age=" + std::to_string(seconds) + short_attributes();
}

std::string CookieJar::expire_short(std::string_view name) const {
  return pair(name, "") + "; Max-Age=0" + short_attributes();
}

bool CookieJar::is_ours(std::string_view cookie) const {
  if (cookie == name_) return true;
  if (!cookie.starts_with(short_name_)) return false;
  std::string_view rest = cookie.substr(short_name_.size());
  return rest.starts_with("txn_") || rest == "logout";
}

std::vector<std::string> cookie_names(const http::Headers& headers, size_t max) {
  std::vector<std::string> names;
  for (const http::Header& header : headers) {
    if (!iequals(header.name, "Cookie")) continue;
    for (std::string_view item : split(header.value, ';')) {
      if (names.size() == max) return names;
      std::string_view name = trim(item.substr(0, item.find('=')));
      if (!name.empty()) names.emplace_back(name);
    }
  }
  return names;
}

}  // namespace kith::gateway
