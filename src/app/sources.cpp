#include "app/sources.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "app/keys.h"
#include "base/text.h"

namespace kith::app {

namespace {

constexpr size_t kMaxConfigBytes = 4 << 20;

std::string env_or_empty(const Surroundings& around, const char* name) {
  return around.env(name).value_or("");
}

// The value of whichever of the two is set; both is an error.
Result<std::string> one_of_two(const Surroundings& around, const char* ours, const char* theirs,
                               std::string_view what) {
  std::string a = env_or_empty(around, ours);
  std::string b = env_or_empty(around, theirs);
  if (!a.empty() && !b.empty()) {
    return Error(Code::conflict, "multiple " + std::string(what) + " defined: " + ours + " and " + theirs,
                 Side::config);
  }
  return a.empty() ? b : a;
}

// In place of a provider that could not be opened, so that references do not claim that none was set.
class BrokenProvider final : public SecretProvider {
 public:
  Result<crypto::Secret> find(std::string_view) override {
    return Error(Code::unavailable, "the secret provider cannot be used", Side::config);
  }
};

std::string folder_of(const std::string& path) {
  size_t slash = path.rfind('/');
  if (path == "-" || slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// What was given, or what the environment says.
Result<std::string> provider_url(const SourceOptions& options, const Surroundings& around) {
  if (!options.secret_provider.empty()) return options.secret_provider;
  return one_of_two(around, "KITH_SECRET_PROVIDER", "MAVERICS_SECRET_PROVIDER", "secret providers");
}

// Of one file: what changes when it is written (size, times) or replaced (inode).
std::string file_stamp(const std::string& path) {
  struct stat about {};
  if (stat(path.c_str(), &about) != 0) return path + " missing\n";
  std::string out = path;
  for (int64_t part : {static_cast<int64_t>(about.st_ino), static_cast<int64_t>(about.st_size),
                       static_cast<int64_t>(about.st_mtim.tv_sec), static_cast<int64_t>(about.st_mtim.tv_nsec),
                       static_cast<int64_t>(about.st_ctim.tv_sec), static_cast<int64_t>(about.st_ctim.tv_nsec)})
    out += " " + std::to_string(part);
  return out + "\n";
}

std::string stamp_of(const std::string& path) {
  constexpr size_t kMaxFiles = 1024;
  std::string out = file_stamp(path);
  std::error_code failed;
  std::vector<std::string> files;
  for (std::filesystem::directory_iterator at(path, failed), end; !failed && at != end; at.increment(failed)) {
    if (files.size() < kMaxFiles) files.push_back(at->path().string());
  }
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) out += file_stamp(file);
  return out;
}

void add_error(Problems& problems, std::string file, std::string message) {
  problems.push_back({Severity::error, std::move(file), {}, "", std::move(message), "", "", ""});
}

void apply_environment(Loaded& loaded, const SourceOptions& options, const Surroundings& around) {
  auto address = one_of_two(around, "KITH_HTTP_ADDRESS", "MAVERICS_HTTP_ADDRESS", "HTTP addresses");
  if (!address) {
    add_error(loaded.problems, "environment", address.error().message());
  } else if (!address->empty()) {
    // The same decoder as for the file, so the same values are good and bad.
    Node value{Node::Kind::scalar, {}, *address, {}, {}};
    Node document{Node::Kind::map, {}, "", {}, {Entry{"address", {}, value}}};
    Problems problems;
    Reader reader("environment", around, nullptr, problems);
    object<http::HttpConfig>(http_keys()).read(reader, document, loaded.config.gateway.http);
    bool ours = !env_or_empty(around, "KITH_HTTP_ADDRESS").empty();
    for (Problem& problem : problems) {
      problem.path = ours ? "KITH_HTTP_ADDRESS" : "MAVERICS_HTTP_ADDRESS";
      problem.place = {};
      loaded.problems.push_back(std::move(problem));
    }
  }
  if (options.verbose || iequals(env_or_empty(around, "MAVERICS_DEBUG_MODE"), "true")) {
    loaded.config.logger.level = Level::debug;
  }
}

}  // namespace

Result<std::string> choose_config(const SourceOptions& options, const Surroundings& around) {
  if (!options.config.empty()) return options.config;
  static constexpr const char* kFiles[] = {"KITH_CONFIG", "MAVERICS_CONFIG"};
  static constexpr const char* kRemote[] = {"MAVERICS_AWS_CONFIG", "MAVERICS_AZURE_CONFIG",
                                            "MAVERICS_GCP_CONFIG", "MAVERICS_GITHUB_CONFIG",
                                            "MAVERICS_GITLAB_CONFIG"};
  std::string chosen, names;
  std::string remote;
  size_t count = 0;
  for (const char* name : kFiles) {
    if (auto value = env_or_empty(around, name); !value.empty()) {
      chosen = value;
      names += (count++ > 0 ? ", " : "") + std::string(name);
    }
  }
  for (const char* name : kRemote) {
    if (!env_or_empty(around, name).empty()) {
      remote = name;
      names += (count++ > 0 ? ", " : "") + std::string(name);
    }
  }
  if (count > 1) return Error(Code::conflict, "multiple config providers defined: " + names, Side::config);
  if (!remote.empty())
    return Error(Code::invalid, remote + " is not supported by this version of kith", Side::config);
  if (!chosen.empty()) return chosen;
  if (around.files->exists(kDefaultConfig)) return std::string(kDefaultConfig);
  return Error(Code::not_found,
               "no configuration: give -c FILE, set KITH_CONFIG, or write " + std::string(kDefaultConfig),
               Side::config);
}

std::string default_socket(const std::string& config_file) {
  if (config_file == "-") return "";
  std::string folder = folder_of(config_file);
  std::string name = config_file.substr(config_file.rfind('/') + 1);  // npos + 1 is 0
  size_t dot = name.rfind('.');
  if (dot != std::string::npos && dot > 0) name.resize(dot);
  if (folder == "/etc/kith") folder = "/run/kith";
  return (folder == "/" ? "" : folder) + "/" + name + ".sock";
}

Loaded load_from_sources(const SourceOptions& options, Surroundings around,
                         const std::string& standard_input) {
  Loaded loaded;
  auto file = choose_config(options, around);
  if (!file) {
    add_error(loaded.problems, "kith", file.error().message());
    return loaded;
  }
  if (file->ends_with(".tar.gz")) {
    add_error(loaded.problems, *file, "configuration bundles are not supported by this version of kith");
    return loaded;
  }
  Result<std::string> text =
      *file == "-" ? Result<std::string>(standard_input) : around.files->read(*file, kMaxConfigBytes + 1);
  if (!text) {
    add_error(loaded.problems, *file, text.error().message());
    return loaded;
  }
  around.directory = folder_of(*file);

  Problems of_provider;
  std::unique_ptr<SecretProvider> secrets;
  auto url = provider_url(options, around);
  if (!url) {
    add_error(of_provider, "environment", url.error().message());
  } else if (!url->empty()) {
    secrets = open_secret_provider(*url, around, of_provider);
    if (!secrets) secrets = std::make_unique<BrokenProvider>();
  }
  loaded = load_config(*text, *file == "-" ? "stdin" : *file, around, secrets.get());
  loaded.problems.insert(loaded.problems.begin(), of_provider.begin(), of_provider.end());
  apply_environment(loaded, options, around);
  ControlConfig& control = loaded.config.control;
  if (control.is_default) control.socket = default_socket(*file);
  return loaded;
}

std::string secret_stamp(const SourceOptions& options, const Surroundings& around) {
  auto url = provider_url(options, around);
  if (!url || !around.stamp) return "";
  size_t end = url->find("://");
  if (end == std::string::npos) return "";
  std::string scheme = lower(url->substr(0, end));
  std::string path = url->substr(end + 3);
  if (scheme == "credentials" && path.empty()) path = env_or_empty(around, "CREDENTIALS_DIRECTORY");
  if ((scheme != "secretfile" && scheme != "credentials") || path.empty()) return "";
  return around.stamp(path);
}

Surroundings system_surroundings(runtime::Files& files) {
  return {&files,
          [](const std::string& name) -> std::optional<std::string> {
            const char* value = std::getenv(name.c_str());
            if (!value) return std::nullopt;
            return std::string(value);
          },
          [](const std::string& path) {
            struct stat about {};
            constexpr mode_t kTooMuch = S_IROTH | S_IWOTH | S_IWGRP;
            return stat(path.c_str(), &about) == 0 && (about.st_mode & kTooMuch) != 0;
          },
          ".", stamp_of};
}

}  // namespace kith::app
