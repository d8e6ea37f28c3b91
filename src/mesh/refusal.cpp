#include "mesh/refusal.h"

#include <array>

namespace kith::mesh {
namespace {

struct Entry {
  Refusal reason;
  std::string_view name;
  std::string_view sentence;
};

constexpr std::array kEntries = {
    Entry{Refusal::none, "none", "the connection ended"},
    Entry{Refusal::foreign_protocol, "foreign_protocol", "the other side does not speak the mesh protocol"},
    Entry{Refusal::version, "version", "the two nodes have no protocol version in common"},
    Entry{Refusal::wrong_port, "wrong_port",
          "a membership connection reached a data port, or the other way round; check the addresses"},
    Entry{Refusal::unknown_key, "unknown_key", "the nodes have no pre-shared key in common"},
    Entry{Refusal::tls_failure, "tls_failure", "the TLS connection failed"},
    Entry{Refusal::wrong_cluster, "wrong_cluster", "the other node belongs to another cluster"},
    Entry{Refusal::bad_signature, "bad_signature", "the other side could not prove its node key"},
    Entry{Refusal::self, "self", "this address is our own"},
    Entry{Refusal::unexpected_peer, "unexpected_peer", "another node answers at this address"},
    Entry{Refusal::duplicate, "duplicate", "the two nodes are connected already"},
    Entry{Refusal::clone, "clone", "two running processes have the same node key; give each its own"},
    Entry{Refusal::handshake_timeout, "handshake_timeout", "the handshake was not over in time"},
    Entry{Refusal::frame_limit, "frame_limit", "something larger than its limit was sent"},
    Entry{Refusal::malformed, "malformed", "bytes were sent that have no meaning here"},
    Entry{Refusal::banned, "banned", "the node is banned from the cluster"},
    Entry{Refusal::shutting_down, "shutting_down", "the node is shutting down"},
    Entry{Refusal::not_member, "not_member", "the node is not a member of the cluster yet"},
    Entry{Refusal::retired_key, "retired_key",
          "the pre-shared key was retired after a rotation; give the node the cluster's present one"},
    Entry{Refusal::not_admitted, "not_admitted", "the node is not on the list of nodes that are admitted"},
    Entry{Refusal::other, "other", "the other node refused for a reason of a later version"},
};

const Entry* entry(Refusal reason) {
  for (const Entry& candidate : kEntries) {
    if (candidate.reason == reason) return &candidate;
  }
  return nullptr;
}

}  // namespace

std::string_view to_string(Refusal reason) {
  const Entry* found = entry(reason);
  return found != nullptr ? found->name : "other";
}

std::string_view explain(Refusal reason) {
  const Entry* found = entry(reason);
  return found != nullptr ? found->sentence : explain(Refusal::other);
}

Refusal refusal_from(uint16_t number) {
  if (number > 0xff || entry(static_cast<Refusal>(number)) == nullptr) return Refusal::other;
  return static_cast<Refusal>(number);
}

}  // namespace kith::mesh
