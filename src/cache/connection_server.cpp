// Commands about the server, as Redis 7 answers them.

#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cache/connection.h"
#include "cache/glob.h"

namespace kith::cache {

using resp::ReplyWriter;

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

}  // namespace kith::cache
