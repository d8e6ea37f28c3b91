// Runs a scenario for many seeds: KITH_SIM_SEEDS of them (default 200), or KITH_SIM_SEED alone. The
// first seed that fails ends the test and is named with the way to replay it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string>

#include "base/text.h"

namespace kith::sim {

inline uint64_t number_from_environment(const char* name, uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : parse_u64(text).value_or(fallback);
}

// share: large scenarios run one in `share` of the seeds.
inline void for_each_seed(const std::function<void(uint64_t)>& scenario, uint64_t share = 1) {
  uint64_t first = number_from_environment("KITH_SIM_SEED", 0);
  uint64_t count = std::max<uint64_t>(number_from_environment("KITH_SIM_SEEDS", 200) / share, 1);
  if (first != 0) count = 1;
  for (uint64_t seed = std::max<uint64_t>(first, 1); count > 0; ++seed, --count) {
    SCOPED_TRACE("replay with KITH_SIM_SEED=" + std::to_string(seed));
    scenario(seed);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace kith::sim
