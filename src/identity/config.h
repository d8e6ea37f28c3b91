// `connectors:` of the configuration.
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "crypto/secret.h"
#include "identity/claim.h"

namespace kith::identity {

struct OidcConnectorConfig {  // type: oidc
  std::string name;
  std::string well_known_url;                     // oidcWellKnownURL
  std::string client_id;                          // oauthClientID
  crypto::Secret client_secret;                   // oauthClientSecret; empty = public client
  std::vector<std::string> login_redirect_urls;   // oauthLoginRedirect.urls[] (or oauthRedirectURL)
  std::vector<std::string> logout_redirect_urls;  // oauthLogoutRedirect.urls[] (or oidcLogoutCallbackURL)
  std::string scopes = "openid profile email";
  bool disable_pkce = false;                        // disablePKCE
  bool offline_access = false;                      // offlineAccess.enabled
  std::map<std::string, std::string> extra_params;  // oauthExtraParams
  std::string tls;                                  // client profile name, "" = system authorities
  // idTokenSigningAlgs: what ID tokens may be signed with; empty = RS, PS, ES 256/384/512 and EdDSA
  std::vector<std::string> signing_algorithms;
};

struct LocalUser {
  std::string username;
  std::string password_hash;            // crypto/password.h form
  ClaimMap claims;  // further attributes: email, name, groups ...
};

struct LocalConnectorConfig {  // type: local, built in, for demos and emergencies
  std::string name;
  bool enabled = false;                     // off by default: must be switched on by `enabled: true`
  std::string login_path = "/.kith/login";  // loginPath
  std::vector<LocalUser> users;
};

using ConnectorConfig = std::variant<OidcConnectorConfig, LocalConnectorConfig>;

}  // namespace kith::identity
