#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "base/text.h"
#include "http/chars.h"
#include "http/codec.h"
#include "http/hop_headers.h"

namespace kith::http {
namespace {

constexpr size_t kFramingRoom = 256;  // start line, Date, Connection, framing

Error unsendable(std::string_view what) {
  return Error(Code::invalid, "cannot be sent: " + std::string(what));
}

// The caller has reserved the room.
void append_field(std::string& out, std::string_view name, std::string_view value) {
  const size_t at = out.size();
  out.resize(at + name.size() + value.size() + 4);
  char* to = out.data() + at;
  std::memcpy(to, name.data(), name.size());
  to += name.size();
  *to++ = ':';
  *to++ = ' ';
  if (!value.empty()) std::memcpy(to, value.data(), value.size());
  to += value.size();
  *to++ = '\r';
  *to = '\n';
}

// One header, checked: response splitting ends here, whatever the values were made from.
Result<void> append_checked(std::string& out, const Header& header) {
  if (!header.checked) {
    if (!chars::is_token(header.name)) return unsendable("a header name");
    if (!chars::all_value(header.value)) return unsendable("the value of " + std::string(header.name));
  }
  append_field(out, header.name, header.value);
  return {};
}

void append_length(std::string& out, uint64_t length) {
  append_field(out, "Content-Length", std::to_string(length));
}

}  // namespace

Result<void> encode_response(std::string& out, const ResponseHead& head, const ResponseWire& wire) {
  if (head.status < 100 || head.status > 599) return unsendable("a status");
  if (!chars::all_value(head.reason)) return unsendable("a reason");
  out.reserve(out.size() + head.headers.wire_size() + kFramingRoom);
  out.append("HTTP/1.1 ").append(std::to_string(head.status)).append(" ");
  out.append(head.reason.empty() ? standard_reason(head.status) : std::string_view(head.reason))
      .append("\r\n");
  const NameSet& hops = hop_headers();
  bool dated = false;
  for (const Header& header : head.headers) {
    if (hops.contains(header)) continue;
    if (header.is("date")) dated = true;
    KITH_TRY_VOID(append_checked(out, header));
  }
  if (!dated && !wire.date.empty()) append_field(out, "Date", wire.date);

  if (head.status == 101) {
    if (!chars::is_token(wire.upgrade)) return unsendable("an upgrade");
    append_field(out, "Connection", "Upgrade");
    append_field(out, "Upgrade", wire.upgrade);
  } else if (!wire.keep_alive) {
    append_field(out, "Connection", "close");
  } else if (wire.request_minor == 0) {
    append_field(out, "Connection", "keep-alive");
  }
  // Without a body a length is still told where it means the body of a GET (HEAD, 304); never with
  // 1xx and 204 (RFC 9110 section 8.6).
  if (wire.framing == Framing::chunked) {
    append_field(out, "Transfer-Encoding", "chunked");
  } else if (head.content_length && head.status >= 200 && head.status != 204) {
    append_length(out, *head.content_length);
  }
  out.append("\r\n");
  return {};
}

Result<void> encode_request(std::string& out, const RequestHead& head, const Target& target,
                            std::string_view host) {
  if (!chars::is_token(head.method)) return unsendable("a method");
  if (host.empty() || !chars::all(host, chars::kVisible)) return unsendable("a host");
  std::string text = target.text();
  if (!text.starts_with('/') || !chars::all(text, chars::kVisible)) return unsendable("a target");
  out.reserve(out.size() + text.size() + host.size() + head.headers.wire_size() + kFramingRoom);
  out.append(head.method).append(" ").append(text).append(" HTTP/1.1\r\n");
  append_field(out, "Host", host);
  const NameSet& hops = hop_headers();
  for (const Header& header : head.headers) {
    if (hops.contains(header) || header.is("host")) continue;
    KITH_TRY_VOID(append_checked(out, header));
  }
  if (!head.upgrade.empty()) {
    if (!chars::is_token(head.upgrade)) return unsendable("an upgrade");
    append_field(out, "Connection", "Upgrade");
    append_field(out, "Upgrade", head.upgrade);
  }
  if (head.chunked) {
    append_field(out, "Transfer-Encoding", "chunked");
  } else if (head.content_length) {
    append_length(out, *head.content_length);
  }
  out.append("\r\n");
  return {};
}

std::string format_http_date(WallTime time) {
  static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  auto seconds =
      static_cast<std::time_t>(std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count());
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                kDays[static_cast<size_t>(parts.tm_wday)], parts.tm_mday,
                kMonths[static_cast<size_t>(parts.tm_mon)], parts.tm_year + 1900, parts.tm_hour, parts.tm_min,
                parts.tm_sec);
  return buffer;
}

}  // namespace kith::http
