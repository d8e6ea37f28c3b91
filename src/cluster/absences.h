// Why somebody is not a member, as far as this node has seen: members that went, addresses that are
// dialled in vain, connections that were refused. For people who ask; nothing is decided by it.
// Bounded: of each kind the entry that is the longest without news makes room.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "membership/core.h"
#include "mesh/refusal.h"

namespace kith::cluster {

// A connection that one side refused after it was made.
struct Refused {
  std::optional<Multiaddr> dialled;  // of our dial; else the other side dialled us
  IpAddress remote;
  mesh::Refusal reason = mesh::Refusal::none;
  bool by_peer = false;
  std::string detail;  // safe to show
};

class Absences {
 public:
  static constexpr size_t kMaxNodes = 256;
  static constexpr size_t kMaxAddresses = 512;
  static constexpr size_t kMaxRefusals = 256;

  struct Node {
    std::string name;
    Multiaddr address;
    std::string why;  // crashed, hung, left, replaced, full
    WallTime since;
  };
  struct Address {
    std::string why;     // refused, unreachable, timeout, rejected
    std::string reason;  // when rejected: the name of the refusal
    std::string detail;
    uint64_t tries = 0;
    WallTime since, last;
  };
  struct Inbound {
    bool by_peer = false;
    std::string detail;
    uint64_t count = 0;
    WallTime since, last;
  };
  using InboundKey = std::pair<IpAddress, mesh::Refusal>;

  void member_up(const membership::NodeRecord& record);  // also when its record changed
  void member_down(const NodeId& node, membership::DownReason why, WallTime now);
  void turned_away(const membership::NodeRecord& record, WallTime now);
  void dialled(const Multiaddr& address, membership::DialOutcome outcome, WallTime now);
  void refused(const Refused& refusal, WallTime now);
  void forget(const NodeId& node);

  const std::map<NodeId, Node>& nodes() const { return nodes_; }
  const std::map<Multiaddr, Address>& addresses() const { return addresses_; }
  const std::map<InboundKey, Inbound>& inbound() const { return inbound_; }

 private:
  void gone(const NodeId& id, Node node);

  std::map<NodeId, Node> present_;  // members, so that it is known who it was when one goes
  std::map<NodeId, Node> nodes_;
  std::map<Multiaddr, Address> addresses_;
  std::map<InboundKey, Inbound> inbound_;
};

}  // namespace kith::cluster
