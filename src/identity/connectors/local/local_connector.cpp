#include "identity/connectors/local/local_connector.h"

#include <set>

#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/password.h"
#include "identity/pages.h"
#include "runtime/sync.h"

namespace kith::identity::local {
namespace {

Error wrong(std::string message) { return Error(Code::invalid, std::move(message), Side::config); }

// Takes the value out of the parameters and leaves no copy behind.
crypto::Secret take_secret(std::map<std::string, std::string>& params, const char* name) {
  auto it = params.find(name);
  if (it == params.end()) return {};
  crypto::Secret secret{std::string_view(it->second)};
  crypto::wipe(MutableByteView(reinterpret_cast<uint8_t*>(it->second.data()), it->second.size()));
  params.erase(it);
  return secret;
}

std::string get(const std::map<std::string, std::string>& params, const char* name) {
  auto it = params.find(name);
  return it == params.end() ? std::string() : it->second;
}

}  // namespace

Result<void> check(const LocalConnectorConfig& config) {
  if (!config.enabled) return wrong("the local connector is off: it takes `enabled: true`");
  Result<http::Target> target = http::parse_target(config.login_path);
  if (!target || target->has_query || target->path != config.login_path) {
    return wrong("loginPath '" + printable(config.login_path) + "' is not a plain path");
  }
  if (config.users.empty()) return wrong("the local connector has no users");
  std::set<std::string> seen;
  for (const LocalUser& user : config.users) {
    if (user.username.empty() || user.username.size() > kMaxUsernameBytes) {
      return wrong("a username is empty or longer than 256 bytes");
    }
    if (!seen.insert(user.username).second) {
      return wrong("user '" + printable(user.username) + "' is there twice");
    }
    if (Result<void> hash = crypto::check_password_hash(user.password_hash); !hash) {
      return wrong("user '" + printable(user.username) + "': " + hash.error().message());
    }
  }
  return {};
}

LocalConnector::LocalConnector(LocalConnectorConfig config, runtime::Ports& ports, AttemptLimiter& attempts,
                               Log log)
    : config_(std::move(config)), ports_(ports), attempts_(attempts), log_(std::move(log)) {}

runtime::Task<Result<LoginStart>> LocalConnector::start_login(std::string state, std::string) {
  LoginStart start;
  start.redirect = config_.login_path + "?state=" + http::encode_component(state);
  start.remember["state"] = std::move(state);
  co_return start;
}

runtime::Task<Result<LoginResult>> LocalConnector::finish_login(Callback callback, Private remembered) {
  crypto::Secret password = take_secret(callback.params, "password");
  std::string state = get(remembered, "state");
  std::string sent = get(callback.params, "state");
  if (state.empty() || !crypto::equal_constant_time(as_bytes(sent), as_bytes(state))) {
    co_return Error(Code::protocol, "the form's state is not the one that was sent", Side::client);
  }
  std::string username = get(callback.params, "username");
  if (callback.method != "POST") co_return LoginResult(form(200, state, "", ""));
  co_return co_await check_password(std::move(state), std::move(username), std::move(password),
                                    callback.client);
}

runtime::Task<Result<LoginResult>> LocalConnector::check_password(std::string state, std::string username,
                                                                  crypto::Secret password, IpAddress client) {
  static constexpr char kWrong[] = "Wrong username or password.";
  if (username.empty() || username.size() > kMaxUsernameBytes || password.empty() ||
      password.size() > kMaxPasswordBytes) {
    co_return LoginResult(form(403, state, username.substr(0, kMaxUsernameBytes), kWrong));
  }
  const std::string attempt = config_.name + '\0' + username;
  if (!attempts_.take(attempt, client, ports_.loop.now())) {
    log_.warn("too many login attempts",
              {{"connector", config_.name}, {"user", printable(username)}, {"client_ip", client.text()}});
    co_return LoginResult(form(429, state, username, "Too many attempts. Wait a minute, then try again."));
  }
  std::function<bool()> verify = [secret = std::move(password), hash = hash_for(username)] {
    return crypto::verify_password(secret, hash);
  };
  std::optional<bool> right =
      co_await runtime::run_in_pool<bool>(ports_.loop, ports_.pool, std::move(verify));
  if (!right) {
    attempts_.refund(attempt, client);
    co_return LoginResult(form(503, state, username, "The server is busy. Try again in a moment."));
  }
  const LocalUser* user = find_user(username);
  if (!*right || user == nullptr) {
    log_.info("login refused", {{"connector", config_.name}, {"user", printable(username)}});
    co_return LoginResult(form(403, state, username, kWrong));
  }
  attempts_.refund(attempt, client);
  co_return LoginResult(identity_of(*user));
}

runtime::Task<std::optional<std::string>> LocalConnector::start_logout(const Identity&, std::string,
                                                                       std::string) {
  co_return std::nullopt;
}

const LocalUser* LocalConnector::find_user(const std::string& username) const {
  for (const LocalUser& user : config_.users) {
    if (user.username == username) return &user;
  }
  return nullptr;
}

const std::string& LocalConnector::hash_for(const std::string& username) const {
  if (const LocalUser* user = find_user(username)) return user->password_hash;
  return config_.users[crypto::sha256(as_bytes(username))[0] % config_.users.size()].password_hash;
}

Page LocalConnector::form(int status, const std::string& state, const std::string& username,
                          std::string_view error) const {
  return Page{status, login_page({config_.login_path, state, username, std::string(error)})};
}

Identity LocalConnector::identity_of(const LocalUser& user) const {
  Identity identity;
  identity.connector = config_.name;
  identity.issuer = "urn:kith:local:" + config_.name;
  identity.subject = user.username;
  identity.authenticated = ports_.loop.wall_now();
  identity.claims["sub"] = Claim{{user.username}, false};
  identity.claims["username"] = Claim{{user.username}, false};
  for (const auto& [name, value] : user.claims) identity.claims.emplace(name, value);
  return identity;
}

}  // namespace kith::identity::local
