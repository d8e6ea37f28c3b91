// Whether this node should get requests, as the rest of the process knows it.
#pragma once

#include <cstdint>
#include <string_view>

#include "cluster/leadership.h"

namespace kith::gateway {

// standby: another node leads an active_passive cluster. no_majority: in the smaller part of a split, and
// configured not to serve there.
enum class Health : uint8_t { starting, syncing, up, standby, no_majority, draining };

std::string_view to_string(Health health);  // as the status says it: "up"

class HealthSource {
 public:
  virtual ~HealthSource() = default;
  // From any thread.
  virtual Health health() const = 0;
  // Whether applications are served here now, and who serves them otherwise.
  virtual cluster::Standing standing() const = 0;
  // Whether this node has heard lately what the cluster of the sessions knows. If not, a session may have
  // been ended that it takes for live.
  virtual bool fresh() const = 0;
  // Serving although something that the cluster had is missing here, or may be.
  virtual bool degraded() const = 0;
};

}  // namespace kith::gateway
