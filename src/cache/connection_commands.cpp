// Commands about the connection itself, as Redis 7 answers them.

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cache/connection.h"
#include "crypto/hash.h"

namespace kith::cache {
namespace {

using resp::Protocol;
using resp::ReplyWriter;

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
  struct Named {
    std::string_view name;
    void (Connection::*run)(Args args);
  };
  static constexpr Named kNamed[] = {
      {"auth", &Connection::on_auth},
      {"client", &Connection::on_client},
      {"command", &Connection::on_command},
      {"config", &Connection::on_config},
      {"discard", &Connection::on_discard},
      {"echo", &Connection::on_echo},
      {"hello", &Connection::on_hello},
      {"info", &Connection::on_info},
      {"multi", &Connection::on_multi},
      {"ping", &Connection::on_ping},
      {"psubscribe", &Connection::on_psubscribe},
      {"publish", &Connection::on_publish},
      {"pubsub", &Connection::on_pubsub},
      {"punsubscribe", &Connection::on_punsubscribe},
      {"reset", &Connection::on_reset},
      {"select", &Connection::on_select},
      {"subscribe", &Connection::on_subscribe},
      {"unsubscribe", &Connection::on_unsubscribe},
  };
  if (command.name == "exec" && in_multi_) return Step::transact;
  if (command.name == "exec") {
    reply().error("ERR EXEC without MULTI");
    return Step::done;
  }
  if (command.name == "quit") {
    reply().simple("OK");
    return Step::close;
  }
  auto named = std::find_if(std::begin(kNamed), std::end(kNamed),
                            [&](const Named& each) { return each.name == command.name; });
  KITH_CHECK(named != std::end(kNamed));
  (this->*named->run)(args);
  return Step::done;
}

// ---------------------------------------------------------------- transactions

void Connection::on_multi(Args) {
  if (in_multi_) return reply().error("ERR MULTI calls can not be nested");
  in_multi_ = true;
  multi_failed_ = false;
  note_card();
  reply().simple("OK");
}

void Connection::on_discard(Args) {
  if (!in_multi_) return reply().error("ERR DISCARD without MULTI");
  forget_queued();
  reply().simple("OK");
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

void Connection::on_reset(Args) {
  unsubscribe_all();
  forget_queued();
  protocol_ = Protocol::resp2;
  database_ = 0;
  text_.name.clear();
  set_authenticated(shared_.config.password.empty());
  note_card();
  reply().simple("RESET");
}

void Connection::on_echo(Args args) { reply().bulk(args[1]); }

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

}  // namespace kith::cache
