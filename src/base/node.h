// Names of nodes and of what they wrote.
#pragma once

#include "base/bytes.h"

namespace kith {

// First 16 bytes of SHA-256 of the node's Ed25519 public key. Name and address are not identity.
using NodeId = Id<16, struct NodeTag>;

// One life of a node: each boot has a greater incarnation and starts a new log.
struct Replica {
  NodeId node;
  uint64_t incarnation = 0;
  auto operator<=>(const Replica&) const = default;
};

// The position of one write: the seq-th entry (from 1) of a replica's log. seq 0 means none.
struct Dot {
  Replica origin;
  uint64_t seq = 0;
  auto operator<=>(const Dot&) const = default;
};

}  // namespace kith
