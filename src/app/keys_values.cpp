// Values that several tables of keys use.

#include <algorithm>

#include "app/keys.h"
#include "base/text.h"

namespace kith::app {

namespace {

bool is_name_char(char c) {
  return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '_';
}

Result<gateway::Template> parse_template(const std::string& text) {
  gateway::Template out;
  std::string_view rest = text;
  auto literal = [&](std::string_view piece) {
    if (!piece.empty()) out.parts.push_back({false, std::string(piece)});
  };
  for (char c : text) {
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) {
      return Error(Code::invalid, "with control characters", Side::config);
    }
  }
  for (;;) {
    size_t begin = rest.find("{{");
    if (begin == std::string_view::npos) break;
    size_t end = rest.find("}}", begin);
    if (end == std::string_view::npos) return Error(Code::invalid, "\"{{\" without \"}}\"", Side::config);
    std::string_view claim = trim(rest.substr(begin + 2, end - begin - 2));
    size_t dot = claim.find('.');
    if (dot == std::string_view::npos || dot == 0 || dot + 1 == claim.size()) {
      return Error(Code::invalid, "a template is \"{{ connector.claim }}\"", Side::config);
    }
    literal(rest.substr(0, begin));
    out.parts.push_back({true, std::string(claim)});
    rest.remove_prefix(end + 2);
  }
  literal(rest);
  return out;
}

}  // namespace

Codec<std::string> name(std::string what, bool dots) {
  Shape shape{Shape::Kind::text,
              what + " (letters, digits, '-'" + (dots ? ", '_' and '.'" : " and '_'") + ", at most 64)"};
  return leaf<std::string>(
      shape,
      [dots](const std::string& value) -> Result<std::string> {
        bool good = !value.empty() && value.size() <= 64 &&
                    std::all_of(value.begin(), value.end(),
                                [dots](char c) { return is_name_char(c) || (dots && c == '.'); });
        if (!good) return plain_mismatch();
        return value;
      },
      [](const std::string& value) { return json::value(value); });
}

Codec<std::string> url() {
  return leaf<std::string>(
      {Shape::Kind::text, "an absolute URL such as https://apps.example.test/path"},
      [](const std::string& value) -> Result<std::string> {
        if (value.find("{{") != std::string::npos) {
          return Error(Code::invalid, "templates are not supported here", Side::config);
        }
        if (!http::parse_url(value)) return plain_mismatch();
        return value;
      },
      [](const std::string& value) { return json::value(value); });
}

Codec<std::string> local_path() {
  return leaf<std::string>(
      {Shape::Kind::text, "a path such as /status, without query and percent signs where none are needed"},
      [](const std::string& value) -> Result<std::string> {
        auto target = http::parse_target(value);
        if (!target || target->has_query || target->path != value) return plain_mismatch();
        return value;
      },
      [](const std::string& value) { return json::value(value); });
}

Codec<crypto::Secret> secret(std::string what) {
  Shape shape{Shape::Kind::text, std::move(what)};
  shape.secret = true;
  return leaf<crypto::Secret>(
      shape,
      [](const std::string& value) -> Result<crypto::Secret> {
        if (value.empty() || value.size() > kMaxSecretBytes) return plain_mismatch();
        return crypto::Secret(std::string_view(value));
      },
      [](const crypto::Secret& value) { return value.empty() ? json::value() : json::value(kMasked); });
}

Codec<Level> level(std::vector<std::pair<std::string, Level>> words) {
  return choice<Level>(std::move(words));
}

Codec<gateway::Template> template_text() {
  return leaf<gateway::Template>({Shape::Kind::text, "a text, with claims as \"{{ connector.claim }}\""},
                                 parse_template, [](const gateway::Template& value) {
                                   std::string out;
                                   for (const auto& part : value.parts) {
                                     out += part.is_claim ? "{{ " + part.text + " }}" : part.text;
                                   }
                                   return json::value(out);
                                 });
}

}  // namespace kith::app
