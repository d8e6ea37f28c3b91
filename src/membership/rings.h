// Who observes whom in a large cluster.
//
// Problem: when each of N nodes observes each, the price grows with N squared. Idea: K rings, each a
// pseudo-random order of all members; on each ring a node is observed by the one before it and observes the
// one after it. The orders follow from the members' NodeIds alone, so equal views give equal rings, and the
// union of the rings is an expander: few faulty nodes cannot surround a healthy one.
// Source: Rapid (USENIX ATC 2018, section 4.1).
#pragma once

#include <array>
#include <vector>

#include "base/node.h"

namespace kith::membership {

inline constexpr size_t kRings = 10;  // K
inline constexpr size_t kHigh = 7;    // H: this many observers' words remove a node
inline constexpr size_t kLow = 3;     // L: fewer are noise; from here on a cut waits for the rest
// However many rings they stand on: one that is sick, or lies, cannot remove anybody, and makes nobody count
// as accused.
inline constexpr size_t kSpeakers = 2;
inline constexpr size_t kFloodRings = 4;  // news travels along these, both ways: 8 links of a node

struct Slots {
  std::array<NodeId, kRings> observers, subjects;  // by ring; zero when nobody else is there
};

// The places of one node among the members (with or without it). About 20 ns for each member.
Slots slots_of(const NodeId& node, const std::vector<NodeId>& members);

}  // namespace kith::membership
