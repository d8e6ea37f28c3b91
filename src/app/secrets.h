// Where secrets come from. The configuration names a secret, <name> or <namespace.key>, and never
// holds it; a provider, chosen outside the configuration by a URL, knows its value:
//
//   secretfile:///etc/kith/secrets.yaml   a YAML file with pairs under the key `secrets:`
//   env://          environment variables KITH_SECRET_<NAME>; env://APP_ takes APP_<NAME> instead. The name
//   is
//                   in upper case and what is no letter or digit becomes '_': <idp.client-secret> is
//                   KITH_SECRET_IDP_CLIENT_SECRET
//   credentials://  systemd credentials: the file $CREDENTIALS_DIRECTORY/<name>; credentials:///dir takes
//   that folder
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "app/problem.h"
#include "base/result.h"
#include "crypto/secret.h"
#include "runtime/ports.h"

namespace kith::app {

// What loading a configuration asks of the machine; tests and fuzzers hand in their own.
struct Surroundings {
  runtime::Files* files = nullptr;                                    // never null
  std::function<std::optional<std::string>(const std::string&)> env;  // never empty
  // Whether a file that holds a secret may be read or changed by everybody, or changed by its group. (A
  // group that may read it is how services are given keys.) False for one that is not there. Never empty.
  std::function<bool(const std::string& path)> is_exposed;
  std::string directory = ".";  // of the configuration file; relative paths start there
  // Changes when the file, or a file of the folder, is written or replaced. Empty: nothing is watched.
  std::function<std::string(const std::string& path)> stamp = nullptr;
};

inline constexpr const char* kExposed =
    "others than its owner and group may read it, or others than its owner may change it: chmod 0600, or "
    "0640";

class SecretProvider {
 public:
  virtual ~SecretProvider() = default;
  // not_found when there is none of that name; other failures say what is wrong with the provider.
  virtual Result<crypto::Secret> find(std::string_view name) = 0;
};

inline constexpr size_t kMaxSecretBytes = 64 << 10;
inline constexpr size_t kMaxSecretFileBytes = 1 << 20;

// Null after an error; warnings (a secret file that others may read) and errors go to problems.
std::unique_ptr<SecretProvider> open_secret_provider(const std::string& url, const Surroundings& around,
                                                     Problems& problems);

// The documented rule for <text>: the whole text is the key; else what follows its first dot.
Result<crypto::Secret> find_secret(SecretProvider& provider, std::string_view text);

// The text between the brackets when the whole value is a reference, else nullopt.
std::optional<std::string_view> secret_reference(std::string_view value);

}  // namespace kith::app
