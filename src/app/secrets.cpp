#include "app/secrets.h"

#include <algorithm>
#include <map>

#include "app/yaml_tree.h"
#include "base/text.h"

namespace kith::app {

namespace {

bool is_alnum(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z'); }

Error no_such(std::string_view name) {
  return Error(Code::not_found, "there is no secret named \"" + printable(name) + "\"", Side::config);
}

class SecretFile final : public SecretProvider {
 public:
  explicit SecretFile(std::map<std::string, crypto::Secret, std::less<>> values)
      : values_(std::move(values)) {}

  Result<crypto::Secret> find(std::string_view name) override {
    auto at = values_.find(name);
    if (at == values_.end()) return no_such(name);
    return at->second;
  }

 private:
  std::map<std::string, crypto::Secret, std::less<>> values_;
};

class EnvironmentSecrets final : public SecretProvider {
 public:
  EnvironmentSecrets(std::string prefix, const Surroundings& around)
      : prefix_(std::move(prefix)), env_(around.env) {}

  Result<crypto::Secret> find(std::string_view name) override {
    std::string variable = prefix_;
    for (char c : name)
      variable += is_alnum(c) ? static_cast<char>(lower(c) >= 'a' ? lower(c) - 32 : c) : '_';
    auto value = env_(variable);
    if (!value) return no_such(name);
    if (value->size() > kMaxSecretBytes) return Error(Code::limit, variable + " is too long", Side::config);
    return crypto::Secret(std::string_view(*value));
  }

 private:
  std::string prefix_;
  std::function<std::optional<std::string>(const std::string&)> env_;
};

class CredentialFiles final : public SecretProvider {
 public:
  CredentialFiles(std::string directory, runtime::Files& files)
      : directory_(std::move(directory)), files_(files) {}

  Result<crypto::Secret> find(std::string_view name) override {
    // A name is one path component; systemd allows no more either.
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string_view::npos) {
      return no_such(name);
    }
    std::string path = directory_ + "/" + std::string(name);
    if (!files_.exists(path)) return no_such(name);
    KITH_TRY(std::string text, files_.read(path, kMaxSecretBytes));
    if (text.ends_with('\n')) text.pop_back();  // as editors and echo leave it
    return crypto::Secret(std::string_view(text));
  }

 private:
  std::string directory_;
  runtime::Files& files_;
};

std::unique_ptr<SecretProvider> open_secret_file(const std::string& path, const Surroundings& around,
                                                 Problems& problems) {
  auto refuse = [&](Place place, std::string message) {
    problems.push_back({Severity::error, path, place, "", std::move(message), "", "", ""});
  };
  if (!path.starts_with('/')) {
    refuse({}, "secretfile:// needs an absolute path: secretfile:///etc/kith/secrets.yaml");
    return nullptr;
  }
  if (around.is_exposed(path)) {
    refuse({}, std::string("secret file: ") + kExposed);
    return nullptr;
  }
  auto text = around.files->read(path, kMaxSecretFileBytes);
  if (!text) {
    refuse({}, "secret file: " + text.error().message());
    return nullptr;
  }
  Problems in_file;
  YamlDocument document = parse_yaml(*text, path, in_file);
  crypto::wipe({reinterpret_cast<uint8_t*>(text->data()), text->size()});
  // A syntax error may quote the text, and the text is secret: only the place is passed on.
  for (const Problem& problem : in_file) refuse(problem.place, "not readable as YAML pairs");
  if (has_errors(in_file)) return nullptr;

  const Entry* top = document.root.find("secrets");
  if (document.root.entries.size() != 1 || !top || top->value.kind != Node::Kind::map) {
    refuse(document.root.place, "expected one key `secrets:` with pairs of name and value under it");
    return nullptr;
  }
  std::map<std::string, crypto::Secret, std::less<>> values;
  bool good = true;
  for (const Entry& entry : top->value.entries) {
    if (entry.value.kind != Node::Kind::scalar || entry.value.text.size() > kMaxSecretBytes) {
      refuse(entry.place, "\"" + printable(entry.key) + "\": expected a text of at most 64 KiB");
      good = false;
      continue;
    }
    values.emplace(entry.key, crypto::Secret(std::string_view(entry.value.text)));
  }
  if (!good) return nullptr;
  return std::make_unique<SecretFile>(std::move(values));
}

}  // namespace

std::unique_ptr<SecretProvider> open_secret_provider(const std::string& url, const Surroundings& around,
                                                     Problems& problems) {
  auto refuse = [&](std::string message) -> std::unique_ptr<SecretProvider> {
    problems.push_back({Severity::error, "secret provider", {}, "", std::move(message), "", "", ""});
    return nullptr;
  };
  size_t end = url.find("://");
  if (end == std::string::npos) {
    return refuse("expected a URL such as secretfile:///etc/kith/secrets.yaml, env:// or credentials://");
  }
  std::string scheme = lower(url.substr(0, end));
  std::string rest = url.substr(end + 3);
  if (scheme == "secretfile") return open_secret_file(rest, around, problems);
  if (scheme == "env") {
    if (!std::all_of(rest.begin(), rest.end(), [](char c) { return is_alnum(c) || c == '_'; })) {
      return refuse("env:// takes the beginning of variable names, letters, digits and '_': env://MYAPP_");
    }
    return std::make_unique<EnvironmentSecrets>(rest.empty() ? "KITH_SECRET_" : rest, around);
  }
  if (scheme == "credentials") {
    if (rest.empty()) rest = around.env("CREDENTIALS_DIRECTORY").value_or("");
    if (rest.empty()) return refuse("credentials:// needs CREDENTIALS_DIRECTORY, which systemd sets");
    return std::make_unique<CredentialFiles>(rest, *around.files);
  }
  // Only the scheme is named: the rest of such URLs may hold a token.
  static constexpr std::string_view kLater[] = {"hashivault",      "hashivaults",       "hashivault+https",
                                                "hashivault+http", "awssecretsmanager", "delinea"};
  if (std::find(std::begin(kLater), std::end(kLater), scheme) != std::end(kLater)) {
    return refuse(scheme +
                  ":// is not supported by this version; use secretfile://, env:// or credentials://");
  }
  return refuse("unknown kind \"" + printable(scheme, 40) +
                "\"; use secretfile://, env:// or credentials://");
}

Result<crypto::Secret> find_secret(SecretProvider& provider, std::string_view text) {
  auto whole = provider.find(text);
  if (whole || whole.error().code() != Code::not_found) return whole;
  size_t dot = text.find('.');
  if (dot == std::string_view::npos || dot + 1 == text.size()) return whole;
  auto part = provider.find(text.substr(dot + 1));
  return part || part.error().code() != Code::not_found ? part : whole;
}

std::optional<std::string_view> secret_reference(std::string_view value) {
  if (value.size() < 3 || !value.starts_with('<') || !value.ends_with('>')) return std::nullopt;
  std::string_view name = value.substr(1, value.size() - 2);
  bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return is_alnum(c) || c == '_' || c == '-' || c == '.' || c == ':' || c == '/' || c == '@';
  });
  if (!plain || name.size() > 256) return std::nullopt;
  return name;
}

}  // namespace kith::app
