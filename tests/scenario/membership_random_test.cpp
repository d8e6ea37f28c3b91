// Kills, pauses, restarts, leaves and splits at random; the cluster keeps watch over false deaths, and
// when all is quiet there is one view again.
#include "seeds.h"
#include "sim/membership_cluster.h"

namespace kith::sim {
namespace {

class Workload {
 public:
  explicit Workload(uint64_t seed) : world_(seed, network(seed)), cluster_(world_) {
    size_t count = 2 + world_.random().below(9);
    for (size_t i = 0; i < count; ++i) cluster_.add();
    for (size_t i = 0; i < count; ++i) {
      cluster_[i].seeds = {cluster_[0].address, cluster_[world_.random().below(count)].address};
      cluster_.start(cluster_[i]);
    }
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      disturb();
      world_.run_for(world_.random().between(0ms, world_.random().chance(1, 4) ? 10s : 1s));
    }
    for (size_t i = 0; i < cluster_.size(); ++i) {
      cluster_.resume(cluster_[i]);
      if (!cluster_[i].life) cluster_.start(cluster_[i]);
    }
    cluster_.heal();
    bool settled = world_.run_while_not([&] { return cluster_.agree(); }, 6s);
    EXPECT_TRUE(settled) << cluster_.describe();
    world_.run_for(30s);
    EXPECT_TRUE(cluster_.agree()) << cluster_.describe();
    EXPECT_TRUE(cluster_.violations().empty()) << cluster_.describe();
  }
  uint64_t hash() const { return world_.hash(); }

 private:
  static NetworkOptions network(uint64_t seed) {
    NetworkOptions options;
    if (seed % 3 == 1) options.max_latency = 40ms;  // a wide area
    if (seed % 5 == 2) options.loss_per_mille = 5;
    return options;
  }

  void disturb() {
    auto& node = cluster_[world_.random().below(cluster_.size())];
    switch (world_.random().below(8)) {
      case 0:
        if (node.life) cluster_.kill(node);
        break;
      case 1:
        if (node.running()) cluster_.leave(node);
        break;
      case 2:
      case 3:
        if (!node.life) cluster_.start(node);
        break;
      case 4: cluster_.pause(node); break;
      case 5: cluster_.resume(node); break;
      case 6: split(); break;
      case 7: cluster_.heal(); break;
    }
  }

  void split() {
    std::vector<MembershipCluster::Node*> sides[2];
    for (size_t i = 0; i < cluster_.size(); ++i) sides[world_.random().below(2)].push_back(&cluster_[i]);
    cluster_.split(sides[0], sides[1]);
  }

  World world_;
  MembershipCluster cluster_;
};

TEST(MembershipAtRandom, KillsNobodyWhoIsWellAndComesBackToOneView) {
  for_each_seed([](uint64_t seed) { Workload(seed).run(40); });
}

TEST(MembershipAtRandom, IsTheSameHistoryForTheSameSeed) {
  auto run = [](uint64_t seed) {
    Workload workload(seed);
    workload.run(10);
    return workload.hash();
  };
  EXPECT_EQ(run(3), run(3));
}

}  // namespace
}  // namespace kith::sim
