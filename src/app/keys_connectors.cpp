// `connectors:`.

#include <algorithm>

#include "app/keys.h"
#include "base/text.h"
#include "crypto/password.h"
#include "gateway/session_body.h"

namespace kith::app {

namespace {

using identity::ConnectorConfig;
using identity::LocalConnectorConfig;
using identity::LocalUser;
using identity::OidcConnectorConfig;

Codec<std::string> scopes() {
  return leaf<std::string>(
      {Shape::Kind::text, "scopes with blanks between them, openid among them"},
      [](const std::string& value) -> Result<std::string> {
        auto words = split(value, ' ');
        if (value.size() > 1000 || std::find(words.begin(), words.end(), "openid") == words.end()) {
          return plain_mismatch();
        }
        bool good = std::all_of(value.begin(), value.end(), [](char c) {  // RFC 6749 section 3.3
          return c >= 0x20 && c <= 0x7e && c != '"' && c != '\\';
        });
        if (!good) return plain_mismatch();
        return value;
      },
      [](const std::string& value) { return json::value(value); });
}

// Asymmetric ones only (RFC 7518 section 3.1, RFC 8037): never "none", never a shared secret.
Codec<std::string> signing_algorithm() {
  std::vector<std::pair<std::string, std::string>> words;
  for (const char* one :
       {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}) {
    words.emplace_back(one, one);
  }
  return choice<std::string>(words);
}

// The parameters that carry the protocol's protection are ours alone.
Key<OidcConnectorConfig> extra_params_key() {
  static constexpr std::string_view kOurs[] = {
      "response_type", "client_id",     "redirect_uri",   "scope",
      "state",         "nonce",         "code_challenge", "code_challenge_method",
      "client_secret", "response_mode", "request",        "request_uri"};
  auto codec = map_of(text("a text", 1000), "a map of parameters");
  auto base = key("oauthExtraParams", &OidcConnectorConfig::extra_params, codec,
                  "further parameters of the authorization request");
  auto read = base.read;
  base.read = [read](Reader& reader, const Node& node, OidcConnectorConfig& out) {
    read(reader, node, out);
    for (const Entry& entry : node.entries) {
      if (std::find(std::begin(kOurs), std::end(kOurs), entry.key) == std::end(kOurs)) continue;
      Problem problem;
      problem.place = entry.place;
      problem.found = entry.key;
      problem.message = "the parameter \"" + entry.key + "\" is set by kith itself";
      reader.report(std::move(problem));
    }
  };
  return base;
}

// The old forms hold one URL where the new ones hold a list.
Key<OidcConnectorConfig> old_url_key(std::string name, std::vector<std::string> OidcConnectorConfig::*member,
                                     std::string doc) {
  auto codec = url();
  Key<OidcConnectorConfig> out{Property{std::move(name), std::move(doc), codec.shape},
                               [member, codec](Reader& reader, const Node& node, OidcConnectorConfig& value) {
                                 std::string one;
                                 codec.read(reader, node, one);
                                 if (!one.empty()) value.*member = {one};
                               },
                               [](const OidcConnectorConfig&) { return std::nullopt; }};
  return std::move(out).old_spelling();
}

Keys<OidcConnectorConfig> oidc_keys() {
  return {
      key("name", &OidcConnectorConfig::name, name("a name for the connector", false),
          "what policies and templates call it")
          .required(),
      fixed_word<OidcConnectorConfig>("type", "oidc", "an OpenID Connect provider").required(),
      key("oidcWellKnownURL", &OidcConnectorConfig::well_known_url, url(),
          "the provider's discovery document")
          .required(),
      key("oauthClientID", &OidcConnectorConfig::client_id, text("a client id", 500),
          "our name at the provider")
          .required(),
      key("oauthClientSecret", &OidcConnectorConfig::client_secret, secret("a client secret"),
          "our secret at the provider, better a secret reference; without it a public client"),
      group<OidcConnectorConfig>(
          "oauthLoginRedirect", "where logins come back",
          {key("urls", &OidcConnectorConfig::login_redirect_urls, list(url(), "a list of URLs"),
               "URLs of this gateway, as registered at the provider; the one of the "
               "request's host is used, else the first")}),
      group<OidcConnectorConfig>("oauthLogoutRedirect", "where logouts come back",
                                 {key("urls", &OidcConnectorConfig::logout_redirect_urls,
                                      list(url(), "a list of URLs"), "URLs of this gateway, as registered")}),
      key("scopes", &OidcConnectorConfig::scopes, scopes(), "what is asked of the provider"),
      key("disablePKCE", &OidcConnectorConfig::disable_pkce, flag(), "for providers that cannot do PKCE"),
      group<OidcConnectorConfig>("offlineAccess", "refresh tokens",
                                 {key("enabled", &OidcConnectorConfig::offline_access, flag(),
                                      "ask for a refresh token (scope offline_access)")}),
      extra_params_key(),
      key("idTokenSigningAlgs", &OidcConnectorConfig::signing_algorithms,
          list(signing_algorithm(), "a list of signature algorithms"),
          "what ID tokens may be signed with; without it RS, PS and ES 256, 384 and 512, and EdDSA"),
      key("tls", &OidcConnectorConfig::tls, name("the name of a TLS profile"),
          "TLS profile for calls to the provider; without it the system's authorities"),
      old_url_key("oauthRedirectURL", &OidcConnectorConfig::login_redirect_urls,
                  "oauthLoginRedirect.urls with one URL"),
      old_url_key("oidcLogoutCallbackURL", &OidcConnectorConfig::logout_redirect_urls,
                  "oauthLogoutRedirect.urls with one URL"),
      unsupported<OidcConnectorConfig>("healthCheck", "health checks of connectors"),
  };
}

Codec<std::string> password_hash() {
  Shape shape{Shape::Kind::text, "a password hash, as `kith hash-password` makes it"};
  shape.secret = true;
  return leaf<std::string>(
      shape,
      [](const std::string& value) -> Result<std::string> {
        if (!crypto::check_password_hash(value)) return plain_mismatch();
        return value;
      },
      [](const std::string&) { return json::value(kMasked); });
}

// One text, or a list of them, which stays a list even with one item: rules tell the two apart.
Codec<identity::Claim> claim_value() {
  auto one = text("a text", 1000);
  auto many = list(one, "a text or a list of texts", true);
  return {many.shape,
          [one, many](Reader& reader, const Node& node, identity::Claim& out) {
            bool is_list = node.kind == Node::Kind::list;
            if (is_list ? node.items.size() > gateway::kMaxClaimValues : node.kind != Node::Kind::scalar) {
              return reader.mismatch(node, many.shape.expected, is_list ? "more than 4096 of them" : "");
            }
            if (!is_list) return one.read(reader, node, out.values.emplace_back());
            out.list = true;
            many.read(reader, node, out.values);
          },
          [one, many](const identity::Claim& value) {
            return value.list || value.values.empty() ? many.show(value.values) : one.show(value.values[0]);
          }};
}

Keys<LocalConnectorConfig> local_keys() {
  Keys<LocalUser> user = {
      key("username", &LocalUser::username, text("a user name", 200), "what the user types").required(),
      key("passwordHash", &LocalUser::password_hash, password_hash(), "made by `kith hash-password`")
          .required(),
      key("claims", &LocalUser::claims, map_of<identity::Claim, std::less<>>(claim_value(), "a map of claims"),
          "further claims: email, name, groups ...; a text each, or a list of texts"),
  };
  return {
      key("name", &LocalConnectorConfig::name, name("a name for the connector", false),
          "what policies and templates call it")
          .required(),
      fixed_word<LocalConnectorConfig>("type", "local",
                                       "users in this file, for demonstrations and emergencies")
          .required(),
      key("enabled", &LocalConnectorConfig::enabled, flag(), "must be true, or nobody can log in here"),
      key("loginPath", &LocalConnectorConfig::login_path, local_path(), "path of the login page"),
      key("users", &LocalConnectorConfig::users, list(object<LocalUser>(std::move(user)), "a list of users"),
          "who may log in"),
  };
}

template <class T>
Codec<ConnectorConfig> as_connector(Keys<T> keys) {
  auto inner = object<T>(std::move(keys));
  return {inner.shape,
          [inner](Reader& reader, const Node& node, ConnectorConfig& out) {
            inner.read(reader, node, out.template emplace<T>());
          },
          [inner](const ConnectorConfig& value) { return inner.show(std::get<T>(value)); }};
}

}  // namespace

Codec<std::vector<ConnectorConfig>> connectors_codec() {
  return list(
      by_type<ConnectorConfig>({{"oidc", as_connector(oidc_keys())}, {"local", as_connector(local_keys())}},
                               {"saml", "ldap", "activedirectory", "continuity"},
                               [](const ConnectorConfig& value) { return value.index(); }),
      "a list of connectors");
}

}  // namespace kith::app
