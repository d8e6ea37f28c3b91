#include "app/cli_node.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <thread>

#include "base/text.h"
#include "http/message.h"

namespace kith::app {

namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kUnconfirmed = 3;
constexpr Duration kAskAgain = 50ms;

// Columns as wide as their widest cell; what comes from other nodes cannot steer the terminal.
class Table {
 public:
  explicit Table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.size() == 1; }
  std::string text(std::string_view indent) const {
    std::vector<size_t> width(rows_[0].size());
    for (const auto& row : rows_) {
      for (size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
    }
    std::string out;
    for (const auto& row : rows_) {
      std::string line(indent);
      for (size_t i = 0; i < row.size(); ++i) {
        line += row[i];
        if (i + 1 < row.size()) line.append(width[i] - row[i].size() + 2, ' ');
      }
      out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return out;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string cell(const json::object& row, std::string_view key) {
  const json::value* value = find(row, key);
  if (value == nullptr || value->is_null()) return "-";
  if (!value->is_string()) return json::serialize(*value);
  return value->as_string().empty() ? "-" : printable(value->as_string(), 120);
}

bool is_true(const json::object& row, std::string_view key) {
  const json::value* value = find(row, key);
  return value != nullptr && value->is_bool() && value->as_bool();
}

const json::array& list_of(const json::object& row, std::string_view key) {
  static const json::array none;
  const json::value* value = find(row, key);
  return value != nullptr && value->is_array() ? value->as_array() : none;
}

// The id of the node that leads; "" when none does, or none is sought.
std::string leader_of(const json::object& cluster) {
  const json::value* leader = find(cluster, "leader");
  return leader != nullptr && leader->is_object() ? std::string(find_string(leader->as_object(), "id")) : "";
}

std::string state_of(const json::object& member) {
  std::string reach = cell(member, "reach");
  return reach == "alive" ? cell(member, "state") : reach;
}

std::string round_trip_of(const json::object& member) {
  const json::value* us = find(member, "rtt_us");
  if (us == nullptr || !us->is_int64()) return "-";
  std::string hundredths = std::to_string(us->as_int64() / 10 % 100);
  return std::to_string(us->as_int64() / 1000) + (hundredths.size() < 2 ? ".0" : ".") + hundredths + "ms";
}

std::string members_text(const json::object& cluster) {
  Table table(
      {"NAME", "ID", "STATE", "MEMBERSHIP", "DATA", "REGION", "ZONE", "SINCE", "RTT", "KEY", "VERSION"});
  std::string leader = leader_of(cluster);
  for (const json::value& each : list_of(cluster, "members")) {
    if (!each.is_object()) continue;
    const json::object& row = each.as_object();
    bool leads = !leader.empty() && find_string(row, "id") == leader;
    table.add({cell(row, "name") + (is_true(row, "self") ? " *" : ""), cell(row, "id").substr(0, 8),
               state_of(row) + (leads ? ", leads" : ""), cell(row, "membership"), cell(row, "data"),
               cell(row, "region"), cell(row, "zone"), cell(row, "since"), round_trip_of(row),
               cell(row, "key_epoch").substr(0, 8), cell(row, "version")});
  }
  return table.text("  ");
}

// "crashed; dialled since: 12x refused", or "5x rejected: wrong_cluster: the other node belongs to another
// cluster".
std::string why_of(const json::object& row) {
  bool was_member = !find_string(row, "id").empty();
  const json::value* value = find(row, "dial");
  if (value == nullptr || !value->is_object()) return cell(row, "why");
  const json::object& dial = value->as_object();
  std::string out = was_member ? cell(row, "why") + "; dialled since: " : "";
  out += cell(dial, "tries") + "x " + cell(dial, "why");
  if (!find_string(dial, "reason").empty()) out += ": " + cell(dial, "reason") + ": " + cell(dial, "detail");
  return out;
}

std::string absent_text(const json::object& cluster) {
  Table table({"NAME", "ID", "MEMBERSHIP", "SINCE", "WHY"});
  for (const json::value& each : list_of(cluster, "not_members")) {
    if (!each.is_object()) continue;
    const json::object& row = each.as_object();
    table.add({cell(row, "name"), cell(row, "id").substr(0, 8), cell(row, "membership"), cell(row, "since"),
               why_of(row)});
  }
  return table.empty() ? "" : "  not members:\n" + table.text("    ");
}

// A journal that is as it should be is not worth a word.
std::string journal_text(const json::object& cluster) {
  const json::value* journal = find(cluster, "journal");
  if (journal == nullptr || !journal->is_object() || is_true(journal->as_object(), "whole")) return "";
  const std::string why = cell(journal->as_object(), "failing");
  return why == "-" ? "; its journal is being completed" : "; its journal cannot be written: " + why;
}

std::string refusals_text(const json::object& cluster) {
  Table table({"REMOTE", "TIMES", "LAST", "WHY"});
  for (const json::value& each : list_of(cluster, "refusals")) {
    if (!each.is_object()) continue;
    const json::object& row = each.as_object();
    std::string why = cell(row, "reason") + ": " + cell(row, "explanation");
    if (!find_string(row, "detail").empty()) why += ": " + cell(row, "detail");
    table.add({cell(row, "remote"), cell(row, "count"), cell(row, "last"), std::move(why)});
  }
  return table.empty() ? "" : "  refused connections:\n" + table.text("    ");
}

}  // namespace

Result<std::string> NodeCommands::socket() const {
  if (!options_.socket.empty()) return options_.socket;
  if (source_.config == "-")
    return Error(Code::invalid,
                 "a configuration on standard input names no running node: give --socket PATH");
  // Problems elsewhere in the file, such as secrets that this user may not read, do not matter here.
  Loaded loaded = load_from_sources(source_, shell_.around, "");
  const ControlConfig& control = loaded.config.control;
  if (!control.enabled) return Error(Code::invalid, "control.disabled is set: this node cannot be asked");
  if (!control.socket.empty()) return control.socket;
  return Error(Code::not_found, loaded.problems.empty() ? "no configuration" : loaded.problems[0].message);
}

void NodeCommands::complain(const Error& error, const std::string& socket) {
  shell_.err << "kith: ";
  if (error.code() == Code::not_found || error.code() == Code::refused) {
    shell_.err << "no node is running there: nobody serves " << socket << '\n';
  } else {
    shell_.err << "cannot ask the node: " << error.message() << '\n';
  }
}

std::optional<json::object> NodeCommands::ask(const std::string& method, const std::string& path) {
  auto at = socket();
  if (!at) {
    shell_.err << "kith: " << at.error().message() << '\n';
    return std::nullopt;
  }
  auto answer = shell_.ask_node(*at, method, path, std::chrono::seconds(options_.timeout_seconds));
  if (!answer) {
    complain(answer.error(), *at);
    return std::nullopt;
  }
  if (answer->status / 100 == 2) return std::move(answer->body);
  shell_.err << "kith: " << find_string(answer->body, "error") << '\n';
  return std::nullopt;
}

int NodeCommands::members() {
  auto body = ask("GET", "/v1/members");
  if (!body) return kFailed;
  if (print_json(*body)) return kDone;
  const json::array& clusters = list_of(*body, "clusters");
  if (clusters.empty()) shell_.out << "this node belongs to no cluster\n";
  for (const json::value& each : clusters) {
    if (!each.is_object()) continue;
    const json::object& cluster = each.as_object();
    shell_.out << "cluster " << cell(cluster, "name") << ": " << list_of(cluster, "members").size()
               << " members, " << cell(cluster, "phase")
               << (is_true(cluster, "degraded") ? " (degraded)" : "") << journal_text(cluster) << '\n'
               << members_text(cluster) << absent_text(cluster) << refusals_text(cluster);
  }
  return kDone;
}

int NodeCommands::leave() {
  auto asked = ask("POST", "/v1/leave");
  if (!asked) return kFailed;
  shell_.err << "leaving: requests in flight finish, writes are handed over\n";
  std::string at = socket().value_or("");
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds(options_.timeout_seconds);
  while (std::chrono::steady_clock::now() < until) {
    auto still = shell_.ask_node(at, "GET", "/v1/health", 1s);
    bool gone = !still && (still.error().code() == Code::not_found || still.error().code() == Code::refused);
    if (gone) {
      shell_.out << "left\n";
      return kDone;
    }
    std::this_thread::sleep_for(kAskAgain);
  }
  shell_.err << "kith: the node is still there after " << options_.timeout_seconds << " s\n";
  return kFailed;
}

int NodeCommands::forget() {
  auto body = ask("DELETE", "/v1/departed/" + http::encode_component(options_.node));
  if (!body) return kFailed;
  shell_.out << "forgotten: " << cell(*body, "id") << '\n';
  return kDone;
}

int NodeCommands::health() {
  auto body = ask("GET", "/v1/health");
  if (!body) return kFailed;
  shell_.out << cell(*body, "status") << '\n';
  return find_string(*body, "status") == "up" ? kDone : kFailed;
}

int NodeCommands::list_sessions() {
  auto body = ask("GET", "/v1/sessions" + session_query() + "&limit=" + std::to_string(options_.limit));
  if (!body) return kFailed;
  if (print_json(*body)) return kDone;
  Table table({"SESSION", "USER", "CONNECTOR", "CREATED", "LAST SEEN", "EXPIRES"});
  for (const json::value& each : list_of(*body, "sessions")) {
    if (!each.is_object()) continue;
    const json::object& row = each.as_object();
    for (const json::value& user : list_of(row, "users")) {
      if (!user.is_object()) continue;
      table.add({cell(row, "ref"), cell(user.as_object(), "user"), cell(user.as_object(), "connector"),
                 cell(row, "created"), cell(row, "last_seen"), cell(row, "expires")});
    }
  }
  if (!table.empty()) shell_.out << table.text("");
  shell_.err << cell(*body, "matched") << " of " << cell(*body, "live") << " sessions\n";
  return kDone;
}

int NodeCommands::show_session() {
  auto body = ask("GET", "/v1/sessions/" + http::encode_component(options_.session));
  if (!body) return kFailed;
  if (print_json(*body)) return kDone;
  for (const char* name : {"ref", "state", "reason", "created", "last_seen", "expires"})
    if (find(*body, name) != nullptr) shell_.out << name << ": " << cell(*body, name) << '\n';
  for (const json::value& each : list_of(*body, "identities")) {
    if (!each.is_object()) continue;
    shell_.out << "identity:\n";
    for (const char* name : {"connector", "user", "issuer", "acr", "authenticated", "claims"})
      shell_.out << "  " << name << ": " << cell(each.as_object(), name) << '\n';
  }
  return kDone;
}

int NodeCommands::revoke_sessions() {
  const int named = !options_.session.empty() + !options_.user.empty() + options_.everybody;
  if (named != 1 || (options_.user.empty() && !options_.connector.empty())) {
    shell_.err << "kith: say which: a reference, --user USER (with --connector or without) or --everybody\n";
    return kUsage;
  }
  const std::string which =
      options_.session.empty() ? session_query() : "/" + http::encode_component(options_.session);
  auto body = ask("DELETE", "/v1/sessions" + which);
  if (!body) return kFailed;
  if (print_json(*body)) return kDone;
  shell_.out << "ended: " << cell(*body, "ended") << '\n';
  const json::value* count = find(*body, "ended");
  if (!options_.user.empty() && count != nullptr && *count == 0)
    shell_.err << "nobody of this name is logged in here; sessions of the subject that are not known here "
                  "yet are ended too\n";
  if (is_true(*body, "confirmed")) return kDone;
  std::string names;
  for (const json::value& name : list_of(*body, "waiting_for"))
    if (name.is_string()) names.append(names.empty() ? "" : ", ").append(printable(name.as_string(), 120));
  shell_.err << "it stands, but not every member has confirmed it yet" << (names.empty() ? "" : ": " + names)
             << '\n';
  return kUnconfirmed;
}

bool NodeCommands::print_json(const json::object& body) {
  if (options_.format != "json") return false;
  shell_.out << json::serialize(body) << '\n';
  return true;
}

std::string NodeCommands::session_query() const {
  std::string query = options_.everybody ? "?everybody=true" : "?everybody=false";
  for (const auto& [name, value] :
       {std::pair("user", &options_.user), std::pair("connector", &options_.connector)})
    if (!value->empty()) query.append("&").append(name).append("=").append(http::encode_component(*value));
  return query;
}

}  // namespace kith::app
