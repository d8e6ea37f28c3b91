// Commands about the connection and the server, as Redis 7 answers them.

#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cache/connection.h"
#include "cache/glob.h"
#include "crypto/hash.h"

namespace kith::cache {
namespace {

using resp::Protocol;
using resp::ReplyWriter;

// What clients that look at versions take for the features they use; what Kith is itself is in INFO.
constexpr std::string_view kRedisVersion = "7.0.15";
constexpr size_t kMaxSubscriptions = 1024;  // of one connection: each pattern costs every publication
constexpr size_t kMaxClientName = 256;
constexpr std::string_view kWrongPassword = "WRONGPASS invalid username-password pair or user is disabled.";
constexpr std::string_view kBadName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

// As Redis: printable ASCII without blanks.
bool is_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; });
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return out;
}

std::string unknown_subcommand(std::string_view of, std::string_view typed) {
  return "ERR unknown subcommand '" + shown(typed) + "'. Try " + upper(of) + " HELP.";
}
std::string wrong_arity(std::string_view of, std::string_view subcommand) {
  return "ERR wrong number of arguments for '" + std::string(of) + "|" + lower(std::string(subcommand)) +
         "' command";
}

struct Subcommand {
  std::string_view name;
  int arity;  // as Command::arity, the container's name included
};
constexpr Subcommand kClient[] = {{"getname", 2},  {"id", 2},      {"info", 2},   {"list", -2},
                                  {"no-evict", 3}, {"setinfo", 4}, {"setname", 3}};
constexpr Subcommand kConfig[] = {{"get", -3}};
constexpr Subcommand kCommand[] = {{"count", 2}, {"docs", -2}, {"getkeys", -3}, {"info", -2}, {"list", -2}};
constexpr Subcommand kPubSub[] = {{"channels", -2}, {"numpat", 2}, {"numsub", -2}};

struct Container {
  std::string_view name;
  std::span<const Subcommand> subcommands;
};
constexpr Container kContainers[] = {
    {"client", kClient}, {"command", kCommand}, {"config", kConfig}, {"pubsub", kPubSub}};

}  // namespace

std::string subcommand_error(std::string_view container, Args args) {
  if (args.size() < 2) return "";
  auto found = std::find_if(std::begin(kContainers), std::end(kContainers),
                            [&](const Container& each) { return each.name == container; });
  if (found == std::end(kContainers)) return "";
  for (const Subcommand& each : found->subcommands) {
    if (!iequals(each.name, args[1])) continue;
    const Command as_command{each.name, each.arity, Place::connection, nullptr};
    return has_arity(as_command, args.size()) ? "" : wrong_arity(container, each.name);
  }
  return unknown_subcommand(container, args[1]);
}

Connection::Step Connection::on_connection_command(const Command& command, Args args) {
  const std::string_view name = command.name;
  if (name == "ping") {
    on_ping(args);
  } else if (name == "echo") {
    reply().bulk(args[1]);
  } else if (name == "hello") {
    on_hello(args);
  } else if (name == "auth") {
    on_auth(args);
  } else if (name == "select") {
    on_select(args);
  } else if (name == "client") {
    on_client(args);
  } else if (name == "command") {
    on_command(args);
  } else if (name == "config") {
    on_config(args);
  } else if (name == "info") {
    on_info(args);
  } else if (name == "publish") {
    on_publish(args);
  } else if (name == "pubsub") {
    on_pubsub(args);
  } else if (name == "subscribe" || name == "psubscribe") {
    on_subscribe(args, name == "psubscribe");
  } else if (name == "unsubscribe" || name == "punsubscribe") {
    on_unsubscribe(args, name == "punsubscribe");
  } else if (name == "multi") {
    if (in_multi_) {
      reply().error("ERR MULTI calls can not be nested");
    } else {
      in_multi_ = true;
      multi_failed_ = false;
      note_card();
      reply().simple("OK");
    }
  } else if (name == "exec") {
    if (in_multi_) return Step::transact;
    reply().error("ERR EXEC without MULTI");
  } else if (name == "discard") {
    if (!in_multi_) {
      reply().error("ERR DISCARD without MULTI");
    } else {
      forget_queued();
      reply().simple("OK");
    }
  } else if (name == "reset") {
    reset();
    reply().simple("RESET");
  } else {
    reply().simple("OK");  // quit
    return Step::close;
  }
  return Step::done;
}

// ---------------------------------------------------------------- who it is

bool Connection::check_password(std::string_view username, std::string_view password) {
  const EndpointConfig& config = shared_.config;
  // Digests, so that neither length shows.
  auto same = [](std::string_view a, ByteView b) {
    return crypto::equal_constant_time(crypto::sha256(as_bytes(a)), crypto::sha256(b));
  };
  const bool right_name = same(username, as_bytes(config.username));
  const bool right_password = config.password.empty() || same(password, config.password.reveal());
  if (right_name && right_password) return true;
  ++wrong_passwords_;
  if (++shared_.clients.wrong_passwords % 100 == 1)
    shared_.log.warn("wrong password at the Redis endpoint",
                     {{"peer", card_->address}, {"so_far", shared_.clients.wrong_passwords.load()}});
  return false;
}

void Connection::on_auth(Args args) {
  if (args.size() > 3) return reply().error(kSyntaxError);
  if (args.size() == 2 && shared_.config.password.empty())
    return reply().error(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
        "configuration is correct?");
  const std::string_view username = args.size() == 3 ? args[1] : std::string_view(shared_.config.username);
  if (!check_password(username, args.back())) return reply().error(kWrongPassword);
  set_authenticated(true);
  reply().simple("OK");
}

bool Connection::set_name(std::string_view name) {
  if (!is_name(name) || name.size() > kMaxClientName) return false;
  text_.name = name;
  note_card();
  return true;
}

void Connection::on_hello(Args args) {
  std::optional<Protocol> wanted;
  if (args.size() > 1) {
    auto version = parse_number(args[1]);
    if (!version) return reply().error("ERR Protocol version is not an integer or out of range");
    if (*version != 2 && *version != 3) return reply().error("NOPROTO unsupported protocol version");
    wanted = *version == 3 ? Protocol::resp3 : Protocol::resp2;
  }
  for (size_t i = 2; i < args.size();) {
    if (iequals(args[i], "AUTH") && i + 2 < args.size()) {
      if (!check_password(args[i + 1], args[i + 2])) return reply().error(kWrongPassword);
      set_authenticated(true);
      i += 3;
    } else if (iequals(args[i], "SETNAME") && i + 1 < args.size()) {
      if (!set_name(args[i + 1])) return reply().error(kBadName);
      i += 2;
    } else {
      return reply().error("ERR Syntax error in HELLO option '" + shown(args[i]) + "'");
    }
  }
  if (!authenticated_)
    return reply().error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> "
        "<pass> "
        "option can be used to authenticate the client and select the RESP protocol version at the same "
        "time");
  if (wanted) protocol_ = *wanted;
  note_card();
  ReplyWriter out = reply();
  auto entry = [&](std::string_view key, std::string_view value) {
    out.bulk(key);
    out.bulk(value);
  };
  out.map(7);
  entry("server", "redis");
  entry("version", kRedisVersion);
  out.bulk(std::string_view("proto"));
  out.integer(static_cast<int64_t>(protocol_));
  out.bulk(std::string_view("id"));
  out.integer(static_cast<int64_t>(card_->id));
  entry("mode", "standalone");
  entry("role", "master");
  out.bulk(std::string_view("modules"));
  out.array(0);
}

void Connection::reset() {
  unsubscribe_all();
  forget_queued();
  protocol_ = Protocol::resp2;
  database_ = 0;
  text_.name.clear();
  set_authenticated(shared_.config.password.empty());
  note_card();
}

void Connection::on_select(Args args) {
  auto number = parse_number(args[1]);
  if (!number) return reply().error(kNotAnInteger);
  if (*number > INT32_MAX || *number < INT32_MIN)
    return reply().error("ERR value is out of range, value must between -2147483648 and 2147483647");
  if (*number < 0 || *number >= kDatabases) return reply().error("ERR DB index is out of range");
  database_ = static_cast<int>(*number);
  note_card();
  reply().simple("OK");
}

void Connection::on_ping(Args args) {
  ReplyWriter out = reply();
  if (args.size() > 2) return out.error("ERR wrong number of arguments for 'ping' command");
  const bool subscribes = !channels_.empty() || !patterns_.empty();
  if (subscribes && protocol_ == Protocol::resp2) {
    out.array(2);
    out.bulk(std::string_view("pong"));
    return out.bulk(args.size() == 2 ? args[1] : std::string_view());
  }
  args.size() == 2 ? out.bulk(args[1]) : out.simple("PONG");
}

void Connection::on_client(Args args) {
  const std::string_view what = args[1];
  if (iequals(what, "SETNAME")) {
    set_name(args[2]) ? reply().simple("OK") : reply().error(kBadName);
  } else if (iequals(what, "GETNAME")) {
    text_.name.empty() ? reply().null() : reply().bulk(std::string_view(text_.name));
  } else if (iequals(what, "ID")) {
    reply().integer(static_cast<int64_t>(card_->id));
  } else if (iequals(what, "INFO")) {
    reply().verbatim("txt", card_->line(loop_.now()));
  } else if (iequals(what, "LIST")) {
    on_client_list(args);
  } else if (iequals(what, "SETINFO")) {
    const bool library = iequals(args[2], "LIB-NAME");
    if (!library && !iequals(args[2], "LIB-VER"))
      return reply().error("ERR Unrecognized option '" + shown(args[2]) + "'");
    if (!is_name(args[3]))
      return reply().error("ERR " + lower(std::string(args[2])) +
                           " cannot contain spaces, newlines or special characters.");
    (library ? text_.lib_name : text_.lib_version) = args[3].substr(0, 128);
    note_card();
    reply().simple("OK");
  } else {
    reply().simple("OK");  // NO-EVICT: nobody is
  }
}

void Connection::on_client_list(Args args) {
  std::set<uint64_t> ids;
  std::string_view type;
  if (args.size() > 2) {
    if (args.size() >= 4 && iequals(args[2], "ID")) {
      for (std::string_view text : args.subspan(3)) {
        auto id = parse_number(text);
        if (!id || *id < 1) return reply().error("ERR Invalid client ID");
        ids.insert(static_cast<uint64_t>(*id));
      }
    } else if (args.size() == 4 && iequals(args[2], "TYPE")) {
      type = args[3];
      const bool known = iequals(type, "normal") || iequals(type, "pubsub") || iequals(type, "master") ||
                         iequals(type, "replica") || iequals(type, "slave");
      if (!known) return reply().error("ERR Unknown client type '" + shown(type) + "'");
    } else {
      return reply().error(kSyntaxError);
    }
  }
  std::string lines;
  for (const auto& card : shared_.clients.all()) {
    if (!ids.empty() && !ids.contains(card->id)) continue;
    if (!type.empty() && !(card->subscribes() ? iequals(type, "pubsub") : iequals(type, "normal"))) continue;
    lines += card->line(loop_.now());
  }
  reply().verbatim("txt", lines);
}

// ---------------------------------------------------------------- the server

// Names and arity, which is what clients that ask look at.
void Connection::on_command(Args args) {
  ReplyWriter out = reply();
  auto describe = [&](const Command& command) {
    out.array(6);
    out.bulk(command.name);
    out.integer(command.arity);
    out.set(1);
    out.simple(command.place == Place::write || command.place == Place::decide ? "write" : "readonly");
    const bool has_key = command.run != nullptr && command.arity != 1 && command.name != "scan" &&
                         command.name != "keys" && !command.name.starts_with("flush");
    const bool many = command.name == "del" || command.name == "unlink" || command.name == "exists" ||
                      command.name == "touch" || command.name == "mget" || command.name == "mset";
    out.integer(has_key ? 1 : 0);
    out.integer(!has_key ? 0 : many ? -1 : 1);
    out.integer(!has_key ? 0 : command.name == "mset" ? 2 : 1);
  };
  if (args.size() == 1 || (iequals(args[1], "INFO") && args.size() == 2)) {
    out.array(all_commands().size());
    for (const Command& command : all_commands()) describe(command);
  } else if (iequals(args[1], "COUNT")) {
    out.integer(static_cast<int64_t>(all_commands().size()));
  } else if (iequals(args[1], "LIST")) {
    out.array(all_commands().size());
    for (const Command& command : all_commands()) out.bulk(command.name);
  } else if (iequals(args[1], "INFO")) {
    out.array(args.size() - 2);
    for (std::string_view name : args.subspan(2)) {
      const Command* command = find_command(name);
      command != nullptr ? describe(*command) : out.null();
    }
  } else if (iequals(args[1], "DOCS")) {
    out.map(0);
  } else {
    out.error("ERR The command has no key arguments");  // GETKEYS
  }
}

void Connection::on_config(Args args) {
  const std::array<std::pair<std::string_view, std::string>, 5> settings = {{
      {"appendonly", "no"},
      {"databases", std::to_string(kDatabases)},
      {"maxmemory", std::to_string(shared_.executor.cache().table().max_bytes())},
      {"maxmemory-policy", "allkeys-lru"},
      {"save", ""},
  }};
  std::vector<const std::pair<std::string_view, std::string>*> found;
  for (const auto& setting : settings) {
    const bool wanted = std::any_of(args.begin() + 2, args.end(), [&](std::string_view pattern) {
      return glob_matches(lower(std::string(pattern)), setting.first);
    });
    if (wanted) found.push_back(&setting);
  }
  ReplyWriter out = reply();
  out.map(found.size());
  for (const auto* setting : found) {
    out.bulk(setting->first);
    out.bulk(std::string_view(setting->second));
  }
}

void Connection::describe_server(std::string_view section, std::string& out) {
  const Clients& clients = shared_.clients;
  const store::CacheTable& table = shared_.executor.cache().table();
  auto line = [&](std::string_view key, const std::string& value) {
    out += std::string(key) + ":" + value + "\r\n";
  };
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(loop_.now() - shared_.started).count();
  if (section == "server") {
    out += "# Server\r\n";
    line("redis_version", std::string(kRedisVersion));
    line("redis_mode", "standalone");
    line("server_name", "kith");
    line("node_name", shared_.node_name);
    line("cache", shared_.executor.name());
    line("process_id", std::to_string(::getpid()));
    line("tcp_port", std::to_string(shared_.config.port));
    line("uptime_in_seconds", std::to_string(uptime));
    line("uptime_in_days", std::to_string(uptime / 86'400));
  } else if (section == "clients") {
    out += "# Clients\r\n";
    line("connected_clients", std::to_string(clients.size()));
    line("maxclients", std::to_string(shared_.config.max_connections));
    line("blocked_clients", "0");
  } else if (section == "memory") {
    out += "# Memory\r\n";
    line("used_memory", std::to_string(table.bytes()));
    line("used_memory_human", std::to_string(table.bytes() / 1024) + "K");
    line("maxmemory", std::to_string(table.max_bytes()));
    line("maxmemory_policy", "allkeys-lru");
  } else if (section == "persistence") {
    out += "# Persistence\r\n";
    line("loading", shared_.executor.ready() ? "0" : "1");
  } else if (section == "stats") {
    out += "# Stats\r\n";
    line("total_connections_received", std::to_string(clients.connections));
    line("total_commands_processed", std::to_string(clients.commands));
    line("rejected_connections", std::to_string(clients.rejected));
    line("expired_keys", std::to_string(table.counters().expired));
    line("evicted_keys", std::to_string(table.counters().evicted));
  } else if (section == "replication") {
    out += "# Replication\r\n";
    line("role", "master");
    line("connected_slaves", "0");
  } else if (section == "cluster") {
    out += "# Cluster\r\n";
    line("cluster_enabled", "0");
  } else if (section == "keyspace") {
    out += "# Keyspace\r\n";
    for (int database = 0; database < kDatabases; ++database) {
      const auto count = table.count(space_of(shared_.executor.name(), database));
      if (count.entries == 0) continue;
      line("db" + std::to_string(database), "keys=" + std::to_string(count.entries) +
                                                ",expires=" + std::to_string(count.expiring) + ",avg_ttl=0");
    }
  }
}

void Connection::on_info(Args args) {
  constexpr std::array<std::string_view, 8> kSections = {"server", "clients",     "memory",  "persistence",
                                                         "stats",  "replication", "cluster", "keyspace"};
  auto wants = [&](std::string_view section) {
    if (args.size() == 1) return true;
    return std::any_of(args.begin() + 1, args.end(), [&](std::string_view word) {
      return iequals(word, section) || iequals(word, "default") || iequals(word, "all") ||
             iequals(word, "everything");
    });
  };
  std::string text;
  for (std::string_view section : kSections) {
    if (!wants(section)) continue;
    if (!text.empty()) text += "\r\n";
    describe_server(section, text);
  }
  reply().verbatim("txt", text);
}

// ---------------------------------------------------------------- channels

void Connection::confirm(std::string_view what, std::optional<std::string_view> channel) {
  ReplyWriter out = reply();
  out.push(3);
  out.bulk(what);
  channel ? out.bulk(*channel) : out.null();
  out.integer(static_cast<int64_t>(channels_.size() + patterns_.size()));
}

void Connection::on_subscribe(Args args, bool pattern) {
  const std::string& cache = shared_.executor.name();
  for (std::string_view each : args.subspan(1)) {
    if (each.size() > kMaxPattern) {
      reply().error("ERR the channel's name is longer than 1 KiB");
      continue;
    }
    if (channels_.size() + patterns_.size() >= kMaxSubscriptions) {
      reply().error("ERR more than 1024 subscriptions of one connection");
      continue;
    }
    const std::string name(each);
    (pattern ? patterns_ : channels_).insert(name);
    pattern ? shared_.pubsub.subscribe_pattern(cache, name, mailbox_)
            : shared_.pubsub.subscribe(cache, name, mailbox_);
    confirm(pattern ? "psubscribe" : "subscribe", name);
  }
  note_card();
}

void Connection::on_unsubscribe(Args args, bool pattern) {
  const std::string& cache = shared_.executor.name();
  const std::string_view what = pattern ? "punsubscribe" : "unsubscribe";
  std::set<std::string>& held = pattern ? patterns_ : channels_;
  std::vector<std::string> names(args.begin() + 1, args.end());
  if (names.empty()) names.assign(held.begin(), held.end());
  for (const std::string& name : names) {
    held.erase(name);
    pattern ? shared_.pubsub.unsubscribe_pattern(cache, name, mailbox_)
            : shared_.pubsub.unsubscribe(cache, name, mailbox_);
    confirm(what, name);
  }
  if (names.empty()) confirm(what, std::nullopt);
  note_card();
}

void Connection::unsubscribe_all() {
  const std::string& cache = shared_.executor.name();
  for (const std::string& name : channels_) shared_.pubsub.unsubscribe(cache, name, mailbox_);
  for (const std::string& name : patterns_) shared_.pubsub.unsubscribe_pattern(cache, name, mailbox_);
  channels_.clear();
  patterns_.clear();
}

void Connection::on_publish(Args args) {
  const std::string& cache = shared_.executor.name();
  if (args[1].size() > kMaxPattern) return reply().error("ERR the channel's name is longer than 1 KiB");
  if (args[2].size() > PubSub::kMaxPayload) return reply().error("ERR the message is larger than 256 KiB");
  publishing_ = true;
  const size_t count = shared_.pubsub.publish(cache, {std::string(args[1]), std::string(args[2])});
  publishing_ = false;
  reply().integer(static_cast<int64_t>(count));
}

void Connection::on_pubsub(Args args) {
  const std::string& cache = shared_.executor.name();
  ReplyWriter out = reply();
  if (iequals(args[1], "CHANNELS")) {
    std::vector<std::string> channels = shared_.pubsub.channels(cache);
    if (args.size() > 2)
      std::erase_if(channels, [&](const std::string& channel) { return !glob_matches(args[2], channel); });
    out.array(channels.size());
    for (const std::string& channel : channels) out.bulk(std::string_view(channel));
  } else if (iequals(args[1], "NUMSUB")) {
    out.array(2 * (args.size() - 2));
    for (std::string_view channel : args.subspan(2)) {
      out.bulk(channel);
      out.integer(static_cast<int64_t>(shared_.pubsub.subscribers(cache, std::string(channel))));
    }
  } else {
    out.integer(static_cast<int64_t>(shared_.pubsub.patterns(cache)));
  }
}

}  // namespace kith::cache
