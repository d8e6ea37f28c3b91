// Members that find each other by DNS alone, in a world whose DNS is late, partial, stale, swapped or gone.
#include <set>

#include "cluster_node.h"
#include "seeds.h"

namespace kith {
namespace {

using runtime::ServiceRecord;
using Answer = Result<std::vector<ServiceRecord>>;

const std::string kService = "_kith._tcp.example.test";

// Keeps what was said, as "message {key=value ...}".
class Lines final : public LogSink {
 public:
  bool enabled(Level) const override { return true; }
  void write(Level, std::string_view, std::string_view message, std::span<const Field> fields) override {
    std::string line(message);
    for (const Field& field : fields) line += " " + std::string(field.key) + "=" + std::string(field.value());
    lines.push_back(std::move(line));
  }
  size_t count(std::string_view words) const {
    return static_cast<size_t>(std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.find(words) != std::string::npos;
    }));
  }
  std::vector<std::string> lines;
};

struct DiscoveryWorld {
  explicit DiscoveryWorld(uint64_t seed) : world(seed) {}
  ~DiscoveryWorld() { world.services().clear(); }  // the nodes are killed one by one, and time goes on

  ClusterNode& add(const std::string& name, const std::string& service = kService) {
    auto& node = *nodes.emplace_back(std::make_unique<ClusterNode>(world, name));
    node.customize = [service](cluster::ClusterConfig& config) {
      config.discovery = cluster::ClusterConfig::Discovery::srv;
      config.srv.names = {service};
    };
    node.sink = said = std::make_shared<Lines>();
    logs.push_back(said);
    world.names()[name + ".test"] = {node.host.address};
    return node;
  }
  void add_many(size_t count) {
    for (size_t i = 0; i < count; ++i) add("n" + std::to_string(i));
  }
  ServiceRecord record(const ClusterNode& node) { return {node.name + ".test", 9450, 0, 0}; }
  std::vector<ServiceRecord> all() {
    std::vector<ServiceRecord> out;
    for (auto& node : nodes) out.push_back(record(*node));
    return out;
  }
  void answer(std::function<Answer(const sim::Host&)> make) { world.services()[kService] = std::move(make); }
  void tell_the_truth() {
    answer([this](const sim::Host&) { return all(); });
  }
  void start_all() {
    for (auto& node : nodes) node->start({});
  }
  bool one_cluster(size_t members) const {
    for (const auto& node : nodes) {
      if (node->cluster && (!node->ready() || node->cluster->membership().live_members() != members))
        return false;
    }
    return true;
  }
  void expect_one_cluster(size_t members, Duration within) {
    EXPECT_TRUE(world.run_while_not([&] { return one_cluster(members); }, within));
    for (const auto& node : nodes) {
      if (node->cluster) {
        EXPECT_EQ(node->cluster->membership().live_members(), members) << node->name;
      }
    }
  }
  void expect_nobody_lost() {
    for (const auto& log : logs) EXPECT_EQ(log->count("member is gone"), 0u);
  }

  sim::World world;
  std::shared_ptr<Lines> said;
  std::vector<std::shared_ptr<Lines>> logs;
  std::vector<std::unique_ptr<ClusterNode>> nodes;
};

struct DiscoveryScenario : testing::Test, DiscoveryWorld {
  DiscoveryScenario() : DiscoveryWorld(11) {}
};

TEST_F(DiscoveryScenario, AllAtOnceBecomeOneClusterInTwoSeconds) {
  add_many(7);
  tell_the_truth();
  start_all();
  expect_one_cluster(7, 2s);
  world.run_for(70s);  // two polls more
  for (const auto& log : logs) EXPECT_EQ(log->count("DNS names addresses"), 1u);  // once, not with every poll
  expect_nobody_lost();
}

TEST_F(DiscoveryScenario, OneNameThatLeadsToOneNodeIsEnough) {
  add_many(7);
  answer([this](const sim::Host&) { return std::vector<ServiceRecord>{record(*nodes[3])}; });
  start_all();
  expect_one_cluster(7, 3s);
}

TEST_F(DiscoveryScenario, ANameInFrontOfEverybodyLeadsToOneselfNowAndThenAndThatIsNoEnd) {
  add_many(4);
  // One address for all, as of a balancer: each question is answered with the next node.
  size_t turn = 0;
  answer([&](const sim::Host&) { return std::vector<ServiceRecord>{record(*nodes[turn++ % nodes.size()])}; });
  start_all();
  expect_one_cluster(4, 2min);
}

TEST_F(DiscoveryScenario, PartialAnswersThatDifferFromNodeToNodeAreEnough) {
  add_many(6);
  answer([this](const sim::Host& asking) {  // each knows only the next one
    for (size_t i = 0; i < nodes.size(); ++i)
      if (&nodes[i]->host == &asking)
        return Answer(std::vector<ServiceRecord>{record(*nodes[(i + 1) % nodes.size()])});
    return Answer(std::vector<ServiceRecord>{});
  });
  start_all();
  expect_one_cluster(6, 5s);
}

TEST_F(DiscoveryScenario, StaleAnswersFullOfDeadAddressesDoNotHideTheLiveOne) {
  add_many(3);
  for (int i = 0; i < 60; ++i)
    world.names()["dead" + std::to_string(i) + ".test"] = {
        IpAddress::v4(10, 66, 0, static_cast<uint8_t>(i + 1))};
  answer([this](const sim::Host&) {
    std::vector<ServiceRecord> out;
    for (int i = 0; i < 60; ++i) out.push_back({"dead" + std::to_string(i) + ".test", 9450, 0, 0});
    out.push_back(record(*nodes[0]));
    return out;
  });
  start_all();
  expect_one_cluster(3, 20s);
}

TEST_F(DiscoveryScenario, IslandsFromBeforeDnsKnewAnybodyMergeAtTheNextPoll) {
  add_many(3);
  start_all();  // the name does not exist
  expect_one_cluster(1, 5s);
  world.run_for(10min);
  expect_one_cluster(1, 1s);
  tell_the_truth();
  expect_one_cluster(3, 8s);  // alone, one asks every 5 s and not every 30 s
}

TEST_F(DiscoveryScenario, ANodeDoesNotFoundAClusterBeforeDnsHasAnswered) {
  add_many(2);
  MonoTime until = world.now() + 6s;
  answer([this, until](const sim::Host& asking) -> Answer {
    if (&asking == &nodes[1]->host && world.now() < until) return Error(Code::unavailable, "SERVFAIL");
    return all();
  });
  nodes[0]->start({});
  ASSERT_TRUE(world.run_while_not([&] { return nodes[0]->ready(); }, 5s));
  nodes[1]->start({});
  world.run_for(200ms);
  EXPECT_FALSE(nodes[1]->ready() && nodes[1]->cluster->membership().live_members() == 1);
  expect_one_cluster(2, 10s);
}

TEST_F(DiscoveryScenario, WithoutAnyAnswerANodeServesAloneAfterTheSyncDeadlineAndSaysWhyOnce) {
  add_many(1);
  answer([](const sim::Host&) -> Answer { return Error(Code::timeout, "no answer"); });
  start_all();
  EXPECT_FALSE(world.run_while_not([&] { return nodes[0]->ready(); }, 9s));
  EXPECT_TRUE(world.run_while_not([&] { return nodes[0]->ready(); }, 2s));
  world.run_for(10min);
  EXPECT_EQ(said->count("no answer from DNS"), 1u);
}

TEST_F(DiscoveryScenario, ANameThatGoesAwayTakesNoMemberAway) {
  add_many(4);
  tell_the_truth();
  start_all();
  expect_one_cluster(4, 5s);
  answer([](const sim::Host&) -> Answer { return Error(Code::not_found, "NXDOMAIN"); });
  world.run_for(70s);
  expect_one_cluster(4, 1s);
  answer([](const sim::Host&) -> Answer { return Error(Code::timeout, "no answer"); });
  world.run_for(70s);
  expect_one_cluster(4, 1s);
  tell_the_truth();
  world.run_for(40s);
  expect_nobody_lost();
  for (const auto& log : logs) {
    EXPECT_EQ(log->count("no answer from DNS"), 1u);
    EXPECT_EQ(log->count("DNS names addresses"), 3u);  // all, none, all again
  }
}

TEST_F(DiscoveryScenario, AnswersOfTwoClustersSwappedBringNobodyOver) {
  add_many(2);
  std::string other = "_other._tcp.example.test";
  for (const char* name : {"x", "y"}) add(name, other);
  auto ours = [this](const sim::Host&) {
    return std::vector<ServiceRecord>{record(*nodes[0]), record(*nodes[1])};
  };
  auto theirs = [this](const sim::Host&) {
    return std::vector<ServiceRecord>{record(*nodes[2]), record(*nodes[3])};
  };
  world.services() = {{kService, theirs}, {other, ours}};
  for (size_t i = 0; i < 4; ++i)
    nodes[i]->start({}, {crypto::Secret(Bytes(32, i < 2 ? 1 : 2))}, i < 2 ? "ours" : "theirs");
  world.run_for(1min);
  expect_one_cluster(1, 1s);
  world.services() = {{kService, ours}, {other, theirs}};
  expect_one_cluster(2, 10s);
  world.services() = {{kService, theirs}, {other, ours}};
  world.run_for(70s);
  expect_one_cluster(2, 1s);
  expect_nobody_lost();
}

TEST_F(DiscoveryScenario, AnAddressThatDnsNamesLaterIsDialledWithinAPoll) {
  add_many(3);
  std::set<size_t> known = {0, 1};
  answer([&](const sim::Host&) {
    std::vector<ServiceRecord> out;
    for (size_t i : known) out.push_back(record(*nodes[i]));
    return out;
  });
  nodes[0]->start({});
  nodes[1]->start({});
  expect_one_cluster(2, 5s);
  // The third one asks for a name that does not exist: only the others can find it.
  nodes[2]->customize = [](cluster::ClusterConfig& config) {
    config.discovery = cluster::ClusterConfig::Discovery::srv;
    config.srv.names = {"_nobody._tcp.example.test"};
  };
  nodes[2]->start({});
  world.run_for(1min);
  EXPECT_EQ(nodes[2]->cluster->membership().live_members(), 1u);
  known.insert(2);
  expect_one_cluster(3, 35s);
}

TEST_F(DiscoveryScenario, OneTargetOfSeveralAddressesOfBothFamiliesIsOneNode) {
  add_many(2);
  world.names()["n0.test"].push_back(*IpAddress::parse("2001:db8::1"));
  world.names()["n0.test"].push_back(IpAddress::v4(0, 0, 0, 0));
  world.names()["n1.test"].insert(world.names()["n1.test"].begin(), IpAddress::v4(10, 66, 0, 1));
  tell_the_truth();
  start_all();
  expect_one_cluster(2, 5s);
}

// Made-up answers: failures, wrong ports, dead and unknown targets, now and then the truth.
Answer noise(sim::Random& random) {
  switch (random.below(6)) {
    case 0: return Error(Code::unavailable, "SERVFAIL");
    case 1: return Error(Code::timeout, "silence");
    case 2: return Error(Code::not_found, "NXDOMAIN");
    default: break;
  }
  std::vector<ServiceRecord> out;
  for (size_t i = random.below(200); i > 0; --i) {
    auto port = static_cast<uint16_t>(random.chance(1, 2) ? 9450 : random.below(65536));
    std::string target = random.chance(1, 3) ? "n" + std::to_string(random.below(5))
                                             : "dead" + std::to_string(random.below(120));
    out.push_back({target + ".test", port, static_cast<uint16_t>(random.below(3)),
                   static_cast<uint16_t>(random.below(9))});
  }
  return out;
}

void no_answer_moves_a_member(uint64_t seed) {
  DiscoveryWorld it(seed);
  it.add_many(5);
  it.tell_the_truth();
  it.start_all();
  it.expect_one_cluster(5, 10s);
  for (uint8_t i = 1; i < 100; ++i)
    it.world.names()["dead" + std::to_string(i) + ".test"] = {IpAddress::v4(10, 66, 0, i)};
  it.answer([&it](const sim::Host&) { return noise(it.world.random()); });
  for (int poll = 0; poll < 4; ++poll) {
    it.world.run_for(30s);
    EXPECT_TRUE(it.one_cluster(5));
  }
  it.expect_nobody_lost();
  // One starts anew among the lies, and finds the others at the latest with the first true answer.
  it.nodes[4]->kill();
  ASSERT_TRUE(it.world.run_while_not([&] { return it.one_cluster(4); }, 10s));
  it.nodes[4]->start({});
  it.world.run_for(10s);
  it.tell_the_truth();
  it.expect_one_cluster(5, 40s);
}

TEST(DiscoverySeeds, NoAnswerMovesAMemberAndTheFirstTrueOneHeals) {
  sim::for_each_seed(no_answer_moves_a_member, 20);
}

}  // namespace
}  // namespace kith
