#include "identity/connectors.h"

#include "identity/connectors/local/local_connector.h"
#include "identity/connectors/oidc/oidc_connector.h"

namespace kith::identity {

const std::string& connector_name(const ConnectorConfig& config) {
  return std::visit([](const auto& one) -> const std::string& { return one.name; }, config);
}

Result<void> check_connector(const ConnectorConfig& config) {
  const std::string& name = connector_name(config);
  if (name.empty()) return Error(Code::invalid, "a connector has no name", Side::config);
  const auto* provider = std::get_if<OidcConnectorConfig>(&config);
  Result<void> checked =
      provider != nullptr ? oidc::check(*provider) : local::check(std::get<LocalConnectorConfig>(config));
  if (!checked) return std::move(checked).error().within("connector '" + name + "'");
  return {};
}

Result<std::unique_ptr<Connector>> make_connector(const ConnectorConfig& config, runtime::Ports& ports,
                                                  http::Client& client, const TlsContexts& tls,
                                                  AttemptLimiter& attempts, Log log) {
  KITH_TRY_VOID(check_connector(config));
  if (const auto* local = std::get_if<LocalConnectorConfig>(&config)) {
    return std::unique_ptr<Connector>(
        std::make_unique<local::LocalConnector>(*local, ports, attempts, std::move(log)));
  }
  const auto& provider = std::get<OidcConnectorConfig>(config);
  std::shared_ptr<const crypto::TlsContext> context;
  if (!provider.tls.empty()) {
    auto it = tls.find(provider.tls);
    if (it == tls.end()) {
      return Error(Code::invalid, "connector '" + provider.name + "': no TLS profile '" + provider.tls + "'",
                   Side::config);
    }
    context = it->second;
  }
  return std::unique_ptr<Connector>(
      std::make_unique<oidc::OidcConnector>(provider, ports, client, std::move(context), std::move(log)));
}

}  // namespace kith::identity
