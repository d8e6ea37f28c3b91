// How widely a write has to be held before its caller goes on.
#pragma once

#include <cstdint>

namespace kith::cluster {

// What holds a write when it counts as acknowledged. Where there is nobody whom the level asks, the one
// before it counts (zone: one; one, all: local); where there is no journal, journal and fsync are never
// reached.
enum class AckLevel : uint8_t {
  local,    // this node's memory
  journal,  // this node's journal, which outlives the process
  fsync,    // ... and the power
  one,      // the memory of another member
  zone,     // that of a member of another zone or region
  all,      // that of every member that is linked with this one
};

}  // namespace kith::cluster
