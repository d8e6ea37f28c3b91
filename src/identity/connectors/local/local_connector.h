// Users written into the configuration, for demos and for the day the identity provider is down. The
// connector is its own provider: the browser is sent to a login page on a path of ours, where the
// password is checked against its scrypt hash, in the pool.
//
// Guessing: attempts are limited per name and client (attempt_limiter.h); an unknown name costs the same time
// (another user's hash is checked in its place) and gets the same answer as a wrong password.
#pragma once

#include "base/log.h"
#include "identity/attempt_limiter.h"
#include "identity/config.h"
#include "identity/connector.h"

namespace kith::identity::local {

inline constexpr size_t kMaxUsernameBytes = 256;
inline constexpr size_t kMaxPasswordBytes = 1024;

Result<void> check(const LocalConnectorConfig& config);

class LocalConnector final : public Connector {
 public:
  // config has passed check(). Ports and attempts outlive the connector.
  LocalConnector(LocalConnectorConfig config, runtime::Ports& ports, AttemptLimiter& attempts, Log log);

  const std::string& name() const override { return config_.name; }
  std::vector<Place> login_callbacks() const override { return {{"", config_.login_path}}; }
  std::vector<Place> logout_callbacks() const override { return {}; }
  runtime::Task<Result<LoginStart>> start_login(std::string state, std::string origin) override;
  runtime::Task<Result<LoginResult>> finish_login(Callback callback, Private remembered) override;
  runtime::Task<std::optional<std::string>> start_logout(const Identity& identity, std::string state,
                                                         std::string origin) override;

 private:
  runtime::Task<Result<LoginResult>> check_password(std::string state, std::string username,
                                                    crypto::Secret password, IpAddress client);
  const LocalUser* find_user(const std::string& username) const;
  // The hash to check for a name: the user's own, or for an unknown name always the same other one.
  const std::string& hash_for(const std::string& username) const;
  Page form(int status, const std::string& state, const std::string& username, std::string_view error) const;
  Identity identity_of(const LocalUser& user) const;

  const LocalConnectorConfig config_;
  runtime::Ports& ports_;
  AttemptLimiter& attempts_;
  const Log log_;
};

}  // namespace kith::identity::local
