#include "cluster/status.h"

#include <set>

#include "base/text.h"

namespace kith::cluster {
namespace {

using membership::Member;

std::string_view word_of(Member::Link link) {
  switch (link) {
    case Member::Link::alive: return "alive";
    case Member::Link::suspect: return "suspect";
    case Member::Link::unreachable: return "unreachable";
  }
  return "unknown";
}

json::object member_row(const Member& member, MonoTime since, MonoTime now, WallTime wall_now) {
  const membership::NodeRecord& record = member.record;
  WallTime entered = wall_now - std::chrono::duration_cast<std::chrono::milliseconds>(now - since);
  json::array keys;
  for (const KeyId& key : record.keys) keys.emplace_back(key.hex());
  json::object row{
      {"name", record.name},
      {"id", record.id.hex()},
      {"self", member.self},
      {"state", to_string(record.state)},
      {"reach", word_of(member.link)},
      {"membership", record.membership.text()},
      {"data", record.data.text()},
      {"region", record.region},
      {"zone", record.zone},
      {"since", format_rfc3339(entered)},
      {"rtt_us", member.self || member.rtt == 0ns ? json::value() : json::value(member.rtt / 1us)},
      {"health", member.health},
      {"key_epoch", keys.empty() ? json::value() : keys.front()},
      {"keys", std::move(keys)},
      {"version", record.software},
      {"protocol", json::array{record.min_version, record.max_version}},
      {"incarnation", record.incarnation}};
  return row;
}

// A node that went, or an address that nobody we want answers at.
json::object absent_row(std::string_view name, std::string_view id, const Multiaddr& address,
                        std::string_view why, WallTime since) {
  return {{"name", name},
          {"id", id},
          {"membership", address.text()},
          {"why", why},
          {"since", format_rfc3339(since)}};
}

void add_dial(json::object& row, const Absences::Address& dial) {
  row["dial"] = json::object{{"why", dial.why},
                             {"reason", dial.reason},
                             {"detail", dial.detail},
                             {"tries", dial.tries},
                             {"last", format_rfc3339(dial.last)}};
}

json::array absent_rows(const Cluster& cluster) {
  const Absences& absences = cluster.absences();
  std::set<Multiaddr> told;
  for (const Member& member : cluster.membership().members()) told.insert(member.record.membership);
  json::array out;
  for (const auto& [id, node] : absences.nodes()) {
    json::object row = absent_row(node.name, id.hex(), node.address, node.why, node.since);
    auto dial = absences.addresses().find(node.address);
    if (dial != absences.addresses().end()) add_dial(row, dial->second);
    told.insert(node.address);
    out.push_back(std::move(row));
  }
  for (const auto& [address, dial] : absences.addresses()) {
    if (told.contains(address)) continue;
    json::object row = absent_row("", "", address, dial.why, dial.since);
    add_dial(row, dial);
    out.push_back(std::move(row));
  }
  return out;
}

json::array refusal_rows(const Absences& absences) {
  json::array out;
  for (const auto& [key, one] : absences.inbound()) {
    out.push_back(json::object{{"remote", key.first.text()},
                               {"reason", mesh::to_string(key.second)},
                               {"explanation", mesh::explain(key.second)},
                               {"detail", one.detail},
                               {"by_peer", one.by_peer},
                               {"count", one.count},
                               {"since", format_rfc3339(one.since)},
                               {"last", format_rfc3339(one.last)}});
  }
  return out;
}

json::object by_reason(const std::map<mesh::Refusal, uint64_t>& counts) {
  json::object out;
  for (const auto& [reason, count] : counts) out[mesh::to_string(reason)] = count;
  return out;
}

json::object counters_of(const Cluster& cluster) {
  const LinkCounters& links = cluster.link_counters();
  const membership::Counters& own = cluster.membership().counters();
  return {{"connections_accepted", links.accepted},
          {"links_established", links.established},
          {"half_open_limit", links.half_open_limit},
          {"refused_by_us", by_reason(links.refused_by_us)},
          {"refused_by_peer", by_reason(links.refused_by_peer)},
          {"records_refused", own.records_refused},
          {"messages_refused", own.messages_refused},
          {"turned_away", own.turned_away},
          {"unacknowledged_writes", cluster.unacknowledged_writes()},
          {"dials", own.dials},
          {"stalls", own.stalls},
          {"members_up", own.members_up},
          {"members_down", own.members_down}};
}

json::value journal_of(const Journal& journal) {
  return {{"directory", journal.directory()},
          {"bytes", journal.bytes()},
          {"generation", journal.generation()},
          {"whole", journal.whole()},
          {"failing", journal.failing().empty() ? json::value() : json::value(journal.failing())}};
}

json::value leader_of(const Cluster& cluster, MonoTime now) {
  const lease::Core& lease = cluster.leadership().core();
  std::optional<NodeId> leader = lease.leader(now);
  json::array voters;
  if (lease.voters()) {
    for (const NodeId& node : lease.voters()->nodes) voters.emplace_back(node.hex());
  }
  return {{"id", leader ? json::value(leader->hex()) : json::value()},
          {"self", lease.leads(now)},
          {"epoch", leader ? json::value(lease.leader_epoch(now)) : json::value()},
          {"majority", lease.has_majority()},
          {"voters", std::move(voters)}};
}

}  // namespace

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::syncing: return "syncing";
    case Phase::ready: return "ready";
    case Phase::draining: return "draining";
    case Phase::left: return "left";
  }
  return "unknown";
}

json::object status_of(const Cluster& cluster, MonoTime now, WallTime wall_now) {
  json::array members;
  for (const Member& member : cluster.membership().members())
    members.push_back(member_row(member, member.self ? cluster.started() : member.since, now, wall_now));
  return {{"name", cluster.name()},
          {"phase", to_string(cluster.phase())},
          {"degraded", cluster.degraded()},
          {"fresh", cluster.fresh(now)},
          {"journal", cluster.journal() ? journal_of(*cluster.journal()) : json::value()},
          {"leader", cluster.leadership().runs() ? leader_of(cluster, now) : json::value()},
          {"members", std::move(members)},
          {"not_members", absent_rows(cluster)},
          {"refusals", refusal_rows(cluster.absences())},
          {"counters", counters_of(cluster)}};
}

}  // namespace kith::cluster
