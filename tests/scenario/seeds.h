// Runs a scenario for many seeds: KITH_SIM_SEEDS of them (default 200), or KITH_SIM_SEED alone. The
// first seed that fails ends the test and is named with the command that replays it.
//
// Where KITH_SIM_SHARDS processes share the seeds, this is number KITH_SIM_SHARD of them, from 0.
// KITH_SIM_FULL=1 (set by ./dev sim) asks for the full size of the large scenarios.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "base/text.h"

namespace kith::sim {

inline uint64_t number_from_environment(const char* name, uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : parse_u64(text).value_or(fallback);
}

inline bool full_size() { return number_from_environment("KITH_SIM_FULL", 0) != 0; }

inline std::string test_name() {
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  return std::string(info->test_suite_name()) + "." + info->name();
}

inline std::string replay_command(uint64_t seed) {
  return "replay with: ./dev sim " + std::to_string(seed) + " '" + test_name() + "'";
}

// A line on standard error every few seconds, for who waits for a night run.
class Progress {
 public:
  explicit Progress(uint64_t total) : total_(total), last_(Clock::now()) {}
  void step(uint64_t done) {
    if (number_from_environment("KITH_SIM_PROGRESS", 0) == 0 ||
        Clock::now() - last_ < std::chrono::seconds(5))
      return;
    last_ = Clock::now();
    std::fprintf(stderr, "  %s: %llu of %llu seeds\n", test_name().c_str(),
                 static_cast<unsigned long long>(done), static_cast<unsigned long long>(total_));
  }

 private:
  using Clock = std::chrono::steady_clock;
  uint64_t total_;
  Clock::time_point last_;
};

// share: large scenarios run one in `share` of the seeds; times: small ones as many times more.
inline void for_each_seed(const std::function<void(uint64_t)>& scenario, uint64_t share = 1,
                          uint64_t times = 1) {
  uint64_t first = number_from_environment("KITH_SIM_SEED", 0);
  uint64_t count = std::max<uint64_t>(number_from_environment("KITH_SIM_SEEDS", 200) * times / share, 1);
  if (first != 0) count = 1;
  const uint64_t shards = std::max<uint64_t>(number_from_environment("KITH_SIM_SHARDS", 1), 1);
  Progress progress(count);
  for (uint64_t done = number_from_environment("KITH_SIM_SHARD", 0); done < count; done += shards) {
    uint64_t seed = std::max<uint64_t>(first, 1) + done;
    SCOPED_TRACE(replay_command(seed));
    scenario(seed);
    if (testing::Test::HasFailure()) return;
    progress.step(done + 1);
  }
}

}  // namespace kith::sim
