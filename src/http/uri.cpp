// Targets, URLs and forms: parsed once, strictly, into the one form that policy judges and upstreams
// get. The danger is a path that two parsers read differently, so whatever a lenient server behind us
// might read as something else (dot segments, encoded slashes, ';', overlong UTF-8, a second decoding)
// is refused here. RFC 3986, RFC 9112 section 3.2, WHATWG URL section 5 (form decoding).
#include <algorithm>

#include "base/text.h"
#include "http/authority.h"
#include "http/chars.h"
#include "http/message.h"

namespace kith::http {
namespace {

constexpr char kHex[] = "0123456789ABCDEF";

Error bad(const char* why) { return Error(Code::invalid, why, Side::client); }

void append_percent(std::string& out, uint8_t byte) {
  out += '%';
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

// Well-formed UTF-8 (RFC 3629 section 4): no overlong forms, no surrogates.
bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    auto lead = static_cast<uint8_t>(text[i++]);
    if (lead < 0x80) continue;
    int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4) return false;
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    for (; more > 0; --more, low = 0x80, high = 0xbf) {
      if (i >= text.size()) return false;
      auto next = static_cast<uint8_t>(text[i++]);
      if (next < low || next > high) return false;
    }
  }
  return true;
}

bool is_dot_segment(std::string_view decoded, size_t start) {
  std::string_view segment = decoded.substr(start);
  return segment == "." || segment == "..";
}

bool decodes_again(std::string_view decoded) {
  for (size_t at = decoded.find('%'); at != std::string_view::npos; at = decoded.find('%', at + 1)) {
    if (chars::percent_byte(decoded, at) >= 0) return true;
  }
  return false;
}

// One pass: the canonical text and, beside it, the decoded one that the checks look at.
// Whether a path is canonical as it stands, which nearly all are: raw characters only, and no '/' or '.'
// after a '/'.
bool is_canonical(std::string_view path) {
  char before = 0;
  for (char c : path) {
    if (!chars::is(c, chars::kPathRaw) || (before == '/' && (c == '/' || c == '.'))) return false;
    before = c;
  }
  return true;
}

Result<std::string> canonical_path(std::string_view path) {
  if (is_canonical(path)) return std::string(path);
  std::string out;
  std::string decoded;
  out.reserve(path.size());
  decoded.reserve(path.size());
  size_t segment = 0;  // where the present segment starts in decoded
  for (size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '/') {
      if (is_dot_segment(decoded, segment)) return bad("dot segment in the path");
      if (!decoded.empty() && decoded.back() == '/') continue;
      out += c;
      decoded += c;
      segment = decoded.size();
      continue;
    }
    if (c == '%') {
      int byte = chars::percent_byte(path, i);
      if (byte < 0) return bad("malformed percent-encoding in the path");
      i += 2;
      c = static_cast<char>(byte);
      if (byte < 0x20 || byte == 0x7f) return bad("control character in the path");
      if (c == '/') return bad("encoded slash in the path");
    } else if (!chars::is(c, chars::kVisible) || c == '#' || c == '?') {
      return bad("forbidden character in the path");
    }
    if (c == '\\') return bad("backslash in the path");
    if (c == ';') return bad("path parameter");
    decoded += c;
    if (chars::is(c, chars::kPathRaw)) {
      out += c;
    } else {
      append_percent(out, static_cast<uint8_t>(c));
    }
  }
  if (is_dot_segment(decoded, segment)) return bad("dot segment in the path");
  if (!is_utf8(decoded)) return bad("the path is not UTF-8");
  if (decodes_again(decoded)) return bad("the path is encoded twice");
  return out;
}

}  // namespace

Result<Target> parse_target(std::string_view text) {
  if (!text.starts_with('/')) return bad("the target is not an absolute path");
  Target target;
  size_t question = text.find('?');
  KITH_TRY(target.path, canonical_path(text.substr(0, question)));
  if (question != std::string_view::npos) {
    std::string_view query = text.substr(question + 1);
    if (!query.empty() && !chars::all(query, chars::kVisible)) return bad("forbidden character in the query");
    if (query.find('#') != std::string_view::npos) return bad("fragment in the target");
    target.query = std::string(query);
    target.has_query = true;
  }
  return target;
}

Result<Authority> parse_authority(std::string_view text) {
  Authority out;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    size_t end = text.find(']');
    if (end == std::string_view::npos) return bad("malformed host");
    std::string_view literal = text.substr(1, end - 1);
    if (literal.find(':') == std::string_view::npos || !chars::all(literal, chars::kVisible))
      return bad("malformed host");
    auto address = IpAddress::parse(literal);
    if (!address) return bad("malformed host");
    out.host = lower(literal);
    std::string_view rest = text.substr(end + 1);
    has_port = !rest.empty();
    if (has_port && rest.front() != ':') return bad("malformed host");
    if (has_port) port = rest.substr(1);
  } else {
    size_t colon = text.find(':');
    has_port = colon != std::string_view::npos;
    std::string_view name = text.substr(0, colon);
    if (has_port) port = text.substr(colon + 1);
    if (name.ends_with('.')) name.remove_suffix(1);  // of the root: the same name
    if (name.ends_with('.')) return bad("malformed host");
    if (name.empty() || name.size() > 253 || !chars::all(name, chars::kName)) return bad("malformed host");
    out.host = lower(name);
  }
  if (has_port) {
    auto number = parse_u64(port);
    if (!number || port.size() > 5 || *number == 0 || *number > 65535) return bad("malformed port");
    out.port = static_cast<uint16_t>(*number);
  }
  return out;
}

std::string Authority::text() const {
  std::string out = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port) out += ":" + std::to_string(*port);
  return out;
}

std::string encode_component(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (chars::is(c, chars::kUnreserved)) {
      out += c;
    } else {
      append_percent(out, static_cast<uint8_t>(c));
    }
  }
  return out;
}

Result<std::string> decode_component(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      int byte = chars::percent_byte(text, i);
      if (byte < 0) return bad("malformed percent-encoding");
      if (byte == 0) return bad("NUL in encoded text");
      out += static_cast<char>(byte);
      i += 2;
    } else if (!chars::is(c, chars::kVisible)) {
      return bad("forbidden character in encoded text");
    } else {
      out += plus_is_space && c == '+' ? ' ' : c;
    }
  }
  return out;
}

Result<std::vector<std::pair<std::string, std::string>>> parse_form(std::string_view text, size_t max_pairs) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!text.empty()) {
    size_t end = text.find('&');
    std::string_view pair = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (pair.empty()) continue;
    if (pairs.size() >= max_pairs) return Error(Code::limit, "too many form fields", Side::client);
    size_t equals = pair.find('=');
    KITH_TRY(std::string name, decode_component(pair.substr(0, equals), true));
    std::string value;
    if (equals != std::string_view::npos) {
      KITH_TRY(value, decode_component(pair.substr(equals + 1), true));
    }
    if (name.empty()) return bad("form field without a name");
    if (std::any_of(pairs.begin(), pairs.end(), [&](const auto& one) { return one.first == name; }))
      return bad("repeated form field");
    pairs.emplace_back(std::move(name), std::move(value));
  }
  return pairs;
}

std::string Url::authority() const {
  Authority out{host, std::nullopt};
  if (port != (scheme == "https" ? 443 : 80)) out.port = port;
  return out.text();
}

Result<Url> parse_url(std::string_view text) {
  Url url;
  size_t colon = text.find("://");
  if (colon == std::string_view::npos) return bad("not an absolute URL");
  url.scheme = lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") return bad("the scheme is neither http nor https");
  std::string_view rest = text.substr(colon + 3);
  size_t end = rest.find_first_of("/?#\\");
  KITH_TRY(Authority authority, parse_authority(rest.substr(0, end)));
  url.host = std::move(authority.host);
  url.port = authority.port.value_or(url.scheme == "https" ? 443 : 80);
  if (end != std::string_view::npos) {
    std::string_view target = rest.substr(end);
    std::string with_slash = target.starts_with('?') ? "/" + std::string(target) : std::string(target);
    KITH_TRY(url.target, parse_target(with_slash));
  }
  return url;
}

}  // namespace kith::http
