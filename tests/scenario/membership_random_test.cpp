// Faults of all kinds at random; the cluster keeps watch over false deaths, and when all is quiet there is
// one view again. KITH_SIM_PICTURE=FILE draws what happened.
#include <fstream>
#include <iostream>

#include "seeds.h"
#include "sim/faults.h"
#include "sim/timeline.h"

namespace kith::sim {
namespace {

class Workload {
 public:
  explicit Workload(uint64_t seed, size_t most_nodes)
      : world_(seed, network(seed)), cluster_(world_, config(seed)) {
    size_t count = 2 + world_.random().below(most_nodes - 1);
    for (size_t i = 0; i < count; ++i) {
      cluster_.add();
      cluster_[i].host->drift_ppm = static_cast<int64_t>(world_.random().below(1001)) - 500;
    }
    faults_.emplace(cluster_);
    for (size_t i = 0; i < count; ++i) {
      cluster_[i].seeds = {cluster_[0].address, cluster_[world_.random().below(count)].address};
      if (seed % 2 == 0) cluster_[i].seeds.push_back(faults_->name());
      cluster_.start(cluster_[i]);
    }
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      faults_->inject();
      pass(world_.random().between(0ms, world_.random().chance(1, 4) ? 10s : 1s));
    }
    faults_->end();
    bool settled = false;
    for (Duration passed{0}; passed < 6s && !settled; passed += 50ms) {
      pass(50ms);
      settled = cluster_.agree();
    }
    EXPECT_TRUE(settled) << describe();
    pass(8s);
    EXPECT_TRUE(cluster_.agree()) << describe();
    EXPECT_TRUE(cluster_.violations().empty()) << describe();
  }
  std::string describe() const { return faults_->history() + cluster_.describe(); }
  uint64_t hash() const { return world_.hash(); }
  const Faults::Coverage& coverage() const { return faults_->coverage(); }
  std::string picture() const { return timeline_.svg("seed " + std::to_string(world_.seed())); }
  void draw() { drawing_ = true; }

 private:
  static NetworkOptions network(uint64_t seed) {
    NetworkOptions options;
    if (seed % 3 == 1) options.max_latency = 40ms;  // a wide area
    if (seed % 5 == 2) options.loss_per_mille = 5;
    return options;
  }
  // Half of the clusters are large ones, in that they observe along rings.
  static membership::Config config(uint64_t seed) {
    membership::Config out;
    if (seed % 4 >= 2) out.everyone = 4;
    return out;
  }

  void pass(Duration duration) {
    if (!drawing_) return world_.run_for(duration);
    for (MonoTime end = world_.now() + duration; world_.now() < end;) {
      world_.run_for(std::min<Duration>(50ms, end - world_.now()));
      timeline_.look(cluster_);
    }
  }

  World world_;
  MembershipCluster cluster_;
  std::optional<Faults> faults_;
  Timeline timeline_;
  bool drawing_ = false;
};

TEST(MembershipAtRandom, KillsNobodyWhoIsWellAndComesBackToOneView) {
  Faults::Coverage coverage{};
  const char* picture = std::getenv("KITH_SIM_PICTURE");
  for_each_seed(
      [&](uint64_t seed) {
        Workload workload(seed, full_size() ? 12 : 7);
        if (picture != nullptr) workload.draw();
        workload.run(full_size() ? 40 : 6);
        for (size_t i = 0; i < coverage.size(); ++i) coverage[i] += workload.coverage()[i];
        if (picture != nullptr) std::ofstream(picture) << workload.picture();
      },
      1, full_size() ? 1 : 50);
  std::cout << describe(coverage);
  if (std::getenv("KITH_SIM_SEED") != nullptr || HasFailure()) return;
  for (size_t i = 0; i < coverage.size(); ++i)
    EXPECT_GT(coverage[i], 0u) << "no seed had a " << to_string(static_cast<Fault>(i));
}

TEST(MembershipAtRandom, IsTheSameHistoryForTheSameSeed) {
  auto run = [](uint64_t seed) {
    Workload workload(seed, 8);
    workload.run(10);
    return workload.hash();
  };
  EXPECT_EQ(run(3), run(3));
  EXPECT_NE(run(3), run(4));
}

}  // namespace
}  // namespace kith::sim
