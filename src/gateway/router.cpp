#include "gateway/router.h"

#include <algorithm>

#include "base/text.h"
#include "http/message.h"

namespace kith::gateway {

bool path_under(std::string_view path, std::string_view prefix) {
  if (prefix == "/") return path.starts_with('/');
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

Result<std::string> clean_prefix(std::string_view text) {
  auto target = http::parse_target(text);
  if (!target || target->has_query || !text.starts_with('/') || text.find("//") != std::string_view::npos) {
    return Error(Code::invalid, "not an absolute path: " + printable(text), Side::config);
  }
  std::string path = std::move(target->path);
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string_view host_name(std::string_view host) {
  size_t bracket = host.rfind(']');
  size_t colon = host.rfind(':');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) return host;
  return host.substr(0, colon);
}

Result<void> Router::add(std::string_view pattern, size_t app) {
  size_t slash = pattern.find('/');
  std::string_view host_text = pattern.substr(0, slash);
  Entry entry{.host = lower(host_text), .path = "/", .app = app};
  for (char c : entry.host) {
    bool name = (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '.' || c == '_';
    if (!name && c != ':' && c != '[' && c != ']') {
      return Error(Code::invalid, "bad host in route pattern " + printable(pattern), Side::config);
    }
  }
  if (host_name(entry.host).ends_with('.')) {
    return Error(Code::invalid, "dot behind the host in route pattern " + printable(pattern), Side::config);
  }
  if (slash != std::string_view::npos) {
    KITH_TRY(entry.path, clean_prefix(pattern.substr(slash)));
  } else if (entry.host.empty()) {
    return Error(Code::invalid, "empty route pattern", Side::config);
  }

  auto same = [&](const Entry& other) { return other.host == entry.host && other.path == entry.path; };
  if (std::any_of(entries_.begin(), entries_.end(), same)) {
    return Error(Code::conflict, "route pattern " + printable(pattern) + " is there twice", Side::config);
  }
  auto before = [](const Entry& a, const Entry& b) {
    auto rank = [](const Entry& e) { return e.host.empty() ? 0 : host_name(e.host) == e.host ? 1 : 2; };
    if (rank(a) != rank(b)) return rank(a) > rank(b);
    return a.path.size() > b.path.size();
  };
  entries_.insert(std::upper_bound(entries_.begin(), entries_.end(), entry, before), entry);
  return {};
}

std::optional<size_t> Router::find(std::string_view host, std::string_view path) const {
  std::string_view name = host_name(host);
  for (const Entry& entry : entries_) {
    bool host_fits = entry.host.empty() || entry.host == host || entry.host == name;
    if (host_fits && path_under(path, entry.path)) return entry.app;
  }
  return std::nullopt;
}

}  // namespace kith::gateway
