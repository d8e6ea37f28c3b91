#include "app/cli.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>

#include "app/cli_node.h"
#include "app/keys.h"
#include "app/sources.h"
#include "app/version.h"
#include "app/yaml_text.h"
#include "base/text.h"
#include "crypto/ed25519.h"
#include "crypto/password.h"
#include "platform/system.h"

namespace kith::app {

namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr size_t kMaxPassword = 1024;

struct Options {
  SourceOptions source;
  NodeOptions node;
  std::string format = "text";
  std::string show_format = "yaml";
  std::string schema_format = "json";
  std::string out_file;
};

// The product family writes long options with one dash.
std::vector<std::string> with_two_dashes(std::vector<std::string> arguments) {
  for (std::string& one : arguments) {
    for (std::string_view name : {"-config", "-secretProvider", "-verbose", "-version", "-help"}) {
      if (one == name || (one.starts_with(name) && one[name.size()] == '=')) {
        one.insert(0, "-");
        break;
      }
    }
  }
  return arguments;
}

class Commands {
 public:
  Commands(Shell& shell, const RunNode& run_node) : shell_(shell), run_node_(run_node) {}

  int run(const Options& options) {
    Loaded loaded = load(options);
    if (!loaded.ok()) {
      for (const Problem& problem : loaded.problems) shell_.err << to_line(problem) << '\n';
      return kFailed;
    }
    auto sink = platform::make_log_sink(loaded.config.logger);
    Log log(sink, "config");
    for (const Problem& problem : loaded.problems) {
      log.warn(problem.path.empty() ? problem.message : problem.path + ": " + problem.message,
               {{"file", problem.file}, {"line", problem.place.line}, {"column", problem.place.column}});
    }
    ConfigSource again{[this, options] { return load(options); },
                       [this, options] { return secret_stamp(options.source, shell_.around); }};
    return run_node_(std::move(loaded.config), std::move(sink), std::move(again));
  }

  int validate(const Options& options) {
    Loaded loaded = load(options);
    if (options.format == "json") {
      json::object out{{"valid", loaded.ok()}, {"problems", to_json(loaded.problems)}};
      shell_.out << json::serialize(out) << '\n';
      return loaded.ok() ? kDone : kFailed;
    }
    size_t errors = 0;
    for (const Problem& problem : loaded.problems) {
      shell_.out << to_line(problem) << '\n';
      if (problem.severity == Severity::error) ++errors;
    }
    if (errors == 0) {
      shell_.out << "configuration is valid\n";
      return kDone;
    }
    shell_.out << "configuration is not valid: " << errors << (errors == 1 ? " error\n" : " errors\n");
    return kFailed;
  }

  int show(const Options& options) {
    Loaded loaded = load(options);
    for (const Problem& problem : loaded.problems) shell_.err << to_line(problem) << '\n';
    if (!loaded.ok()) return kFailed;
    json::value shown = show_config(loaded.config);
    shell_.out << (options.show_format == "json" ? json::serialize(shown) + "\n" : to_yaml(shown));
    return kDone;
  }

  int schema(const Options& options) {
    Shape shape = config_codec().shape;
    if (options.schema_format == "markdown") {
      shell_.out << reference_table(shape);
    } else {
      shell_.out << json::serialize(json_schema(shape)) << '\n';
    }
    return kDone;
  }

  int keygen_psk(const Options& options) {
    Bytes key(32);
    shell_.entropy.fill(key);
    std::string text = hex(key) + "\n";
    crypto::wipe(key);
    return put(options.out_file, text);
  }

  int keygen_node(const Options& options) {
    Bytes seed(32);
    shell_.entropy.fill(seed);
    const crypto::SigningKey key = crypto::SigningKey::from_seed(seed);
    crypto::wipe(seed);
    const int status = put(options.out_file, key.to_pem().reveal_text());
    // For admission lists, before the node has ever run.
    if (status == kDone && !options.out_file.empty())
      shell_.out << "node id " << crypto::node_id(key.public_key()).hex() << '\n';
    return status;
  }

  int hash_password() {
    std::string text = shell_.read_password();
    if (text.empty() || text.size() > kMaxPassword) {
      shell_.err << "kith: expected a password of 1 to 1024 bytes on standard input\n";
      return kFailed;
    }
    Bytes salt(16);
    shell_.entropy.fill(salt);
    shell_.out << crypto::hash_password(crypto::Secret(std::string_view(text)), salt) << '\n';
    return kDone;
  }

 private:
  Loaded load(const Options& options) {
    // Standard input can be read once; a reload finds the same.
    if (options.source.config == "-" && !input_) input_ = shell_.read_input();
    return load_from_sources(options.source, shell_.around, input_.value_or(""));
  }

  // To a new file that the owner alone may read, or to standard output.
  int put(const std::string& file, std::string_view text) {
    if (file.empty()) {
      shell_.out << text;
      return kDone;
    }
    auto done = shell_.files.create(file, text, 0600);
    if (done) return kDone;
    shell_.err << "kith: " << done.error().message() << '\n';
    return kFailed;
  }

  Shell& shell_;
  const RunNode& run_node_;
  std::optional<std::string> input_;
};

// The options that say which configuration: of the program, so that they may stand before a command too.
// The help of a command shows only its own, hence the footer.
constexpr const char* kConfigHelp = "the configuration file; - is standard input";
constexpr const char* kSecretsHelp = "where secrets come from: secretfile:///path, env:// or credentials://";
constexpr const char* kVerboseHelp = "log at the level debug";

std::string config_footer() {
  return std::string("Which configuration (before or after the command):\n  -c,--config FILE            ") +
         kConfigHelp + "\n  --secretProvider URL        " + kSecretsHelp +
         "\n  -v,--verbose                " + kVerboseHelp;
}

void add_format(CLI::App& sub, std::string& value, const std::vector<std::string>& words) {
  sub.add_option("-o,--output,--format", value, "the form of the output")
      ->check(CLI::IsMember(words))
      ->capture_default_str();
}

using Declare =
    std::function<CLI::App*(CLI::App& parent, const char* name, const char* help, std::function<int()> body)>;

void add_node_options(CLI::App& sub, NodeOptions& options) {
  sub.footer(config_footer());
  sub.add_option("--socket", options.socket,
                 "the node's control socket; by default as the configuration says");
  sub.add_option("--timeout", options.timeout_seconds, "seconds to wait")->check(CLI::Range(1, 3600));
}

// What a running node is asked about sessions.
void declare_session_commands(CLI::App& app, const Declare& command, NodeOptions& options,
                              NodeCommands& node) {
  CLI::App* sessions = app.add_subcommand("sessions", "who is logged in, and ending it");
  sessions->fallthrough();
  sessions->require_subcommand(1);
  CLI::App* list =
      command(*sessions, "list", "the sessions that are live", [&] { return node.list_sessions(); });
  list->add_option("--limit", options.limit, "show at most so many")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  CLI::App* show = command(*sessions, "show", "one session, and why it has ended if it has",
                           [&] { return node.show_session(); });
  show->add_option("session", options.session, "its reference, as logs and lists show it")->required();
  CLI::App* revoke =
      command(*sessions, "revoke", "end one session, all of a user, or all there are, on every node",
              [&] { return node.revoke_sessions(); });
  revoke->add_option("session", options.session, "its reference, as logs and lists show it");
  revoke->add_flag("--everybody", options.everybody, "all sessions that were made before now");
  for (CLI::App* sub : {list, revoke}) {
    sub->add_option("--user", options.user, "of this subject, preferred_username or email");
    sub->add_option("--connector", options.connector, "logged in by this connector");
  }
  for (CLI::App* sub : {list, show, revoke}) {
    add_format(*sub, options.format, {"text", "json"});
    add_node_options(*sub, options);
  }
}

// What a running node is asked.
void declare_node_commands(CLI::App& app, const Declare& command, NodeOptions& options, NodeCommands& node) {
  CLI::App* members = command(app, "members", "who is in the node's clusters, who is not and why",
                              [&] { return node.members(); });
  add_format(*members, options.format, {"text", "json"});
  CLI::App* leave =
      command(app, "leave", "stop the running node in order, as SIGTERM does", [&] { return node.leave(); });
  CLI::App* forget = command(app, "forget", "stop dialling and remembering a node that is gone",
                             [&] { return node.forget(); });
  forget->add_option("node", options.node, "its id, the beginning of it, or its name")->required();
  CLI::App* health = command(app, "health", "whether the running node is up: status 0 if it is",
                             [&] { return node.health(); });
  for (CLI::App* sub : {members, leave, forget, health}) add_node_options(*sub, options);
}

// Declares the commands; the chosen one is left in `chosen`.
void declare(CLI::App& app, Options& options, Commands& commands, NodeCommands& node_commands,
             std::function<int()>& chosen) {
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", "kith " + std::string(version()));
  app.add_option("-c,--config", options.source.config, kConfigHelp);
  app.add_option("--secretProvider,--secret-provider", options.source.secret_provider, kSecretsHelp);
  app.add_flag("-v,--verbose", options.source.verbose, kVerboseHelp);

  auto command = [&chosen](CLI::App& parent, const char* name, const char* help, std::function<int()> body) {
    CLI::App* sub = parent.add_subcommand(name, help);
    sub->fallthrough();
    sub->callback([&chosen, body = std::move(body)] { chosen = body; });
    return sub;
  };
  CLI::App* run = command(app, "run", "run a node; also what kith does without a command",
                          [&] { return commands.run(options); });
  auto* validate = command(app, "validate", "check a configuration and show every problem",
                           [&] { return commands.validate(options); });
  add_format(*validate, options.format, {"text", "json"});

  CLI::App* config = app.add_subcommand("config", "look at configurations");
  config->fallthrough();
  config->require_subcommand(1);
  auto* schema =
      command(*config, "schema", "the schema of the configuration", [&] { return commands.schema(options); });
  add_format(*schema, options.schema_format, {"json", "markdown"});
  auto* show = command(*config, "show", "the effective configuration, secrets masked",
                       [&] { return commands.show(options); });
  add_format(*show, options.show_format, {"yaml", "json"});
  for (CLI::App* sub : {run, validate, show}) sub->footer(config_footer());

  CLI::App* keygen = app.add_subcommand("keygen", "make keys");
  keygen->fallthrough();
  keygen->require_subcommand(1);
  auto* psk = command(*keygen, "psk", "a key for the members of a cluster, 64 hex digits",
                      [&] { return commands.keygen_psk(options); });
  auto* node =
      command(*keygen, "node", "the key of a node, PEM", [&] { return commands.keygen_node(options); });
  for (CLI::App* sub : {psk, node}) {
    sub->add_option("--out", options.out_file, "a file to make, mode 0600; else standard output");
  }
  command(app, "hash-password", "hash a password from standard input for a connector of the type local",
          [&] { return commands.hash_password(); });
  declare_node_commands(app, command, options.node, node_commands);
  declare_session_commands(app, command, options.node, node_commands);
}

// A line of standard input; a terminal does not show what is typed.
std::string read_password_line() {
  termios before{};
  bool terminal = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &before) == 0;
  if (terminal) {
    std::cerr << "Password: " << std::flush;
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  std::string line;
  char c = 0;
  while (line.size() <= kMaxPassword && std::cin.get(c) && c != '\n') line += c;
  if (terminal) {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    std::cerr << '\n';
  }
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

std::string read_all_input() {
  constexpr size_t kMax = (4 << 20) + 1;  // one more than a configuration may have
  std::string text;
  char buffer[4096];
  while (text.size() < kMax && (std::cin.read(buffer, sizeof buffer) || std::cin.gcount() > 0)) {
    text.append(buffer, static_cast<size_t>(std::cin.gcount()));
  }
  return text;
}

}  // namespace

int run_cli(const std::vector<std::string>& arguments, Shell& shell, const RunNode& run_node) {
  Options options;
  Commands commands(shell, run_node);
  NodeCommands node_commands(shell, options.source, options.node);
  std::function<int()> chosen = [&] { return commands.run(options); };
  try {
    CLI::App app("kith: a clustered identity gateway", "kith");
    declare(app, options, commands, node_commands, chosen);
    app.add_subcommand("version", "print the version")->callback([&] {
      chosen = [&] {
        shell.out << "kith " << version() << '\n';
        return kDone;
      };
    });
    try {
      std::vector<std::string> reversed = with_two_dashes(arguments);  // CLI11 takes them from the back
      std::reverse(reversed.begin(), reversed.end());
      app.parse(reversed);
    } catch (const CLI::ParseError& error) {
      return app.exit(error, shell.out, shell.err) == 0 ? kDone : kUsage;
    }
  } catch (const CLI::Error& error) {
    shell.err << "kith: " << error.what() << '\n';
    return kUsage;
  }
  return chosen();
}

int run_cli(int argc, char** argv, const RunNode& run_node) {
  // Who stops reading our output is seen as a failed write, not as a signal.
  signal(SIGPIPE, SIG_IGN);
  platform::SystemFiles files;
  platform::SystemEntropy entropy;
  Shell shell{
      std::cout, std::cerr, read_all_input, read_password_line, files, entropy, system_surroundings(files),
      ask_node};
  return run_cli(std::vector<std::string>(argv + 1, argv + argc), shell, run_node);
}

}  // namespace kith::app
