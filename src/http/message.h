// HTTP message heads as values (RFC 9110, RFC 9112), parsed once, strictly, and re-serialised from
// these fields whenever they are sent on.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/net.h"
#include "base/result.h"
#include "http/headers.h"

namespace kith::http {

// The request target after strict parsing (RFC 9112 section 3.2, origin-form; '*' and CONNECT are
// refused). The path is canonical: one percent-decoding pass was done to check it; dot segments,
// encoded slashes, backslashes, control characters, ';', bytes that are not UTF-8, and text that
// would decode a second time are refused; runs of slashes are one; what may stand in a path (pchar)
// stands decoded, others are encoded in upper case. What policy judged is what is sent upstream.
struct Target {
  std::string path = "/";  // canonical, still percent-encoded where needed
  std::string query;       // without '?', as received (validated characters)
  bool has_query = false;
  std::string text() const { return has_query ? path + "?" + query : path; }
};
Result<Target> parse_target(std::string_view text);

struct RequestHead {
  std::string method = "GET";
  Target target;
  int minor_version = 1;  // HTTP/1.x
  Headers headers;        // as received, but for Content-Length and Transfer-Encoding
  std::string host;       // from Host (or absolute-form): name in lower case, maybe ":port"
  bool keep_alive = true;
  bool expects_continue = false;
  std::string upgrade;  // protocol name in lower case when an upgrade is asked, e.g. "websocket"
  std::optional<uint64_t> content_length;  // none and not chunked: no body
  bool chunked = false;
  bool has_body() const { return chunked || (content_length && *content_length > 0); }
};

struct ResponseHead {
  int status = 200;
  std::string reason;  // empty: the standard phrase
  Headers headers;
  int minor_version = 1;
  bool keep_alive = true;
  std::optional<uint64_t>
      content_length;  // none and not chunked: until close (client side), or chunked (server side)
  bool chunked = false;
};

std::string_view standard_reason(int status);

// Cookies of a request: the value of the one named cookie. Duplicates of the name: nullopt with
// duplicate = true, since we cannot know which one is ours.
struct CookieLookup {
  std::optional<std::string_view> value;  // a view into the headers
  bool duplicate = false;
};
CookieLookup find_cookie(const Headers& headers, std::string_view name);
// The Cookie header(s) without the cookies to drop, by name; removes the header when nothing is left.
void strip_cookies(Headers& headers, const std::function<bool(std::string_view)>& drop);

// application/x-www-form-urlencoded and query strings: strict decoding; a duplicate name is an error
// (parameter pollution).
Result<std::vector<std::pair<std::string, std::string>>> parse_form(std::string_view text,
                                                                    size_t max_pairs = 100);
std::string encode_component(std::string_view text);  // all but unreserved characters as %XX
Result<std::string> decode_component(std::string_view text, bool plus_is_space = false);

// scheme://host[:port]/path?query, no user info, no fragment.
struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; IPv6 without brackets
  uint16_t port = 0;   // always filled in
  Target target;
  std::string authority() const;  // host, with the port when it is not the scheme's own, IPv6 in brackets
  std::string origin() const { return scheme + "://" + authority(); }
  std::string text() const { return origin() + target.text(); }
};
Result<Url> parse_url(std::string_view text);

}  // namespace kith::http
