// Where the configuration and the secrets come from: flags, then the environment, then the customary
// place. Two sources of the same rank are refused rather than one of them ignored.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "app/config.h"

namespace kith::app {

struct SourceOptions {
  std::string config;           // -c / -config; "" = not given, "-" = standard input
  std::string secret_provider;  // -secretProvider; "" = not given
  bool verbose = false;         // -verbose, -v
};

inline constexpr const char* kDefaultConfig = "/etc/kith/kith.yaml";

// The file to load. Fails when two are set in the environment, when a kind is not supported, or when
// there is none at all.
Result<std::string> choose_config(const SourceOptions& options, const Surroundings& around);

// Where the node that runs from this file can be asked, unless control.socket says another place; "" for
// standard input. /etc is not for sockets.
std::string default_socket(const std::string& config_file);

// Chooses, reads, decodes, checks, and applies what the environment overrides: KITH_HTTP_ADDRESS /
// MAVERICS_HTTP_ADDRESS, MAVERICS_DEBUG_MODE, -verbose. `around.directory` is set to the file's folder.
Loaded load_from_sources(const SourceOptions& options, Surroundings around,
                         const std::string& standard_input);

// Changes when the place where secrets come from does. Empty when that cannot change (env://, none).
std::string secret_stamp(const SourceOptions& options, const Surroundings& around);

// The configuration again, later, from where it came from; for reload. Both may be called from any thread.
struct ConfigSource {
  std::function<Loaded()> load;
  std::function<std::string()> stamp;  // secret_stamp()
};

// The machine as it is.
Surroundings system_surroundings(runtime::Files& files);

}  // namespace kith::app
