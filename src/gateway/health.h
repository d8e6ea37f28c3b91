// Whether this node should get requests, as the rest of the process knows it.
#pragma once

#include <cstdint>
#include <string_view>

namespace kith::gateway {

enum class Health : uint8_t { starting, syncing, up, draining };

std::string_view to_string(Health health);  // as the status says it: "up"

class HealthSource {
 public:
  virtual ~HealthSource() = default;
  virtual Health health() const = 0;  // from any thread
};

}  // namespace kith::gateway
