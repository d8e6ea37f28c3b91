// The large cluster: rings, alerts and cuts, and what a core does with the words of many.
#include "membership/rings.h"

#include <set>

#include "script.h"

namespace kith::membership {
namespace {

std::vector<NodeId> ids(size_t count) {
  std::vector<NodeId> out;
  for (size_t i = 0; i < count; ++i) out.push_back(script(static_cast<uint8_t>(i + 1)).id);
  return out;
}

TEST(Rings, AreTheSameWhateverTheOrderOfTheMembers) {
  std::vector<NodeId> members = ids(50), reversed(members.rbegin(), members.rend());
  for (const NodeId& node : members) {
    EXPECT_EQ(slots_of(node, members).observers, slots_of(node, reversed).observers);
    EXPECT_EQ(slots_of(node, members).subjects, slots_of(node, reversed).subjects);
  }
}

TEST(Rings, MakeEachTheObserverOfItsSubjects) {
  std::vector<NodeId> members = ids(50);
  for (const NodeId& node : members) {
    Slots slots = slots_of(node, members);
    for (size_t ring = 0; ring < kRings; ++ring) {
      EXPECT_NE(slots.subjects[ring], node);
      EXPECT_EQ(slots_of(slots.subjects[ring], members).observers[ring], node);
    }
    EXPECT_GE(std::set<NodeId>(slots.observers.begin(), slots.observers.end()).size(), 6u);
  }
}

TEST(Rings, HaveNobodyForANodeThatIsAlone) {
  std::vector<NodeId> members = ids(1);
  EXPECT_TRUE(slots_of(members[0], members).observers[0].is_zero());
}

TEST(Rings, PassOverWhoIsGone) {
  std::vector<NodeId> members = ids(50);
  Slots before = slots_of(members[0], members);
  std::erase(members, before.observers[3]);
  Slots after = slots_of(members[0], members);
  for (size_t ring = 0; ring < kRings; ++ring) {
    if (before.observers[ring] != before.observers[3]) {
      EXPECT_EQ(after.observers[ring], before.observers[ring]);
    }
    EXPECT_NE(after.observers[ring], before.observers[3]);
  }
}

// Our core in a cluster of 41, of which node 2 is linked and tells of the others.
class LargeCluster : public MembershipCore {
 protected:
  LargeCluster() {
    link(b);
    RecordsMessage all;
    for (uint8_t i = 3; i <= 41; ++i) all.records.push_back(script(i).bytes());
    EXPECT_TRUE(say(b, MessageType::records, all));
    for (uint8_t i = 1; i <= 41; ++i) by_id.emplace(script(i).id, i);
    for (const auto& [id, number] : by_id) members.push_back(id);
    events.clear();
  }
  Script of(const NodeId& id) const { return script(by_id.at(id)); }
  // Somebody whom our core does not observe, and its observers without us.
  Script stranger() const {
    for (uint8_t i = 3; i <= 41; ++i) {
      Slots slots = slots_of(script(i).id, members);
      std::set<NodeId> all(slots.observers.begin(), slots.observers.end());
      if (all.size() == kRings && !all.contains(core->self().id) && !all.contains(b.id)) return script(i);
    }
    ADD_FAILURE() << "no such node";
    return b;
  }
  std::vector<Script> observers_of(const Script& subject) const {
    std::vector<Script> out;
    for (const NodeId& id : slots_of(subject.id, members).observers) out.push_back(of(id));
    return out;
  }
  static Alert alert(const Script& observer, const Script& subject, Verdict verdict, uint64_t number = 1) {
    Alert out;
    out.observer = observer.record.replica();
    out.number = number;
    out.vote = {subject.id, subject.record.version(), verdict};
    out.signature = observer.key.sign(out.signed_text());
    return out;
  }
  void hear(const Alert& news) { ASSERT_TRUE(say(b, MessageType::alerts, AlertsMessage{{news}})); }
  std::vector<NodeId> gone() {
    std::vector<NodeId> out;
    for (const MemberDown& down : take<MemberDown>()) out.push_back(down.node);
    return out;
  }
  std::map<NodeId, uint8_t> by_id;
  std::vector<NodeId> members;
};

TEST_F(LargeCluster, LinksWithItsNeighboursOnTheRingsOnly) {
  EXPECT_TRUE(core->in_rings());
  Slots slots = slots_of(core->self().id, members);
  std::set<std::string> near;
  for (const auto& side : {slots.observers, slots.subjects}) {
    for (const NodeId& id : side) near.insert(of(id).record.membership.text());
  }
  live(600ms, {b});
  ASSERT_FALSE(dials.empty());
  for (const Dial& dial : dials) EXPECT_TRUE(near.contains(dial.address.text())) << dial.address.text();
}

TEST_F(LargeCluster, RemovesWhomSevenOfTenObserversAccuse) {
  Script subject = stranger();
  auto observers = observers_of(subject);
  for (size_t i = 0; i < kHigh - 1; ++i) hear(alert(observers[i], subject, Verdict::silent));
  live(1s, {b});
  EXPECT_TRUE(gone().empty());
  hear(alert(observers[kHigh - 1], subject, Verdict::silent));
  live(100ms, {b});
  EXPECT_EQ(gone(), std::vector<NodeId>{subject.id});
}

TEST_F(LargeCluster, CountsAnAccusationOnceAndNotWhenItIsTakenBack) {
  Script subject = stranger();
  auto observers = observers_of(subject);
  for (size_t i = 0; i < kHigh - 1; ++i) hear(alert(observers[i], subject, Verdict::silent, 1));
  for (uint64_t number = 2; number < 9; ++number) hear(alert(observers[0], subject, Verdict::silent, number));
  hear(alert(observers[0], subject, Verdict::none, 10));
  hear(alert(observers[0], subject, Verdict::silent, 9));  // an old word comes late
  hear(alert(observers[kHigh - 1], subject, Verdict::silent));
  live(1s, {b});
  EXPECT_TRUE(gone().empty());
}

TEST_F(LargeCluster, BelievesObserversOnlyAndTheirSignature) {
  Script subject = stranger();
  auto observers = observers_of(subject);
  std::set<NodeId> real;
  for (const Script& observer : observers) real.insert(observer.id);
  for (const NodeId& id : members) {
    if (!real.contains(id) && id != core->self().id && id != subject.id)
      hear(alert(of(id), subject, Verdict::silent));
  }
  for (const Script& observer : observers) {
    Alert forged = alert(b, subject, Verdict::silent);
    forged.observer = observer.record.replica();
    hear(forged);
    Alert wrong_life = alert(observer, subject, Verdict::silent);
    wrong_life.observer.incarnation = 7;
    hear(wrong_life);
    Script earlier = subject;
    earlier.record.sequence = 0;
    hear(alert(observer, earlier, Verdict::silent));
  }
  live(1s, {b});
  EXPECT_TRUE(gone().empty());
  EXPECT_EQ(core->counters().alerts_refused, kRings);
}

TEST_F(LargeCluster, RemovesThoseWhoFailTogetherInOneChange) {
  Script one = stranger();
  auto observers = observers_of(one);
  Script other = observers[9];  // it cannot accuse the first any more
  auto others = observers_of(other);
  uint64_t before = core->view_number();
  for (size_t i = 0; i < 6; ++i) hear(alert(observers[i], one, Verdict::silent));
  EXPECT_TRUE(gone().empty());
  for (size_t i = 0; i < 8; ++i) {
    if (others[i].id != core->self().id && others[i].id != one.id)
      hear(alert(others[i], other, Verdict::silent));
  }
  EXPECT_TRUE(gone().empty());
  MonoTime since = now;
  while (core->view_number() == before && now - since < 1s) {
    now += 10ms;
    core->heard(b.id, now);
    core->handle_timeout(now);
    collect();
  }
  EXPECT_EQ(core->view_number(), before + 2);  // both within one call
  EXPECT_EQ(gone().size(), 2u);
}

TEST_F(LargeCluster, TakesTwoRefusalsForACrashUnlessAnObserverObjects) {
  Script subject = stranger();
  auto observers = observers_of(subject);
  hear(alert(observers[0], subject, Verdict::refused));
  live(1s, {b});
  EXPECT_TRUE(gone().empty());
  hear(alert(observers[2], subject, Verdict::ok));
  hear(alert(observers[1], subject, Verdict::refused));
  live(1s, {b});
  EXPECT_TRUE(gone().empty());
  hear(alert(observers[2], subject, Verdict::none, 2));
  live(400ms, {b});
  EXPECT_EQ(gone(), std::vector<NodeId>{subject.id});
}

// Seen with few members, where a node stands on several of another's rings: what it said of some made these
// count as accused, so they were taken to agree, and it had removed all of them.
TEST_F(MembershipCore, LetsNoSingleObserverRemoveOthers) {
  // Three nodes before each of which `b` stands on at least three rings, and our core on at most three.
  auto fits = [&](const std::array<NodeId, 3>& three) {
    const std::vector<NodeId> members = {core->self().id, b.id, three[0], three[1], three[2]};
    return std::all_of(three.begin(), three.end(), [&](const NodeId& one) {
      Slots slots = slots_of(one, members);
      auto rings = [&](const NodeId& id) {
        return std::count(slots.observers.begin(), slots.observers.end(), id);
      };
      return rings(b.id) >= 3 && rings(core->self().id) <= 3;
    });
  };
  constexpr uint8_t kFirst = 3, kCount = 40;
  std::vector<NodeId> ids;
  for (uint8_t i = 0; i < kCount; ++i) ids.push_back(script(kFirst + i).id);
  std::vector<uint8_t> numbers = {2};  // `b` and the three
  for (uint8_t i = 0; i < kCount && numbers.size() == 1; ++i) {
    for (uint8_t j = 0; j < i && numbers.size() == 1; ++j) {
      for (uint8_t k = 0; k < j && numbers.size() == 1; ++k) {
        if (!fits({ids[i], ids[j], ids[k]})) continue;
        for (uint8_t one : {i, j, k}) numbers.push_back(kFirst + one);
      }
    }
  }
  ASSERT_EQ(numbers.size(), 4u);
  for (Verdict verdict : {Verdict::silent, Verdict::refused}) {
    Config config;
    config.everyone = 3;
    restart(config);
    std::vector<Script> well;
    for (uint8_t number : numbers) well.push_back(script(number));
    for (const Script& peer : well) link(peer);
    live(1s, well);
    ASSERT_EQ(core->live_members(), 5u);
    events.clear();
    AlertsMessage sick;
    for (uint8_t i = 1; i <= 3; ++i) {
      Alert alert{b.record.replica(), i, {well[i].id, well[i].record.version(), verdict}, {}};
      alert.signature = b.key.sign(alert.signed_text());
      sick.alerts.push_back(alert);
    }
    ASSERT_TRUE(say(b, MessageType::alerts, sick));
    live(2s, well);
    EXPECT_TRUE(take<MemberDown>().empty());
    EXPECT_EQ(core->live_members(), 5u);
  }
}

TEST_F(LargeCluster, PassesAnAlertOnOnce) {
  Script subject = stranger();
  Script near = of(slots_of(core->self().id, members).subjects[0]);
  link(near);
  live(100ms, {b, near});
  sent.clear();
  Alert news = alert(observers_of(subject)[0], subject, Verdict::silent);
  hear(news);
  hear(news);
  live(50ms, {b, near});
  EXPECT_EQ(count_sent(near, MessageType::alerts), 1u);
  EXPECT_EQ(count_sent(b, MessageType::alerts), 0u);
}

TEST_F(LargeCluster, AsksRelaysBeforeItAccusesAndBelievesThem) {
  Slots slots = slots_of(core->self().id, members);
  std::vector<Script> around;
  for (const auto& side : {slots.observers, slots.subjects}) {
    for (const NodeId& id : side) {
      Script each = of(id);
      if (std::none_of(around.begin(), around.end(), [&](auto& other) { return other.id == each.id; }))
        around.push_back(each);
    }
  }
  for (const Script& each : around) link(each);
  live(7s, around);
  Script silent = of(slots.subjects[0]);
  std::vector<Script> rest;
  for (const Script& each : around) {
    if (each.id != silent.id) rest.push_back(each);
  }
  sent.clear();
  auto accusations = core->counters().alerts_signed;
  live(1s, rest);
  size_t asked = 0;
  for (const Script& each : rest) asked += count_sent(each, MessageType::reach);
  EXPECT_EQ(asked, 3u);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(say(rest[0], MessageType::reached, ReachMessage{silent.record.replica()}));
    live(300ms, rest);
  }
  EXPECT_EQ(core->counters().alerts_signed, accusations);
  live(2s, rest);
  EXPECT_EQ(core->counters().alerts_signed, accusations + 1);
}

TEST_F(LargeCluster, AnswersWhetherItHearsANode) {
  ASSERT_TRUE(say(b, MessageType::reach, ReachMessage{core->self().replica()}));
  EXPECT_EQ(count_sent(b, MessageType::reached), 1u);
  Slots slots = slots_of(core->self().id, members);
  Script far = b;
  for (uint8_t i = 3; i <= 41; ++i) {
    auto is = [&](const NodeId& id) { return id == script(i).id; };
    if (std::none_of(slots.observers.begin(), slots.observers.end(), is) &&
        std::none_of(slots.subjects.begin(), slots.subjects.end(), is))
      far = script(i);
  }
  dials.clear();
  ASSERT_TRUE(say(b, MessageType::reach, ReachMessage{far.record.replica()}));
  EXPECT_EQ(count_sent(b, MessageType::reached), 1u);
  live(200ms, {b});
  EXPECT_TRUE(dialled(far));
  link(far);
  EXPECT_EQ(count_sent(b, MessageType::reached), 2u);
}

TEST_F(LargeCluster, KeepsQuietForAWhileWhenMuchAroundItIsSilent) {
  Slots slots = slots_of(core->self().id, members);
  std::vector<Script> around;
  for (const auto& side : {slots.observers, slots.subjects}) {
    for (const NodeId& id : side) around.push_back(of(id));
  }
  for (const Script& each : around) link(each);
  live(7s, around);
  auto accusations = core->counters().alerts_signed;
  auto mutes = core->counters().mutes;
  live(4s, {b});
  EXPECT_EQ(core->counters().alerts_signed, accusations);
  EXPECT_EQ(core->counters().mutes, mutes + 1);
  EXPECT_GT(core->health(), 0);
  live(2s, {b});  // so much for doubt
  EXPECT_GT(core->counters().alerts_signed, accusations);
}

// ---------------------------------------------------------------- the view as a lattice

TEST_F(MembershipCore, AsksAMemberThatOthersHoldForDown) {
  link(b);
  link(c);
  sent.clear();
  DigestMessage claim{false, false, 0, kBuckets - 1, {{c.id, {1, 1}, Standing::down}}};
  ASSERT_TRUE(say(b, MessageType::digest, claim));
  EXPECT_EQ(count_sent(c, MessageType::digest), 1u);
  c.record.sequence = 2;
  ASSERT_TRUE(say(c, MessageType::records, RecordsMessage{false, {c.bytes()}}));
  live(3s, {b, c});
  EXPECT_NE(core->member(c.id), nullptr);
  EXPECT_TRUE(take<MemberDown>().empty());
  // One that says nothing goes.
  claim.heads[0].version.sequence = 2;
  ASSERT_TRUE(say(b, MessageType::digest, claim));
  live(900ms, {b, c});
  EXPECT_NE(core->member(c.id), nullptr);
  live(200ms, {b, c});
  EXPECT_EQ(core->member(c.id), nullptr);
  // ... and comes back with its next word, not with this one.
  link(c);
  EXPECT_EQ(core->member(c.id), nullptr);
  c.record.sequence = 3;
  ASSERT_TRUE(say(c, MessageType::records, RecordsMessage{false, {c.bytes()}}));
  EXPECT_NE(core->member(c.id), nullptr);
}

TEST_F(MembershipCore, ProvesThatItIsWellWhenMostAroundItHearIt) {
  link(b);
  link(c);
  uint64_t sequence = core->self().sequence;
  DigestMessage claim{
      false, false, 0, kBuckets - 1, {{core->self().id, core->self().version(), Standing::down}}};
  ASSERT_TRUE(say(b, MessageType::digest, claim));
  EXPECT_GT(core->self().sequence, sequence);
  EXPECT_EQ(core->counters().claims_refuted, 1u);
  EXPECT_GE(count_sent(b, MessageType::records), 1u);
}

TEST_F(MembershipCore, IsDownForAsLongAsFewAroundItHearIt) {
  for (const Script& each : {b, c, d}) link(each);
  core->link_down(c.id, LinkEnd::closed, now);
  core->link_down(d.id, LinkEnd::closed, now);
  uint64_t sequence = core->self().sequence;
  DigestMessage claim{
      false, false, 0, kBuckets - 1, {{core->self().id, core->self().version(), Standing::down}}};
  ASSERT_TRUE(say(b, MessageType::digest, claim));
  live(500ms, {b});
  EXPECT_EQ(core->self().sequence, sequence);
  link(c);
  EXPECT_GT(core->self().sequence, sequence);
}

TEST_F(MembershipCore, TakesALargeViewAsOneChange) {
  link(b);
  ASSERT_TRUE(say(b, MessageType::records, RecordsMessage{true, {c.bytes()}}));
  EXPECT_EQ(core->live_members(), 2u);
  ASSERT_TRUE(say(b, MessageType::records, RecordsMessage{false, {d.bytes()}}));
  EXPECT_EQ(core->live_members(), 4u);
}

TEST_F(MembershipCore, TakesManyNewcomersInTogether) {
  std::vector<Script> many;
  for (uint8_t i = 2; i < 20; ++i) many.push_back(script(i));
  for (const Script& each : many) link(each);
  EXPECT_EQ(core->live_members(), 4u);
  live(50ms, many);
  EXPECT_EQ(core->live_members(), 4u);
  live(50ms, many);
  EXPECT_EQ(core->live_members(), 19u);
}

TEST_F(MembershipCore, StopsWhenAnotherProcessSpeaksWithItsKey) {
  link(b);
  Script clone = script(1);
  clone.record.sequence = core->self().sequence + 5;
  clone.record.zone = "elsewhere";
  ASSERT_TRUE(say(b, MessageType::records, RecordsMessage{false, {clone.bytes()}}));
  EXPECT_GT(core->self().sequence, clone.record.sequence);  // ours is the last word
  EXPECT_TRUE(take<Outdated>().empty());
  clone.record.sequence = core->self().sequence + 1;
  ASSERT_TRUE(say(b, MessageType::records, RecordsMessage{false, {clone.bytes()}}));
  EXPECT_EQ(take<Outdated>().size(), 1u);
}

TEST_F(MembershipCore, KeepsOneThatComesAndGoesOutOfRoutingForAWhile) {
  for (int i = 0; i < 3; ++i) {
    link(b);
    live(1s, {b});
    core->link_down(b.id, LinkEnd::closed, now);
    collect();
    live(200ms, {});
    core->dial_result(b.record.membership, DialOutcome::refused, now);
    collect();
    b.record.sequence++;
  }
  EXPECT_EQ(take<MemberDown>().size(), 3u);
  events.clear();
  link(b);
  EXPECT_EQ(take<MemberUp>().size(), 1u);
  EXPECT_EQ(take<Unreachable>().size(), 1u);
  EXPECT_TRUE(core->members()[1].damped);
  live(3min, {b});
  EXPECT_EQ(take<Reachable>().size(), 1u);
  EXPECT_FALSE(core->members()[1].damped);
}

}  // namespace
}  // namespace kith::membership
