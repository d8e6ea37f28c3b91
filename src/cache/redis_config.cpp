#include "cache/redis_config.h"

#include "base/net.h"
#include "crypto/aead.h"

namespace kith::cache {
namespace {

constexpr size_t kMaxPrefix = 128;       // it is a part of every key in Redis
constexpr size_t kMaxCredential = 1024;  // Redis itself has no limit; a login fits one small write
constexpr size_t kMaxPool = 1000;        // Redis takes 10,000 clients by default, from all nodes together

Error wrong(std::string what) { return Error(Code::invalid, std::move(what), Side::config); }

Result<void> check_addresses(const RedisConfig& config) {
  if (config.addresses.empty()) return wrong("no address of a Redis server");
  for (const RedisAddress& address : config.addresses) {
    if (!is_host_name(address.host) && !IpAddress::parse(address.host))
      return wrong("'" + printable(address.host) + "' is no host");
    if (address.port == 0) return wrong("a Redis server without a port: " + printable(address.host));
  }
  return {};
}

Result<void> check_keys(const RedisEncryption& encryption) {
  if (encryption.disabled) return {};
  if (encryption.current.empty()) return wrong("no current key, and encryption is not disabled");
  if (encryption.current.size() != crypto::kAeadKeySize)
    return wrong("the current key does not have 32 bytes");
  for (const crypto::Secret& key : encryption.old) {
    if (key.size() != crypto::kAeadKeySize) return wrong("an old key does not have 32 bytes");
  }
  return {};
}

}  // namespace

Result<void> check(const RedisConfig& config) {
  KITH_TRY_VOID(check_addresses(config));
  KITH_TRY_VOID(check_keys(config.encryption));
  if (!config.username.empty() && config.password.empty()) return wrong("a user name without a password");
  if (config.username.size() > kMaxCredential || config.password.size() > kMaxCredential)
    return wrong("a user name or password of more than 1,024 bytes");
  if (config.key_prefix.size() > kMaxPrefix) return wrong("a key prefix of more than 128 bytes");
  if (config.client_name.find_first_of(" \r\n") != std::string::npos || config.client_name.empty())
    return wrong("a client name that is empty or has blanks");
  if (config.connect_timeout <= 0s || config.command_timeout <= 0s)
    return wrong("a timeout that is not positive");
  if (config.pool_size < 1 || config.pool_size > kMaxPool) return wrong("a pool of none or more than 1,000");
  return {};
}

}  // namespace kith::cache
