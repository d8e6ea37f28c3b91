// `apps:`.

#include <algorithm>

#include "app/keys.h"
#include "base/text.h"
#include "gateway/headers.h"
#include "gateway/pattern.h"

namespace kith::app {

namespace {

using gateway::AppConfig;
using gateway::Condition;
using gateway::HeaderConfig;
using gateway::PolicyConfig;
using gateway::Rule;
using gateway::Template;

constexpr size_t kMaxRegex = 1000;

bool is_host(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  for (std::string_view label : split(host, '.')) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    bool good = std::all_of(label.begin(), label.end(), [](char c) {
      return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '_';
    });
    if (!good) return false;
  }
  return true;
}

bool is_host_with_port(std::string_view text) {
  size_t colon = text.find(':');
  if (colon == std::string_view::npos) return is_host(text);
  auto port = parse_u64(text.substr(colon + 1));
  return is_host(text.substr(0, colon)) && port && *port > 0 && *port <= 65535;
}

bool is_canonical_path(std::string_view path) {
  auto target = http::parse_target(path);
  return target && !target->has_query && target->path == path;
}

// Host names compare without case, so the host is kept in lower case.
Codec<std::string> route_pattern() {
  return leaf<std::string>(
      {Shape::Kind::text, "a path, a host or both: /, app.example.test, app.example.test/x"},
      [](const std::string& value) -> Result<std::string> {
        size_t slash = value.find('/');
        std::string host = lower(value.substr(0, slash));
        std::string path = slash == std::string::npos ? "" : value.substr(slash);
        if (value.find('*') != std::string::npos) {
          return Error(Code::invalid, "patterns are prefixes, without wildcards", Side::config);
        }
        if (value.find("://") != std::string::npos) {
          return Error(Code::invalid, "a host stands without its scheme", Side::config);
        }
        if (!host.empty() && !is_host_with_port(host)) return plain_mismatch();
        if (value.empty() || (!path.empty() && !is_canonical_path(path))) return plain_mismatch();
        return host + path;
      },
      [](const std::string& value) { return json::value(value); });
}

Codec<http::Url> upstream() {
  return leaf<http::Url>(
      {Shape::Kind::text, "the URL of a server such as http://10.0.0.5:8080"},
      [](const std::string& value) -> Result<http::Url> {
        auto parsed = http::parse_url(value);
        if (!parsed) return plain_mismatch();
        if (parsed->target.has_query) return Error(Code::invalid, "without a query", Side::config);
        return std::move(*parsed);
      },
      [](const http::Url& value) { return value.host.empty() ? json::value() : json::value(value.text()); });
}

// A prefix, or "~ " and a regular expression.
Codec<std::string> location() {
  return leaf<std::string>(
      {Shape::Kind::text, "a path such as /admin, or \"~ \" and a regular expression"},
      [](const std::string& value) -> Result<std::string> {
        if (!value.starts_with("~")) {
          if (!is_canonical_path(value)) return plain_mismatch();
          return value;
        }
        if (!value.starts_with("~ ") || value.size() == 2) return plain_mismatch();
        if (value.size() > kMaxRegex) return Error(Code::limit, "longer than 1000 bytes", Side::config);
        KITH_TRY_VOID(gateway::Pattern::compile(std::string_view(value).substr(2)));
        return value;
      },
      [](const std::string& value) { return json::value(value); });
}

Codec<std::string> header_name() {
  return leaf<std::string>(
      {Shape::Kind::text, "the name of a header that may be set, such as X-User"},
      [](const std::string& value) -> Result<std::string> {
        if (value.empty() || value.size() > 100) return plain_mismatch();
        if (!gateway::is_injectable(value)) {
          return Error(Code::invalid,
                       "not a name of letters, digits, '-' and '_', or one that kith sets itself",
                       Side::config);
        }
        return value;
      },
      [](const std::string& value) { return json::value(value); });
}

// One operator with its two operands.
Key<Condition> operator_key(std::string name, Condition::Op op, std::string doc) {
  auto operands = list(template_text(), "a list of two texts");
  return {Property{std::move(name), std::move(doc), operands.shape},
          [operands, op](Reader& reader, const Node& node, Condition& out) {
            if (node.kind != Node::Kind::list || node.items.size() != 2) {
              return reader.mismatch(node, "a list of two texts",
                                     std::to_string(node.items.size()) + " given");
            }
            std::vector<Template> both;
            operands.read(reader, node, both);
            out = {op, std::move(both[0]), std::move(both[1])};
          },
          [operands, op](const Condition& value) -> std::optional<json::value> {
            if (value.op != op) return std::nullopt;
            return operands.show({value.left, value.right});
          }};
}

Key<Rule> join_key(std::string name, Rule::Join join, std::string doc) {
  using Op = Condition::Op;
  auto conditions = list(
      one_of<Condition>(
          {operator_key("equals", Op::equals, "both are the same; a list: one of its values is the other"),
           operator_key("notEquals", Op::not_equals, "they differ; a list: none of its values is the other"),
           operator_key("contains", Op::contains, "the list has the value, whole; the text has the piece"),
           operator_key("notContains", Op::not_contains,
                        "the list has not the value; the text has not the piece")},
          "one of equals, notEquals, contains and notContains"),
      "a list of operators");
  return {Property{std::move(name), std::move(doc), conditions.shape},
          [conditions, join](Reader& reader, const Node& node, Rule& out) {
            // An empty "and" would be true.
            if (node.kind == Node::Kind::null || (node.kind == Node::Kind::list && node.items.empty())) {
              return reader.mismatch(node, "at least one operator");
            }
            out.join = join;
            conditions.read(reader, node, out.conditions);
          },
          [conditions, join](const Rule& value) -> std::optional<json::value> {
            if (value.join != join) return std::nullopt;
            return conditions.show(value.conditions);
          }};
}

Keys<PolicyConfig> policy_keys() {
  using Join = Rule::Join;
  auto rule = one_of<Rule>({join_key("and", Join::all, "all operators have to hold"),
                            join_key("or", Join::any, "one operator has to hold")},
                           "one of and, or");
  return {
      key("location", &PolicyConfig::location, location(),
          "paths it is for: a prefix, on segment borders, or \"~ \" and a regular expression over the whole "
          "path (over its end, when it cannot begin with a slash). The first regular expression that "
          "matches decides, then the longest prefix")
          .required(),
      key("failClosed", &PolicyConfig::fail_closed, flag(),
          "answer 503 while this node has not heard from a majority of the cluster for failover.freshness: "
          "it may not "
          "know of a logout"),
      group<PolicyConfig>(
          "authentication", "who has to log in",
          {key("idps", &PolicyConfig::idps,
               list(name("the name of a connector", false), "a list of connectors' names"),
               "connectors that may have proved who the user is; the first is used to log in"),
           key("allowUnauthenticated", &PolicyConfig::allow_unauthenticated, flag(), "let everybody in"),
           unsupported<PolicyConfig>("isAuthenticatedSE", "service extensions"),
           unsupported<PolicyConfig>("authenticateSE", "service extensions")}),
      group<PolicyConfig>("authorization", "who is let through; without allowAll and rules nobody is",
                          {key("allowAll", &PolicyConfig::allow_all, flag(), "everybody who got this far"),
                           key("rulesAggregationMethod", &PolicyConfig::aggregation,
                               choice<Join>({{"and", Join::all}, {"or", Join::any}}),
                               "whether all rules have to hold, or one"),
                           key("rules", &PolicyConfig::rules, list(std::move(rule), "a list of rules"),
                               "what has to be true of the user"),
                           unsupported<PolicyConfig>("isAuthorizedSE", "service extensions")}),
  };
}

Keys<AppConfig> proxy_keys() {
  Keys<HeaderConfig> header = {
      key("name", &HeaderConfig::name, header_name(),
          "what is sent; copies from the client are always removed")
          .required(),
      key("value", &HeaderConfig::value, template_text(), "text, with claims as \"{{ connector.claim }}\"")
          .required(),
      unsupported<HeaderConfig>("createHeaderSE", "service extensions"),
  };
  return {
      key("name", &AppConfig::name, text("a name for the application", 100), "what logs call it").required(),
      fixed_word<AppConfig>("type", "proxy", "an application behind this gateway").required(),
      key("routePatterns", &AppConfig::route_patterns, list(route_pattern(), "a list of patterns"),
          "requests it gets: a path prefix, a host (maybe with a port), or both; the most specific pattern "
          "wins")
          .required(),
      key("upstream", &AppConfig::upstream, upstream(), "where the application is").required(),
      key("preserveHost", &AppConfig::preserve_host, flag(),
          "send the client's Host instead of the upstream's"),
      key("tls", &AppConfig::tls, name("the name of a TLS profile"), "TLS profile for an https upstream"),
      key("headers", &AppConfig::headers, list(object<HeaderConfig>(std::move(header)), "a list of headers"),
          "headers set for the application"),
      key("policies", &AppConfig::policies, list(object<PolicyConfig>(policy_keys()), "a list of policies"),
          "who may do what; where none fits, everything is denied"),
      key("unauthorizedPage", &AppConfig::unauthorized_page, url(),
          "where a denied browser is sent; without it 403 is answered"),
      key("logoutPath", &AppConfig::logout_path, local_path(),
          "a path of the application that logs out here too"),
      unsupported<AppConfig>("errorPage", "error pages"),
      unsupported<AppConfig>("attrProviders", "attribute providers"),
      unsupported<AppConfig>("loadAttrsSE", "service extensions"),
      unsupported<AppConfig>("handleUnauthorizedSE", "service extensions"),
  };
}

}  // namespace

Codec<std::vector<AppConfig>> apps_codec() {
  return list(by_type<AppConfig>({{"proxy", object<AppConfig>(proxy_keys())}},
                                 {"oidc", "saml", "mcpProxy", "mcpBridge"},
                                 [](const AppConfig&) { return size_t{0}; }),
              "a list of applications");
}

}  // namespace kith::app
