#include "membership/rings.h"

#include <limits>

namespace kith::membership {
namespace {

// NodeIds are hashes: eight of their bytes, mixed with the ring's number (splitmix64's finaliser), are a
// pseudo-random place on it.
uint64_t first_bytes(const NodeId& node) {
  uint64_t out = 0;
  for (size_t i = 0; i < 8; ++i) out |= uint64_t{node.bytes[i]} << (8 * i);
  return out;
}

uint64_t place_on(size_t ring, uint64_t first_bytes) {
  uint64_t x = first_bytes + (ring + 1) * 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

Slots slots_of(const NodeId& node, const std::vector<NodeId>& members) {
  Slots out;
  std::array<uint64_t, kRings> own{}, before{}, after{};
  for (size_t ring = 0; ring < kRings; ++ring) own[ring] = place_on(ring, first_bytes(node));
  before.fill(std::numeric_limits<uint64_t>::max());
  after.fill(std::numeric_limits<uint64_t>::max());
  // Of two members in one place, which takes a search for colliding keys, the smaller NodeId is nearer.
  auto nearer = [](uint64_t distance, uint64_t best, const NodeId& one, const NodeId& other) {
    return distance < best || (distance == best && (other.is_zero() || one < other));
  };
  for (const NodeId& member : members) {
    if (member == node) continue;
    const uint64_t bytes = first_bytes(member);
    for (size_t ring = 0; ring < kRings; ++ring) {
      uint64_t place = place_on(ring, bytes);
      if (uint64_t distance = own[ring] - place;
          nearer(distance, before[ring], member, out.observers[ring])) {
        before[ring] = distance;
        out.observers[ring] = member;
      }
      if (uint64_t distance = place - own[ring]; nearer(distance, after[ring], member, out.subjects[ring])) {
        after[ring] = distance;
        out.subjects[ring] = member;
      }
    }
  }
  return out;
}

}  // namespace kith::membership
