#include "app/node_control.h"

#include <set>

#include "app/version.h"
#include "cluster/status.h"

namespace kith::app {
namespace {

runtime::Task<ControlReply> ready(ControlReply reply) { co_return reply; }

ControlReply members(const NodeControl& node) {
  json::array clusters;
  for (const auto& cluster : node.clusters)
    clusters.push_back(cluster::status_of(*cluster, node.loop.now(), node.loop.wall_now()));
  return {200,
          {{"node", node.name},
           {"version", "kith/" + std::string(version())},
           {"clusters", std::move(clusters)}}};
}

// The one node that is gone and has this id, the beginning of it (4 digits at least) or this name.
ControlReply forget(const NodeControl& node, const std::string& who) {
  std::set<NodeId> meant;
  bool is_member = false;
  for (const auto& cluster : node.clusters) {
    for (const auto& [id, absent] : cluster->absences().nodes()) {
      if (absent.name == who || (who.size() >= 4 && id.hex().starts_with(who))) meant.insert(id);
    }
    for (const auto& member : cluster->membership().members())
      is_member = is_member || member.record.name == who ||
                  (who.size() >= 4 && member.record.id.hex().starts_with(who));
  }
  if (meant.empty() && is_member)
    return control_failure(409, "it is a member: ask itself to leave (kith leave)");
  if (meant.empty()) return control_failure(404, "no node that is gone has this id or name");
  if (meant.size() > 1)
    return control_failure(409, "several nodes that are gone are meant: give more of the id");
  for (const auto& cluster : node.clusters) cluster->forget(*meant.begin());
  return {200, {{"id", meant.begin()->hex()}}};
}

}  // namespace

void serve_node(ControlServer& server, NodeControl node) {
  server.on("GET /v1/members", [node](const ControlRequest&) { return ready(members(node)); });
  server.on("GET /v1/health", [node](const ControlRequest&) {
    return ready({200, {{"status", gateway::to_string(node.health.health())}}});
  });
  server.on("POST /v1/leave", [node](const ControlRequest&) {
    node.leave();
    return ready({202, {{"status", "leaving"}}});
  });
  server.on("DELETE /v1/departed/",
            [node](const ControlRequest& request) { return ready(forget(node, request.argument)); });
}

}  // namespace kith::app
