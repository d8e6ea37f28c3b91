// Large clusters: rings, cuts, and what must not happen to anybody who is well. Each runs small in the
// tests and at its full size in ./dev sim; the figures it prints are those of docs/benchmarks.md.
#include <iostream>

#include "seeds.h"
#include "sim/membership_cluster.h"

namespace kith::sim {
namespace {

using Node = MembershipCluster::Node;

void figure(const std::string& name, double value, const std::string& unit) {
  std::cout << "figure: " << name << " = " << value << " " << unit << "\n";
}
double seconds(Duration duration) { return static_cast<double>(duration / 1us) / 1e6; }

struct Large {
  Large(uint64_t seed, size_t count) : world(seed), cluster(world) {
    for (size_t i = 0; i < count; ++i) cluster.add({0});
  }
  // The first alone, the others all at once; until their views are equal.
  Duration bootstrap(Duration limit = 20s) {
    cluster.start(cluster[0]);
    world.run_for(1s);
    MonoTime since = world.now();
    for (size_t i = 1; i < cluster.size(); ++i) cluster.start(cluster[i]);
    EXPECT_TRUE(run_until([&] { return cluster.agree(); }, limit)) << cluster.describe();
    return world.now() - since;
  }
  // The condition is looked at each 5 ms: it costs more than most events.
  template <class Condition>
  bool run_until(Condition condition, Duration limit) {
    for (MonoTime end = world.now() + limit; world.now() < end;) {
      if (condition()) return true;
      world.run_for(5ms);
    }
    return condition();
  }
  std::vector<Node*> some(size_t count) {
    std::vector<Node*> out;
    while (out.size() < count) {
      Node* node = &cluster[1 + world.random().below(cluster.size() - 1)];
      if (std::find(out.begin(), out.end(), node) == out.end()) out.push_back(node);
    }
    return out;
  }
  // Of a cluster that has been well for a while: those who are about to be bad.
  std::vector<Node*> one_percent_of_settled() {
    bootstrap();
    world.run_for(8s);
    return some(std::max<size_t>(cluster.size() / 100, 2));
  }
  std::vector<Node*> others(const std::vector<Node*>& without) {
    std::vector<Node*> out;
    for (size_t i = 0; i < cluster.size(); ++i) {
      if (std::find(without.begin(), without.end(), &cluster[i]) == without.end()) out.push_back(&cluster[i]);
    }
    return out;
  }
  // The most changes of view that any of these nodes saw since a time.
  static size_t most_changes(const std::vector<Node*>& nodes, MonoTime since) {
    size_t most = 0;
    for (Node* node : nodes) {
      const auto& all = node->life->changes;
      most = std::max(most, static_cast<size_t>(std::count_if(all.begin(), all.end(),
                                                              [&](MonoTime at) { return at >= since; })));
    }
    return most;
  }
  // How often anybody declared one of these down since a time.
  size_t deaths_of(const std::vector<Node*>& nodes, MonoTime since) {
    std::set<NodeId> ids;
    for (Node* node : nodes) ids.insert(node->id());
    size_t out = 0;
    for (size_t i = 0; i < cluster.size(); ++i) {
      if (!cluster[i].life) continue;
      for (const auto& seen : cluster[i].life->seen) {
        if (seen.at >= since && ids.contains(seen.down.node)) ++out;
      }
    }
    return out;
  }
  World world;
  MembershipCluster cluster;
};

// ---------------------------------------------------------------- forming

TEST(MembershipLarge, FormsFromOneSeedInFewViews) {
  for_each_seed(
      [](uint64_t seed) {
        size_t count = full_size() ? 2000 : 120;
        Large large(seed, count);
        Duration took = large.bootstrap(10s);
        EXPECT_LE(large.cluster.sizes_seen().size(), 8u)
            << testing::PrintToString(large.cluster.sizes_seen()) << " after " << seconds(took) << " s";
        figure("bootstrap_s_" + std::to_string(count), seconds(took), "s");
        figure("bootstrap_sizes_" + std::to_string(count),
               static_cast<double>(large.cluster.sizes_seen().size()), "sizes");
        large.world.run_for(10s);
        EXPECT_TRUE(large.cluster.agree());
        for (Node* node : large.cluster.running())
          EXPECT_LE(node->life->core.links(), 2 * membership::kRings);
      },
      1000);
}

TEST(MembershipLarge, IsCheapWhenNothingHappens) {
  for_each_seed(
      [](uint64_t seed) {
        size_t count = full_size() ? 1000 : 100;
        Large large(seed, count);
        large.bootstrap();
        large.world.run_for(10s);
        size_t bytes = 0, messages = 0;
        auto count_sent = [&] {
          bytes = messages = 0;
          for (Node* node : large.cluster.running()) {
            bytes += node->life->bytes_sent;
            messages += node->life->messages_sent;
          }
        };
        count_sent();
        size_t bytes_before = bytes, messages_before = messages;
        auto real = std::chrono::steady_clock::now();
        std::clock_t cpu = std::clock();
        constexpr Duration kSpan = 20s;
        large.world.run_for(kSpan);
        double spent = static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
        double waited = std::chrono::duration<double>(std::chrono::steady_clock::now() - real).count();
        count_sent();
        double per_node = seconds(kSpan) * static_cast<double>(count);
        double rate = static_cast<double>(messages - messages_before) / per_node;
        double payload = static_cast<double>(bytes - bytes_before) / per_node;
        // Each message by itself: what is missing of the link's frame header (4 bytes, of which the simulator
        // sends 3), the TLS record (22), TCP and IP (52), and half of a bare acknowledgement (26).
        double on_the_wire = payload + rate * (1 + 22 + 52 + 26);
        figure("messages_per_s_per_node_" + std::to_string(count), rate, "1/s");
        figure("wire_bytes_per_s_per_node_" + std::to_string(count), on_the_wire, "B/s");
        figure("virtual_s_per_cpu_s_" + std::to_string(count), seconds(kSpan) / spent, "");
        figure("virtual_s_per_real_s_" + std::to_string(count), seconds(kSpan) / waited, "");
        EXPECT_LE(on_the_wire, 10'000);
        EXPECT_TRUE(large.cluster.violations().empty()) << large.cluster.violations()[0];
      },
      1000);
}

TEST(MembershipLarge, HasTheSameHistoryForTheSameSeed) {
  auto run = [](uint64_t seed) {
    Large large(seed, 60);
    large.bootstrap();
    for (Node* node : large.some(2)) large.cluster.kill(*node);
    large.world.run_for(3s);
    return large.world.hash();
  };
  EXPECT_EQ(run(11), run(11));
  EXPECT_NE(run(11), run(12));
}

// ---------------------------------------------------------------- going

// One in a hundred is bad in some way: exactly those go, soon, and together.
void expect_exactly_these_go(Large& large, const std::vector<Node*>& bad, MonoTime since,
                             const std::string& what) {
  std::vector<Node*> well = large.others(bad);
  bool gone = large.run_until([&] { return large.cluster.agree(well); }, 10s);
  EXPECT_TRUE(gone) << what << ": " << large.cluster.describe();
  std::string suffix = "_" + std::to_string(large.cluster.size());
  figure(what + "_s" + suffix, seconds(large.world.now() - since), "s");
  figure(what + "_view_changes" + suffix, static_cast<double>(Large::most_changes(well, since)), "");
  EXPECT_LE(Large::most_changes(well, since), 3u);
  EXPECT_EQ(large.deaths_of(well, since), 0u);
}

size_t rapid_size() { return full_size() ? 1000 : 100; }

TEST(MembershipLarge, LosesOnePercentThatCrashInOneView) {
  for_each_seed(
      [](uint64_t seed) {
        Large large(seed, rapid_size());
        auto bad = large.one_percent_of_settled();
        MonoTime since = large.world.now();
        for (Node* node : bad) large.cluster.kill(*node);
        expect_exactly_these_go(large, bad, since, "crash_of_1_percent");
      },
      200);
}

TEST(MembershipLarge, LosesOnePercentWithEightyPercentLoss) {
  for_each_seed(
      [](uint64_t seed) {
        Large large(seed, rapid_size());
        auto bad = large.one_percent_of_settled();
        MonoTime since = large.world.now();
        for (Node* node : bad) node->host->loss_per_mille = 800;
        expect_exactly_these_go(large, bad, since, "loss_80_percent");
        large.world.run_for(20s);
        EXPECT_EQ(large.deaths_of(large.others(bad), since), 0u);
      },
      200);
}

TEST(MembershipLarge, LosesThoseWhoseOneWayComesAndGoes) {
  for_each_seed(
      [](uint64_t seed) {
        Large large(seed, rapid_size());
        auto bad = large.one_percent_of_settled();
        MonoTime since = large.world.now();
        for (Node* node : bad) large.world.set_deaf(*node->host, true);
        expect_exactly_these_go(large, bad, since, "one_way_flip_flop");
        // It comes and goes for another minute, every 20 s: whoever is well stays.
        for (int i = 0; i < 3; ++i) {
          large.world.run_until(since + (i + 1) * 20s);
          for (Node* node : bad) large.world.set_deaf(*node->host, i % 2 == 1);
        }
        EXPECT_EQ(large.deaths_of(large.others(bad), since), 0u);
      },
      200);
}

// Lifeguard's grid (arXiv:1707.00788, section V): some members stop and go, and it is them who are slow.
TEST(MembershipLarge, DeclaresNoHealthyMemberDownWhileOthersAreSlow) {
  size_t count = full_size() ? 128 : 40;
  std::vector<size_t> slow_counts =
      full_size() ? std::vector<size_t>{1, 4, 8, 16, 32} : std::vector<size_t>{1, 10};
  std::vector<Duration> pauses = full_size() ? std::vector<Duration>{128ms, 512ms, 2048ms, 8192ms, 32768ms}
                                             : std::vector<Duration>{512ms, 4096ms};
  for_each_seed(
      [&](uint64_t seed) {
        size_t deaths = 0, cells = 0;
        for (size_t slow_count : slow_counts) {
          for (Duration pause : pauses) {
            Large large(seed, count);
            large.bootstrap();
            large.world.run_for(8s);
            auto slow = large.some(slow_count);
            MonoTime since = large.world.now();
            Duration span =
                full_size() ? std::max<Duration>(60s, 3 * pause) : std::max<Duration>(8s, 2 * pause);
            while (large.world.now() - since < span) {
              for (Node* node : slow) large.cluster.pause(*node);
              large.world.run_for(pause);
              for (Node* node : slow) large.cluster.resume(*node);
              large.world.run_for(large.world.random().between(1ms, 1s));
            }
            size_t here = large.deaths_of(large.others(slow), since);
            EXPECT_EQ(here, 0u) << slow_count << " slow members, pauses of " << pause / 1ms << " ms";
            deaths += here;
            ++cells;
            bool one_view = large.run_until([&] { return large.cluster.agree(); }, 6s);
            EXPECT_TRUE(one_view) << slow_count << " slow members, pauses of " << pause / 1ms << " ms";
          }
        }
        figure("lifeguard_false_deaths_in_" + std::to_string(cells) + "_cells", static_cast<double>(deaths),
               "");
      },
      1000);
}

// ---------------------------------------------------------------- parting and meeting

TEST(MembershipLarge, IsOneViewSoonAfterASplitEnds) {
  for_each_seed(
      [](uint64_t seed) {
        Large large(seed, full_size() ? 200 : 50);
        large.bootstrap();
        large.world.run_for(8s);
        auto one = large.some(large.cluster.size() / 2), other = large.others(one);
        large.cluster.split(one, other);
        bool apart =
            large.run_until([&] { return large.cluster.agree(one) && large.cluster.agree(other); }, 15s);
        EXPECT_TRUE(apart) << large.cluster.describe();
        large.world.run_for(full_size() ? Duration(30min) : Duration(20s));
        MonoTime since = large.world.now();
        large.cluster.heal();
        bool merged = large.run_until([&] { return large.cluster.agree(); }, 2s);
        EXPECT_TRUE(merged) << large.cluster.describe();
        figure("split_heals_s_" + std::to_string(large.cluster.size()), seconds(large.world.now() - since),
               "s");
        large.world.run_for(10s);
        EXPECT_TRUE(large.cluster.agree()) << large.cluster.describe();
        EXPECT_TRUE(large.cluster.violations().empty()) << large.cluster.violations()[0];
      },
      full_size() ? 1000 : 200);  // half an hour of 200 nodes takes a minute or two
}

TEST(MembershipLarge, IsOneViewSoonAfterIslandsMeet) {
  for_each_seed(
      [](uint64_t seed) {
        Large large(seed, full_size() ? 200 : 60);
        std::vector<Node*> islands[3];
        for (size_t i = 0; i < large.cluster.size(); ++i) islands[i % 3].push_back(&large.cluster[i]);
        // Each island has a seed of its own; one node of each knows one of the next.
        for (size_t k = 0; k < 3; ++k) {
          for (Node* node : islands[k]) node->seeds = {islands[k][0]->address};
          islands[k].back()->seeds.push_back(islands[(k + 1) % 3].back()->address);
        }
        for (size_t k = 0; k < 3; ++k) large.cluster.split(islands[k], islands[(k + 1) % 3]);
        for (size_t i = 0; i < large.cluster.size(); ++i) large.cluster.start(large.cluster[i]);
        large.world.run_for(30s);
        for (auto& island : islands) EXPECT_TRUE(large.cluster.agree(island)) << large.cluster.describe();
        MonoTime since = large.world.now();
        large.cluster.heal();
        bool merged = large.run_until([&] { return large.cluster.agree(); }, 7s);
        EXPECT_TRUE(merged) << large.cluster.describe();
        figure("islands_meet_s_" + std::to_string(large.cluster.size()), seconds(large.world.now() - since),
               "s");
      },
      200);
}

TEST(MembershipLarge, GrowsAndShrinksAcrossTheBorderOfEveryone) {
  for_each_seed(
      [](uint64_t seed) {
        Large large(seed, 40);
        for (size_t i = 0; i < 30; ++i) large.cluster.start(large.cluster[i]);
        large.world.run_for(4s);
        EXPECT_TRUE(large.cluster.agree()) << large.cluster.describe();
        EXPECT_FALSE(large.cluster[0].life->core.in_rings());
        for (size_t i = 30; i < 40; ++i) {
          large.cluster.start(large.cluster[i]);
          large.world.run_for(300ms);
        }
        large.world.run_for(4s);
        EXPECT_TRUE(large.cluster.agree()) << large.cluster.describe();
        EXPECT_TRUE(large.cluster[0].life->core.in_rings());
        for (size_t i = 5; i < 25; ++i)
          i % 2 ? large.cluster.kill(large.cluster[i]) : large.cluster.leave(large.cluster[i]);
        large.world.run_for(4s);
        EXPECT_TRUE(large.cluster.agree()) << large.cluster.describe();
        EXPECT_FALSE(large.cluster[0].life->core.in_rings());
        for (size_t i = 5; i < 25; ++i) large.cluster.start(large.cluster[i]);
        large.world.run_for(4s);
        EXPECT_TRUE(large.cluster.agree()) << large.cluster.describe();
        EXPECT_TRUE(large.cluster.violations().empty()) << large.cluster.violations()[0];
      },
      20);
}

}  // namespace
}  // namespace kith::sim
