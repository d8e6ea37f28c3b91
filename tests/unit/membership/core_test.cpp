// One core against scripted peers: what it says, whom it dials, what it believes of others. Whole
// clusters are in tests/scenario.
#include "script.h"

namespace kith::membership {
namespace {

TEST_F(MembershipCore, TakesInANodeWhoseLinkComesUp) {
  link(b);
  auto up = take<MemberUp>();
  ASSERT_EQ(up.size(), 1u);
  EXPECT_EQ(up[0].record.name, "n2");
  EXPECT_EQ(core->live_members(), 2u);
  EXPECT_TRUE(take<Unreachable>().empty());
  EXPECT_GE(count_sent(b, MessageType::digest), 1u);
}

TEST_F(MembershipCore, DialsSeedsAtOnceAndForEverButNotItself) {
  core->add_seed(script(1).record.membership);
  core->add_seed(b.record.membership);
  core->add_seed(b.record.membership);
  collect();
  ASSERT_EQ(dials.size(), 1u);
  EXPECT_FALSE(dials[0].expected.has_value());
  for (int i = 0; i < 1000; ++i) {
    core->dial_result(b.record.membership, DialOutcome::refused, now);
    now = std::max(now + 1ms, core->poll_timeout());
    for (int step = 0; step < 50 && dials.size() == static_cast<size_t>(i) + 1; ++step) {
      core->handle_timeout(now);
      collect();
      now = core->poll_timeout();
    }
    collect();
    ASSERT_EQ(dials.size(), static_cast<size_t>(i) + 2);
  }
}

// A name in front of several nodes leads to ourselves now and to another node the next time.
TEST_F(MembershipCore, DialsANameThatLedToItselfAsAnyOtherSeed) {
  core->add_seed({Multiaddr::Host::dns, "seeds.test", 9450});
  collect();
  core->dial_result(dials[0].address, DialOutcome::self, now);
  live(1s, {});
  EXPECT_EQ(dials.size(), 2u);
}

TEST_F(MembershipCore, DialsASeedThatAnswersAsItselfOnceAMinute) {
  core->add_seed(b.record.membership);
  collect();
  core->dial_result(b.record.membership, DialOutcome::self, now);
  live(59s, {});
  EXPECT_EQ(dials.size(), 1u);
  live(2s, {});
  EXPECT_EQ(dials.size(), 2u);
}

TEST_F(MembershipCore, ANewFoundSeedReplacesTheOneNotNamedForLongestButNeverAConfiguredOne) {
  Config config;
  config.max_seeds = 3;
  restart(config);
  Script e = script(5), f = script(6);
  auto name = [&](const Script& node) {
    return core->add_seed(node.record.membership, Core::SeedKind::found);
  };
  auto refuse_all = [&] {
    collect();
    for (const Dial& dial : std::exchange(dials, {}))
      core->dial_result(dial.address, DialOutcome::refused, now);
  };
  EXPECT_TRUE(core->add_seed(b.record.membership));
  EXPECT_TRUE(name(c));
  EXPECT_TRUE(name(d));
  EXPECT_FALSE(name(e));  // the others were named in the same answer
  refuse_all();
  live(50ms, {});
  EXPECT_TRUE(name(d));
  EXPECT_TRUE(name(e));  // c was not named again
  EXPECT_FALSE(name(f));
  dials.clear();
  for (int i = 0; i < 20; ++i) {
    live(50ms, {});
    EXPECT_FALSE(dialled(c));
    refuse_all();
  }
  live(1s, {});
  EXPECT_TRUE(dialled(b) && dialled(d) && dialled(e));
}

TEST_F(MembershipCore, ManySeedsThatDoNotAnswerDoNotKeepItFromOneThatDoes) {
  Config config;
  config.max_dials = 2;
  restart(config);
  for (uint8_t i = 10; i < 20; ++i) core->add_seed(script(i).record.membership);
  core->add_seed(b.record.membership);
  for (int i = 0; i < 7 && !dialled(b); ++i) {
    live(1s, {});
    size_t last_two = dials.size() - 2;
    for (size_t at = last_two; at < last_two + 2; ++at)
      core->dial_result(dials[at].address, DialOutcome::timeout, now);
    collect();
  }
  EXPECT_TRUE(dialled(b));
}

TEST_F(MembershipCore, DialsANodeThatItHearsOf) {
  link(b);
  ASSERT_TRUE(say(b, MessageType::records, RecordsMessage{false, {c.bytes()}}));
  EXPECT_EQ(core->live_members(), 3u);        // its word is signed, and b holds it for a member
  EXPECT_EQ(take<Unreachable>().size(), 1u);  // a member, with no link of our own yet
  live(300ms, {b});
  EXPECT_TRUE(dialled(c));
}

TEST_F(MembershipCore, RedialsAClosedLinkAtOnceAndTakesARefusalForACrash) {
  link(b);
  live(3s, {b});
  core->link_down(b.id, LinkEnd::closed, now);
  collect();
  ASSERT_TRUE(dialled(b));
  EXPECT_TRUE(take<MemberDown>().empty());
  core->dial_result(b.record.membership, DialOutcome::refused, now);
  collect();
  auto down = take<MemberDown>();
  ASSERT_EQ(down.size(), 1u);
  EXPECT_EQ(down[0].why, DownReason::crashed);
  EXPECT_EQ(down[0].replica, (Replica{b.id, 1}));
}

TEST_F(MembershipCore, NeedsASecondObserverForACrashWhenThereIsOne) {
  link(b);
  link(c);
  vote(c, b, Verdict::ok);
  live(3s, {b, c});
  core->link_down(b.id, LinkEnd::closed, now);
  collect();
  core->dial_result(b.record.membership, DialOutcome::refused, now);
  collect();
  EXPECT_TRUE(take<MemberDown>().empty());
  vote(c, b, Verdict::refused);
  EXPECT_EQ(take<MemberDown>().size(), 1u);
}

TEST_F(MembershipCore, TakesSomebodyElseAtTheAddressForACrash) {
  link(b);
  live(3s, {b});
  core->link_down(b.id, LinkEnd::closed, now);
  collect();
  Script heir = script(5);
  heir.record.membership = b.record.membership;
  core->link_up(heir.id, heir.bytes(), now);
  core->dial_result(b.record.membership, DialOutcome::connected, now, heir.id);
  collect();
  EXPECT_TRUE(dials.size() == 1);   // the address is taken, there is nothing to find out
  vote(heir, b, Verdict::refused);  // it knows that it lives there
  EXPECT_EQ(core->member(b.id), nullptr);
  EXPECT_NE(core->member(heir.id), nullptr);
}

TEST_F(MembershipCore, TellsRoutingOfSilenceBeforeItAccuses) {
  link(b);
  link(c);
  vote(c, b, Verdict::ok);
  live(3s, {b, c});
  events.clear();
  sent.clear();
  live(900ms, {c});
  EXPECT_EQ(take<Unreachable>().size(), 1u);
  EXPECT_EQ(count_sent(c, MessageType::votes), 0u);
  live(600ms, {c});
  EXPECT_GE(count_sent(c, MessageType::votes), 1u);
  EXPECT_TRUE(take<MemberDown>().empty());  // c still hears it: a bad path is not a dead node
  live(5s, {b, c});
  EXPECT_EQ(take<Reachable>().size(), 1u);
}

// Seen with a connection that something in between has forgotten: its ends wait for each other for ever.
TEST_F(MembershipCore, GivesALinkUpThatStaysSilentAndDialsAnew) {
  link(b);
  link(c);
  vote(c, b, Verdict::ok);  // the node is well; it is the link that is not
  live(2900ms, {c});
  EXPECT_TRUE(take<DropLink>().empty());
  dials.clear();
  live(500ms, {c});
  EXPECT_TRUE(take<MemberDown>().empty());
  ASSERT_EQ(take<DropLink>().size(), 1u);
  EXPECT_EQ(core->counters().links_given_up, 1u);
  EXPECT_TRUE(dialled(b));
  link(b);
  EXPECT_EQ(take<Reachable>().size(), 1u);
}

TEST_F(MembershipCore, DecidesAloneWhenItHearsNobody) {
  link(b);
  link(c);
  vote(c, b, Verdict::ok);
  vote(b, c, Verdict::ok);
  live(3s, {b, c});
  MonoTime since = now;
  while (core->live_members() > 1 && now - since < 5s) {
    now = core->poll_timeout();
    core->handle_timeout(now);
    collect();
  }
  EXPECT_LE(now - since, 1400ms);
  auto down = take<MemberDown>();
  ASSERT_EQ(down.size(), 2u);
  EXPECT_EQ(down[0].why, DownReason::hung);
  EXPECT_EQ(take<DropLink>().size(), 2u);
}

TEST_F(MembershipCore, WithdrawsItsVotesWhenItWasAwayItself) {
  link(b);
  link(c);
  live(3s, {b, c});
  events.clear();
  sent.clear();
  now += 10s;
  core->handle_timeout(now);
  collect();
  EXPECT_TRUE(take<MemberDown>().empty());
  EXPECT_EQ(core->counters().stalls, 1u);
  EXPECT_GT(core->health(), 0);
  // ... also when the first thing it hears is that all links broke meanwhile.
  now += 10s;
  core->link_down(b.id, LinkEnd::closed, now);
  core->link_down(c.id, LinkEnd::closed, now);
  collect();
  EXPECT_TRUE(take<MemberDown>().empty());
  live(3s, {});
  EXPECT_EQ(take<MemberDown>().size(), 2u);
}

TEST_F(MembershipCore, CountsOnlyVotesAboutThePresentLife) {
  link(b);
  Script later = script(3, 2);
  link(later);
  for (Verdict verdict : {Verdict::refused, Verdict::silent}) {
    ASSERT_TRUE(say(b, MessageType::votes, VotesMessage{{{later.id, {1, 1}, verdict}}}));
    EXPECT_NE(core->member(later.id), nullptr);
  }
}

TEST_F(MembershipCore, ReplacesALifeByTheNext) {
  link(b);
  Script next = script(2, 7);
  link(next);
  auto down = take<MemberDown>();
  ASSERT_EQ(down.size(), 1u);
  EXPECT_EQ(down[0].why, DownReason::replaced);
  EXPECT_EQ(down[0].replica.incarnation, 1u);
  EXPECT_EQ(take<MemberUp>().size(), 2u);
  EXPECT_EQ(core->member(b.id)->incarnation, 7u);
  EXPECT_TRUE(take<DropLink>().empty());  // the link that came is the one that stays
}

TEST_F(MembershipCore, DropsTheLinkOfAnOldLifeWhenItHearsOfTheNext) {
  link(b);
  link(c);
  ASSERT_TRUE(say(c, MessageType::records, RecordsMessage{false, {script(2, 7).bytes()}}));
  EXPECT_EQ(take<DropLink>().size(), 1u);
  ASSERT_NE(core->member(b.id), nullptr);  // c, a member, holds the new one for a member
  EXPECT_EQ(core->member(b.id)->incarnation, 7u);
}

TEST_F(MembershipCore, TellsAnOldLifeThatItIsOutdated) {
  link(script(2, 7));
  sent.clear();
  link(b);
  EXPECT_EQ(count_sent(b, MessageType::records), 1u);
  EXPECT_EQ(count_sent(b, MessageType::digest), 0u);
  link(c);
  ASSERT_TRUE(say(c, MessageType::records, RecordsMessage{false, {script(1, 9).bytes()}}));
  auto outdated = take<Outdated>();
  ASSERT_EQ(outdated.size(), 1u);
  EXPECT_EQ(outdated[0].incarnation, 9u);
}

TEST_F(MembershipCore, TakesALeaveFromItsSubjectByAnyPath) {
  link(b);
  link(c);
  b.record.state = State::left;
  b.record.sequence = 2;
  ASSERT_TRUE(say(c, MessageType::records, RecordsMessage{false, {b.bytes()}}));
  auto down = take<MemberDown>();
  ASSERT_EQ(down.size(), 1u);
  EXPECT_EQ(down[0].why, DownReason::left);
  live(60s, {c});
  EXPECT_FALSE(dialled(b));
}

TEST_F(MembershipCore, RefusesALeaveThatItsSubjectDidNotSign) {
  link(b);
  link(c);
  b.record.state = State::left;
  b.record.sequence = 2;
  Bytes forged = b.bytes();
  forged.back() ^= 1;
  ASSERT_TRUE(say(c, MessageType::records, RecordsMessage{false, {forged}}));
  EXPECT_NE(core->member(b.id), nullptr);
  EXPECT_EQ(core->counters().records_refused, 1u);
}

TEST_F(MembershipCore, DropsALinkWhoseRecordIsNotThePeers) {
  core->link_up(b.id, c.bytes(), now);
  collect();
  EXPECT_EQ(take<DropLink>().size(), 1u);
  EXPECT_EQ(core->live_members(), 1u);
  core->link_up(b.id, Bytes{1, 2, 3}, now);
  collect();
  EXPECT_EQ(take<DropLink>().size(), 1u);
}

TEST_F(MembershipCore, PassesOnWhatIsNewAndWhatItSaysItself) {
  link(b);
  link(c);
  sent.clear();
  ASSERT_TRUE(say(b, MessageType::records, RecordsMessage{false, {d.bytes()}}));
  EXPECT_EQ(count_sent(c, MessageType::records), 1u);
  EXPECT_EQ(count_sent(b, MessageType::records), 0u);
  ASSERT_TRUE(say(c, MessageType::records, RecordsMessage{false, {d.bytes()}}));
  EXPECT_EQ(count_sent(b, MessageType::records), 0u);  // old news
  sent.clear();
  core->set_state(State::draining, now);
  collect();
  EXPECT_EQ(count_sent(b, MessageType::records), 1u);
  EXPECT_EQ(count_sent(c, MessageType::records), 1u);
  EXPECT_EQ(NodeRecord::decode(core->self_record())->state, State::draining);
}

TEST_F(MembershipCore, ComparesViewsAndExchangesWhatDiffers) {
  link(b);
  link(c);
  live(3s, {b, c});
  sent.clear();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(say(b, MessageType::ping, PingMessage{1, core->view_hash(), 0}));
  EXPECT_EQ(count_sent(b, MessageType::digest), 0u);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(say(b, MessageType::ping, PingMessage{1, 12345, 0}));
  EXPECT_EQ(count_sent(b, MessageType::digest), 1u);
  EXPECT_EQ(count_sent(b, MessageType::ack), 4u);
  // b's digest lacks c: c's record goes there; and knows d: ours comes back.
  sent.clear();
  ASSERT_TRUE(say(b, MessageType::digest,
                  DigestMessage{true, true, 0, kBuckets - 1, {{b.id, {1, 1}}, {d.id, {1, 1}}}}));
  EXPECT_EQ(count_sent(b, MessageType::records), 1u);
  EXPECT_EQ(count_sent(b, MessageType::digest), 1u);
}

TEST_F(MembershipCore, MeasuresTheRoundTrip) {
  link(b);
  uint64_t stamp = static_cast<uint64_t>(now.time_since_epoch().count());
  now += 20ms;
  ASSERT_TRUE(say(b, MessageType::ack, AckMessage{stamp, 0, 0}));
  EXPECT_EQ(core->members()[1].rtt, 20ms);
  ASSERT_TRUE(say(b, MessageType::ack, AckMessage{stamp + 3'600'000'000'000, 0, 0}));  // nonsense
  EXPECT_EQ(core->members()[1].rtt, 20ms);
}

TEST_F(MembershipCore, RefusesMalformedMessagesAndSkipsUnknownOnes) {
  link(b);
  for (uint8_t type = 1; type <= 9; ++type) {
    auto done = core->handle_message(b.id, type, Bytes{0xff}, now);
    ASSERT_FALSE(done) << int(type);
    EXPECT_EQ(done.error().side(), Side::peer);
  }
  EXPECT_TRUE(core->handle_message(b.id, 200, Bytes{0xff}, now));
  EXPECT_TRUE(core->handle_message(c.id, 1, Bytes{0xff}, now));  // no link: crossed with its end
  EXPECT_EQ(core->counters().messages_refused, 9u);
  EXPECT_EQ(core->counters().messages_unknown, 1u);
}

TEST_F(MembershipCore, TurnsNodesAwayAboveTheLimit) {
  Config config;
  config.max_members = 2;
  restart(config);
  link(b);
  link(c);
  EXPECT_EQ(core->live_members(), 2u);
  EXPECT_EQ(take<TurnedAway>().size(), 1u);
  EXPECT_EQ(take<DropLink>().size(), 1u);
}

TEST_F(MembershipCore, RemembersABoundedNumberOfNodes) {
  Config config;
  config.max_departed = 10;
  restart(config);
  link(b);
  for (uint8_t i = 10; i < 200; ++i)
    ASSERT_TRUE(say(b, MessageType::records, RecordsMessage{false, {script(i).bytes()}}));
  EXPECT_LE(core->remembered(), config.max_members + config.max_departed);
  EXPECT_NE(core->member(b.id), nullptr);
  EXPECT_LE(dials.size(), config.max_dials);
}

// The bound on what is remembered of nodes outside the view is not one on how many start at once.
TEST_F(MembershipCore, TakesInACrowdOfNewcomersInOneView) {
  Config config;
  config.max_departed = 4;
  restart(config);
  std::vector<Script> crowd;
  for (uint8_t i = 10; i < 40; ++i) crowd.push_back(script(i));
  for (const Script& peer : crowd) link(peer);
  const size_t at_once = core->live_members();
  EXPECT_LT(at_once, 6u);
  live(config.gather_min + 50ms, crowd);
  EXPECT_EQ(core->live_members(), crowd.size() + 1);
}

// It waits to be taken in when its link ends, and is a member elsewhere by then.
TEST_F(MembershipCore, TakesInByTheWordOfOthersWhomItsOwnLinkDidNotBring) {
  std::vector<Script> crowd;
  for (uint8_t i = 10; i < 20; ++i) crowd.push_back(script(i));
  for (const Script& peer : crowd) link(peer);
  const Script& late = crowd.back();
  ASSERT_EQ(core->member(late.id), nullptr);
  core->link_down(late.id, LinkEnd::closed, now);
  std::vector<Script> others(crowd.begin(), crowd.end() - 1);
  live(Config{}.gather_min + 50ms, others);
  ASSERT_EQ(core->member(late.id), nullptr);
  ASSERT_TRUE(say(crowd[0], MessageType::records, RecordsMessage{false, {late.bytes()}}));
  EXPECT_NE(core->member(late.id), nullptr);
}

TEST_F(MembershipCore, RedialsWhoIsDownForThreeDaysAndThenForgetsIt) {
  Config config;
  config.heartbeat = 10s;  // the test is about days
  restart(config);
  link(b);
  live(3s, {b});
  core->link_down(b.id, LinkEnd::closed, now);
  size_t late = 0;
  MonoTime down = now;
  while (core->remembered() > 0 && now - down < std::chrono::hours(80)) {
    collect();
    if (!dials.empty()) {
      if (now - down > std::chrono::hours(71)) ++late;
      dials.clear();
      core->dial_result(b.record.membership, DialOutcome::refused, now);
    }
    now = core->poll_timeout();
    core->handle_timeout(now);
    sent.clear();
    events.clear();
  }
  EXPECT_NEAR(static_cast<double>((now - down) / 1s), 72 * 3600, 60);
  EXPECT_GE(late, 40u);  // about once a minute
  EXPECT_LE(late, 100u);
}

TEST_F(MembershipCore, ForgetsANodeThatIsGoneButNeverAMember) {
  link(b);
  EXPECT_FALSE(core->forget(b.id, now));
  core->link_down(b.id, LinkEnd::closed, now);
  collect();
  ASSERT_TRUE(dialled(b));
  EXPECT_EQ(core->live_members(), 2u);
  core->dial_result(b.record.membership, DialOutcome::refused, now);
  collect();
  EXPECT_EQ(core->live_members(), 1u);
  live(300ms, {});
  EXPECT_TRUE(core->forget(b.id, now));  // a dial is under way
  EXPECT_FALSE(core->forget(b.id, now));
  EXPECT_EQ(core->remembered(), 0u);
  dials.clear();
  live(10s, {});
  EXPECT_TRUE(dials.empty());
  link(b);  // from itself it may come back
  EXPECT_EQ(core->live_members(), 2u);
}

TEST_F(MembershipCore, DoesNothingMoreAfterItLeft) {
  link(b);
  core->set_state(State::left, now);
  collect();
  EXPECT_GE(count_sent(b, MessageType::records), 1u);
  EXPECT_EQ(core->poll_timeout(), kNever);
  events.clear();
  dials.clear();
  core->link_down(b.id, LinkEnd::closed, now);
  core->handle_timeout(now + 10s);
  collect();
  EXPECT_TRUE(events.empty() || take<MemberDown>().empty());
  EXPECT_TRUE(dials.empty());
}

}  // namespace
}  // namespace kith::membership
