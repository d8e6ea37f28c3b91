// Single use under siege: the same code at all nodes at once, while nodes die, stall, restart and are cut
// off. Never two winners, never a thief who is none, and an answer in time where a majority of the group
// lives. The figures that it prints are how often codes were presented.
#include <algorithm>
#include <functional>
#include <iostream>
#include <set>

#include "once_world.h"
#include "seeds.h"

namespace kith::sim {
namespace {

using once::Outcome;
using Node = OnceWorld::Node;

void expect_no_violation(const OnceWorld& once) {
  for (const std::string& violation : once.violations()) ADD_FAILURE() << violation;
}

// Clocks that run up to half a percent fast or slow and are up to a second off.
void disturb_clocks(OnceWorld& once) {
  Random& random = once.world().random();
  for (size_t i = 0; i < once.size(); ++i) {
    once[i].host->drift_ppm = static_cast<int64_t>(random.below(10'001)) - 5'000;
    once[i].host->wall_offset = random.between(0s, 2s) - 1s;
  }
}

size_t three_five_or_seven(Random& random) { return 3 + 2 * random.below(3); }

Node& any(OnceWorld& once) { return once[once.world().random().below(once.size())]; }

// Codes of this node that a deputy has.
std::vector<size_t> mint(OnceWorld& once, Node& node, size_t count, Duration lifetime = 60s) {
  std::vector<size_t> out;
  for (size_t i = 0; i < count; ++i) out.push_back(*once.mint(node, lifetime));
  once.world().run_for(200ms);
  for (size_t code : out) EXPECT_TRUE(once.code(code).acknowledged.value_or(false)) << once.describe(code);
  return out;
}

// One client more at each node, all at this moment.
std::vector<size_t> present_everywhere(OnceWorld& once, size_t code) {
  std::vector<size_t> out;
  for (size_t i = 0; i < once.size(); ++i) {
    if (once.running(once[i])) out.push_back(once.present(once[i], code, once.new_client()));
  }
  return out;
}

size_t count(const OnceWorld& once, const std::vector<size_t>& presentations, Outcome outcome) {
  return static_cast<size_t>(std::count_if(presentations.begin(), presentations.end(), [&](size_t number) {
    return once.presentation(number).told == outcome;
  }));
}

// Presentations of all seeds of one test.
struct Tally {
  size_t presentations = 0, codes = 0;
  void add(const OnceWorld& once) {
    presentations += once.presentations();
    codes += once.codes();
  }
  ~Tally() {
    std::cout << "figure: presentations of " << test_name() << " = " << presentations << "\n"
              << "figure: codes of " << test_name() << " = " << codes << "\n";
  }
};

// For each seed: three, five or seven nodes, whose clocks are wrong, and what must hold whatever happens.
void under_siege(const std::function<void(World&, OnceWorld&)>& scenario) {
  Tally tally;
  for_each_seed([&](uint64_t seed) {
    World world(seed);
    OnceWorld once(world, three_five_or_seven(world.random()));
    disturb_clocks(once);
    once.start_all();
    scenario(world, once);
    expect_no_violation(once);
    tally.add(once);
  });
}

TEST(Once, a_code_that_is_presented_to_all_nodes_at_once_has_one_winner) {
  under_siege([](World& world, OnceWorld& once) {
    once.max_delay = world.random().between(1ms, 50ms);
    for (size_t code : mint(once, any(once), 5)) {
      std::vector<size_t> all = present_everywhere(once, code);
      once.run_until_all_told(4s);
      EXPECT_EQ(count(once, all, Outcome::won), 1U) << once.describe(code);
      EXPECT_EQ(count(once, all, Outcome::used), all.size() - 1) << once.describe(code);
    }
  });
}

TEST(Once, when_the_minting_node_dies_meanwhile_the_deputies_answer) {
  under_siege([](World& world, OnceWorld& once) {
    for (int turn = 0; turn < 4; ++turn) {
      Node& minting = any(once);
      const size_t code = mint(once, minting, 1).front();
      std::vector<size_t> all = present_everywhere(once, code);
      world.run_for(world.random().between(0ms, 6ms));
      once.kill(minting);
      if (world.random().chance(1, 2)) once.start(minting);  // as another replica
      once.run_until_all_told(4s);
      for (size_t number : all) {
        const auto& one = once.presentation(number);
        if (!one.told) continue;  // it died with the minting node
        EXPECT_TRUE(one.told == Outcome::won || one.told == Outcome::used) << once.describe(code);
      }
      if (!minting.core) once.start(minting);
      world.run_for(500ms);
      const size_t after = once.present(any(once), code, once.new_client());
      once.run_until_all_told(4s);
      EXPECT_TRUE(once.code(code).winner.has_value()) << once.describe(code);
      EXPECT_EQ(once.presentation(after).told, Outcome::used) << once.describe(code);
    }
  });
}

TEST(Once, a_client_whose_answer_was_lost_wins_again_at_whatever_node_and_a_thief_does_not) {
  under_siege([](World& world, OnceWorld& once) {
    for (int turn = 0; turn < 5; ++turn) {
      const size_t code = mint(once, any(once), 1).front();
      // The node that it asked is cut off or dies before it hears the answer, or just as it does.
      once::ProofHash client = once.new_client();
      Node& asked = any(once);
      once.present(asked, code, client);
      world.run_for(world.random().between(0ms, 4ms));
      const bool dies = world.random().chance(1, 2);
      if (dies) {
        once.kill(asked);
      } else {
        world.set_deaf(*asked.host, true);
      }
      world.run_for(world.random().between(0ms, 1s));
      Node& another = once[(asked.index + 1 + world.random().below(once.size() - 1)) % once.size()];
      const size_t retry = once.present(another, code, client);
      once.run_until_all_told(4s);
      const bool alive = once.has_majority_alive(code);
      if (alive) {
        EXPECT_EQ(once.presentation(retry).told, Outcome::won) << once.describe(code);
      }
      world.heal();
      if (dies) once.start(asked);
      world.run_for(500ms);
      const size_t thief = once.present(any(once), code, once.new_client());
      once.run_until_all_told(4s);
      if (alive && once.has_majority_alive(code)) {
        EXPECT_EQ(once.presentation(thief).told, Outcome::used) << once.describe(code);
      }
    }
  });
}

TEST(Once, in_a_split_the_part_with_a_majority_of_the_group_answers_and_the_other_denies) {
  under_siege([](World& world, OnceWorld& once) {
    const std::vector<size_t> codes = mint(once, any(once), 5);
    std::vector<Host*> one, two;
    std::set<size_t> in_one;
    for (size_t i = 0; i < once.size(); ++i) {
      const bool first = world.random().chance(1, 2);
      (first ? one : two).push_back(once[i].host);
      if (first) in_one.insert(i);
    }
    world.split(one, two);
    for (size_t code : codes) {
      size_t members = 0;
      for (Node* node : once.group_of(code)) members += in_one.contains(node->index) ? 1 : 0;
      const bool one_decides = members >= 2;
      std::vector<size_t> all = present_everywhere(once, code);
      once.run_until_all_told(4s);
      for (size_t number : all) {
        const auto& told = once.presentation(number);
        const bool decided = told.told == Outcome::won || told.told == Outcome::used;
        EXPECT_EQ(decided, in_one.contains(told.node) == one_decides) << once.describe(code);
      }
    }
    world.heal();
    world.run_for(500ms);
    for (size_t code : codes) {
      std::vector<size_t> all = present_everywhere(once, code);
      once.run_until_all_told(4s);
      EXPECT_EQ(count(once, all, Outcome::used), all.size()) << once.describe(code);
    }
  });
}

TEST(Once, who_restarts_has_forgotten_and_decides_nothing_that_was_decided_before) {
  under_siege([](World& world, OnceWorld& once) {
    for (int turn = 0; turn < 5; ++turn) {
      const size_t code = mint(once, any(once), 1).front();
      // Not all of the group hear who has won.
      once.loss_per_mille = 300;
      present_everywhere(once, code);
      once.run_until_all_told(4s);
      once.loss_per_mille = 0;
      const bool won = once.code(code).winner.has_value();
      std::vector<Node*> group = once.group_of(code);
      const size_t stays = world.random().below(group.size());
      for (size_t place = 0; place < group.size(); ++place) {
        if (place == stays) continue;
        once.kill(*group[place]);
        once.start(*group[place]);
      }
      world.run_for(500ms);
      std::vector<size_t> all = present_everywhere(once, code);
      once.run_until_all_told(4s);
      EXPECT_EQ(count(once, all, Outcome::won), 0U) << once.describe(code) << (won ? "" : "nobody before");
    }
  });
}

// One fault after the other, several at a time.
void misfortune(OnceWorld& once) {
  World& world = once.world();
  Random& random = world.random();
  Node& node = any(once);
  Node& other = any(once);
  switch (random.below(10)) {
    case 0:
      if (once.running(node)) once.kill(node);
      break;
    case 1:
    case 2:
      if (!node.core) once.start(node);
      break;
    case 3:
      if (once.running(node)) world.pause(*node.process);
      break;
    case 4:
    case 5:
      if (node.core && !once.running(node)) world.resume(*node.process);
      break;
    case 6:
      if (&node != &other) world.block(*node.host, *other.host);  // one way
      break;
    case 7: {
      std::vector<Host*> one, two;
      for (size_t i = 0; i < once.size(); ++i) (random.chance(1, 2) ? one : two).push_back(once[i].host);
      world.split(one, two);
      break;
    }
    default: world.heal(); break;
  }
}

// Codes are made, and clients, some of them thieves, come with them wherever they may, at once and again.
void besiege(OnceWorld& once) {
  Random& random = once.world().random();
  Node& minting = any(once);
  const Duration lifetime = random.chance(1, 4) ? random.between(1s, 20s) : 1h;
  if (once.running(minting)) once.mint(minting, lifetime, random.chance(1, 4));
  if (once.codes() == 0) return;
  for (size_t i = 1 + random.below(3); i > 0; --i) {
    // Fresh ones rather than old ones.
    const size_t code = once.codes() - 1 - random.below(std::min<size_t>(once.codes(), 8));
    const auto& known = once.code(code).clients;
    once::ProofHash client = once.new_client();
    if (once.code(code).required && random.chance(1, 2)) {
      client = *once.code(code).required;
    } else if (!known.empty() && random.chance(1, 2)) {
      client = std::next(known.begin(), static_cast<std::ptrdiff_t>(random.below(known.size())))->first;
    }
    for (size_t at = 0; at < once.size(); ++at) {
      if (!once.running(once[at]) || random.chance(1, 3)) continue;
      once.present(once[at], code, random.chance(1, 2) ? client : once.new_client(),
                   random.between(100ms, 3s));
    }
  }
}

void make_peace(OnceWorld& once) {
  once.world().heal();
  once.loss_per_mille = once.doubled_per_mille = 0;
  once.max_delay = 2ms;
  for (size_t i = 0; i < once.size(); ++i) {
    if (!once[i].core) once.start(once[i]);
    if (!once.running(once[i])) once.world().resume(*once[i].process);
  }
  once.world().run_for(500ms);
}

void chaos(OnceWorld& once) {
  World& world = once.world();
  Random& random = world.random();
  once.loss_per_mille = random.below(200);
  once.doubled_per_mille = random.below(200);
  once.max_delay = random.between(1ms, 400ms);
  once.start_all();
  for (MonoTime end = world.now() + 60s; world.now() < end;) {
    if (random.chance(1, 2)) misfortune(once);
    besiege(once);
    world.run_for(random.between(0ms, 1s));
  }
  once.run_until_all_told(5s);
}

TEST(Once, whatever_happens_never_two_win_and_no_rightful_client_is_called_a_thief) {
  Tally tally;
  for_each_seed([&](uint64_t seed) {
    World world(seed);
    OnceWorld once(world, three_five_or_seven(world.random()), {}, 1 + world.random().below(4));
    disturb_clocks(once);
    chaos(once);
    make_peace(once);
    once.run_until_all_told(10s);
    // Where a majority of the group is left, each code has one answer, and everybody gets it.
    for (size_t code = 0; code < once.codes(); ++code) {
      if (!once.has_majority_alive(code) || !once.code(code).acknowledged.value_or(false) ||
          once.ends_soon(code))
        continue;
      const auto& required = once.code(code).required;
      const size_t one = once.present(any(once), code, required.value_or(once.new_client()));
      once.run_until_all_told(4s);
      auto told = once.presentation(one).told;
      EXPECT_TRUE(told == Outcome::won || told == Outcome::used) << once.describe(code);
      EXPECT_TRUE(once.code(code).winner.has_value()) << once.describe(code);
    }
    expect_no_violation(once);
    tally.add(once);
  });
}

TEST(Once, clocks_that_are_hours_off_and_step_let_nobody_win_a_second_time) {
  Tally tally;
  for_each_seed([&](uint64_t seed) {
    World world(seed);
    OnceWorld once(world, 3, {.longest_life = 300h, .grace = 2s});
    once.clocks_step = true;
    // Forward and back, so that records are dropped before their time and come back with a copy.
    std::function<void()> step = [&] {
      Duration off = world.random().chance(1, 3) ? 0s : world.random().between(0h, 4h) - 2h;
      any(once).host->wall_offset = off;
      world.after(world.random().between(100ms, 3s), step);
    };
    step();
    chaos(once);
    make_peace(once);
    once.run_until_all_told(10s);
    expect_no_violation(once);
    tally.add(once);
  });
}

// A deputy that votes drops the record by a clock that is wrong, and is offered the copy again by the other
// deputy, who has not heard of the winner: it must not vote a second time.
TEST(Once, a_deputy_whose_clock_ran_ahead_and_was_set_back_votes_on_nothing_twice) {
  Tally tally;
  for_each_seed([&](uint64_t seed) {
    World world(seed);
    OnceWorld once(world, 3);
    once.clocks_step = true;
    once.start_all();
    for (int turn = 0; turn < 5; ++turn) {
      const size_t code = *once.mint(any(once), 1h);
      world.run_for(200ms);
      std::vector<Node*> group = once.group_of(code);
      once.loss_per_mille = 400;
      once.present(*group[0], code, once.new_client());
      once.run_until_all_told(4s);
      once.loss_per_mille = 0;
      Host& wrong = *group[1 + world.random().below(2)]->host;
      wrong.wall_offset = 2h;
      world.run_for(1500ms);
      wrong.wall_offset = 0s;
      world.split({group[0]->host}, {group[1]->host, group[2]->host});
      present_everywhere(once, code);
      once.run_until_all_told(4s);
      world.heal();
      world.run_for(500ms);
    }
    expect_no_violation(once);
    tally.add(once);
  });
}

TEST(Once, memory_is_bounded_and_is_given_back_after_the_end) {
  Tally tally;
  for_each_seed([&](uint64_t seed) {
    World world(seed);
    const once::Config small{.max_records = 20, .max_bytes = 1000, .max_requests = 10, .grace = 5s};
    OnceWorld once(world, 3, small);
    disturb_clocks(once);
    once.start_all();
    size_t refused = 0;
    for (int i = 0; i < 60; ++i) {
      if (auto code = once.mint(any(once), 10s)) {
        present_everywhere(once, *code);
      } else {
        ++refused;
      }
      world.run_for(world.random().between(0ms, 10ms));
    }
    EXPECT_GT(refused, 0U);
    once.run_until_all_told(5s);
    world.run_for(20s);
    for (size_t i = 0; i < once.size(); ++i) {
      EXPECT_EQ(once[i].core->records(), 0U);
      EXPECT_EQ(once[i].core->bytes(), 0U);
      EXPECT_EQ(once[i].core->requests(), 0U);
      EXPECT_EQ(once[i].core->poll_timeout(), kNever) << "nothing is left that it waits for";
    }
    expect_no_violation(once);
    tally.add(once);
  });
}

TEST(Once, the_same_seed_tells_the_same_story) {
  auto story = [](uint64_t seed) {
    World world(seed);
    OnceWorld once(world, 5);
    chaos(once);
    return std::pair(world.hash(), once.presentations());
  };
  EXPECT_EQ(story(7), story(7));
  EXPECT_NE(story(7).first, story(8).first);
}

}  // namespace
}  // namespace kith::sim
