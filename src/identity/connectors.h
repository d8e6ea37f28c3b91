// Makes connectors from their configuration. A connector belongs to one loop (it holds that loop's
// ports and http::Client); what must hold for the whole process is handed in as shared.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/log.h"
#include "identity/attempt_limiter.h"
#include "identity/config.h"
#include "identity/connector.h"

namespace kith::identity {

// Client TLS contexts by profile name (`tls:` of the configuration).
using TlsContexts = std::map<std::string, std::shared_ptr<const crypto::TlsContext>, std::less<>>;

const std::string& connector_name(const ConnectorConfig& config);

// Everything that is wrong with one connector's configuration, without any IO; what make_connector
// refuses, this refuses. Code::invalid, side config.
Result<void> check_connector(const ConnectorConfig& config);

// One connector for one loop. Ports, client and attempts outlive it; no call may be under way when it
// goes. attempts is one per process and is shared by the connectors of all loops.
Result<std::unique_ptr<Connector>> make_connector(const ConnectorConfig& config, runtime::Ports& ports,
                                                  http::Client& client, const TlsContexts& tls,
                                                  AttemptLimiter& attempts, Log log);

}  // namespace kith::identity
