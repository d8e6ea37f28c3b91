// Login through an OpenID Connect provider: authorization code flow with PKCE, nonce and state. The
// provider's metadata and keys are read when first needed; see cached.h.
//
// Journey: start_login sends the browser away and remembers what binds the answer to it; finish_login
// reads the callback, redeems the code, checks the ID token, asks userinfo, and returns the identity.
#pragma once

#include "base/log.h"
#include "identity/config.h"
#include "identity/connector.h"
#include "identity/connectors/oidc/cached.h"
#include "identity/connectors/oidc/outbound.h"
#include "identity/jose/token.h"
#include "identity/oidc/id_token.h"
#include "identity/oidc/metadata.h"
#include "identity/oidc/token_response.h"

namespace kith::identity::oidc {

Result<void> check(const OidcConnectorConfig& config);

class OidcConnector final : public Connector {
 public:
  // config has passed check(). Ports and client outlive the connector; tls may be null (the system's
  // authorities).
  OidcConnector(OidcConnectorConfig config, runtime::Ports& ports, http::Client& client,
                std::shared_ptr<const crypto::TlsContext> tls, Log log);

  const std::string& name() const override { return config_.name; }
  std::vector<Place> login_callbacks() const override;
  std::vector<Place> logout_callbacks() const override;
  runtime::Task<Result<LoginStart>> start_login(std::string state, std::string origin) override;
  runtime::Task<Result<LoginResult>> finish_login(Callback callback, Private remembered) override;
  runtime::Task<std::optional<std::string>> start_logout(const Identity& identity, std::string state,
                                                         std::string origin) override;

 private:
  using MetadataPtr = std::shared_ptr<const Metadata>;
  using KeysPtr = std::shared_ptr<const jose::KeySet>;

  runtime::Task<Result<Metadata>> fetch_metadata();
  runtime::Task<Result<jose::KeySet>> fetch_keys();
  runtime::Task<Result<std::string>> get_document(http::Url url, size_t max_bytes);

  runtime::Task<Result<Tokens>> redeem(MetadataPtr metadata, std::string code, Private remembered);
  runtime::Task<Result<jose::Token>> verify(std::string id_token);
  runtime::Task<Result<json::object>> userinfo(MetadataPtr metadata, std::string access_token,
                                               std::string subject);

  const OidcConnectorConfig config_;
  const http::Url well_known_;
  const std::vector<http::Url> login_urls_;
  const std::vector<http::Url> logout_urls_;
  const jose::AlgorithmSet algorithms_;
  runtime::Ports& ports_;
  http::Client& client_;
  const std::shared_ptr<const crypto::TlsContext> tls_;
  const Log log_;
  Cached<Metadata> metadata_;
  Cached<jose::KeySet> keys_;
};

}  // namespace kith::identity::oidc
