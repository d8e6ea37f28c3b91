#include "http/message.h"

#include <algorithm>

#include "base/text.h"

namespace kith::http {
namespace {

// Calls visit(name, whole pair) for each cookie pair of a Cookie value (RFC 6265 section 4.2.1).
template <class Visit>
void each_cookie(std::string_view value, Visit visit) {
  while (!value.empty()) {
    size_t end = value.find(';');
    std::string_view pair = trim(value.substr(0, end));
    value = end == std::string_view::npos ? std::string_view() : value.substr(end + 1);
    if (!pair.empty()) visit(trim(pair.substr(0, pair.find('='))), pair);
  }
}

}  // namespace

std::string_view standard_reason(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

CookieLookup find_cookie(const Headers& headers, std::string_view name) {
  CookieLookup found;
  for (const Header& header : headers) {
    if (!header.is("cookie")) continue;
    each_cookie(header.value, [&](std::string_view its_name, std::string_view pair) {
      if (its_name != name) return;
      if (found.value) found.duplicate = true;
      size_t equals = pair.find('=');
      found.value = equals == std::string_view::npos ? "" : trim(pair.substr(equals + 1));
    });
  }
  if (found.duplicate) found.value.reset();
  return found;
}

void strip_cookies(Headers& headers, const std::function<bool(std::string_view)>& drop) {
  bool any = false;
  for (const Header& header : headers) {
    if (!header.is("cookie")) continue;
    each_cookie(header.value, [&](std::string_view name, std::string_view) { any = any || drop(name); });
  }
  if (!any) return;
  Headers kept_headers;
  kept_headers.reserve(headers.size(), headers.wire_size());
  for (const Header& header : headers) {
    if (!header.is("cookie")) {
      kept_headers.add(header);
      continue;
    }
    std::string kept;
    each_cookie(header.value, [&](std::string_view its_name, std::string_view pair) {
      if (drop(its_name)) return;
      if (!kept.empty()) kept += "; ";
      kept += pair;
    });
    if (!kept.empty()) kept_headers.add(header.name, kept);
  }
  headers = std::move(kept_headers);
}

}  // namespace kith::http
