// What a link is for, and the port it comes in at.
#pragma once

#include <cstdint>

namespace kith::mesh {

// Two data links per pair of nodes, so that a large bulk record never delays an urgent one.
enum class Channel : uint8_t { membership = 1, urgent = 2, bulk = 3 };
enum class Port : uint8_t { membership = 1, data = 2 };

constexpr Port port_of(Channel channel) {
  return channel == Channel::membership ? Port::membership : Port::data;
}

}  // namespace kith::mesh
