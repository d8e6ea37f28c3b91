// A fixture of whole clusters on simulated hosts.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "cluster_node.h"

namespace kith {

template <class T>
runtime::Task<void> keep(runtime::Task<T> task, std::optional<T>& out) {
  out.emplace(co_await std::move(task));
}

// Some nodes that know one another's addresses, and what a test asks of them.
struct ClusterScenario : testing::Test {
  explicit ClusterScenario(size_t count = 3) {
    for (size_t i = 0; i < count; ++i)
      nodes.push_back(std::make_unique<ClusterNode>(world, std::string(1, static_cast<char>('a' + i))));
  }
  std::vector<Multiaddr> seeds() const {
    std::vector<Multiaddr> out;
    for (const auto& node : nodes) out.push_back(Multiaddr::from({node->host.address, 9450}));
    return out;
  }
  void start_all() {
    for (auto& node : nodes) node->start(seeds());
    ASSERT_TRUE(world.run_while_not([&] { return all_joined(nodes.size()); }, 20s));
  }
  bool all_joined(size_t members) const {
    for (const auto& node : nodes) {
      if (!node->cluster) continue;
      if (!node->ready() || node->cluster->membership().live_members() != members ||
          node->cluster->replication().peers() != members - 1)
        return false;
    }
    return true;
  }
  template <class T>
  T run(runtime::Task<T> task) {
    std::optional<T> out;
    auto scope = std::make_unique<runtime::Scope>();  // on the stack g++ 12 takes it for uninitialized
    scope->spawn(keep(std::move(task), out));
    EXPECT_TRUE(world.run_while_not([&] { return out.has_value(); }, 60s));
    return std::move(*out);
  }
  cluster::SessionWrite create(ClusterNode& node, int session,
                               cluster::AckLevel level = cluster::AckLevel::one) {
    auto write = run(node.cluster->sessions().create(node.ports->loop, key_of(session), node.record("alice"),
                                                     level, world.now() + 5s));
    EXPECT_TRUE(write);
    return write ? *write : cluster::SessionWrite{};
  }

  sim::World world{7};
  std::vector<std::unique_ptr<ClusterNode>> nodes;
};

}  // namespace kith
