#include "store/session_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace kith::store {
namespace {

using replication::Op;

const WallTime kNow = from_unix_ms(1'800'000'000'000);
constexpr auto kHour = std::chrono::minutes(60);

NodeId node(uint8_t id) {
  NodeId result;
  result.bytes[0] = id;
  return result;
}
Key key(uint8_t id) {
  Key result;
  result.bytes.fill(id);
  return result;
}
SessionRecord record(Bytes body, WallTime at = kNow) { return {std::move(body), at, at + 8 * kHour, at}; }
SessionLimits idle_hour() { return {.idle_timeout = kHour}; }

TEST(SessionTable, ReadsBackWhatWasCreatedHereAndReplicatedThere) {
  SessionTable here(idle_hour(), node(1)), there(idle_hour(), node(2));
  auto op = here.create(key(1), record({1, 2}), kNow);
  ASSERT_TRUE(op);
  EXPECT_EQ(there.get(key(1), kNow).state, SessionState::unknown);
  EXPECT_EQ(there.apply(*op, kNow), Merged::changed);
  EXPECT_EQ(there.apply(*op, kNow), Merged::nothing);
  for (SessionTable* table : {&here, &there}) {
    const SessionView view = table->get(key(1), kNow);
    ASSERT_EQ(view.state, SessionState::live);
    EXPECT_EQ(view.record->body, (Bytes{1, 2}));
    EXPECT_EQ(view.record->expires, kNow + 8 * kHour);
  }
  EXPECT_EQ(here.content_hash(kNow), there.content_hash(kNow));
}

TEST(SessionTable, RefusesASecondCreationAndTimesOutOfRange) {
  SessionTable table(idle_hour(), node(1));
  ASSERT_TRUE(table.create(key(1), record({1}), kNow));
  EXPECT_EQ(table.create(key(1), record({2}), kNow).error().code(), Code::conflict);
  SessionRecord past = record({1});
  past.expires = kNow;
  EXPECT_EQ(table.create(key(2), past, kNow).error().code(), Code::invalid);
  EXPECT_EQ(table.create(key(2), record(Bytes(kMaxSessionBody + 1)), kNow).error().code(), Code::limit);
}

// Else nodes that get it in a log and nodes that get it in a snapshot would differ for ever.
TEST(SessionTable, RefusesTimesInOpsThatItRefusesInStates) {
  SessionTable origin(idle_hour(), node(1)), table(idle_hour(), node(2));
  Op create = *origin.create(key(1), record({1}), kNow);
  Op update = *origin.update(key(1), {2}, kNow);
  Op revoke = origin.revoke(key(1), EndReason::logout, kNow, kNow);
  for (Op* op : {&create, &update, &revoke}) {
    op->expires_ms = kMaxTimeMs + 1;
    EXPECT_EQ(table.apply(*op, kNow), Merged::refused);
    op->expires_ms = INT64_MAX;
    EXPECT_EQ(table.apply(*op, kNow), Merged::refused);
  }
  EXPECT_EQ(table.size(), 0u);
  create.expires_ms = kMaxTimeMs;
  EXPECT_EQ(table.apply(create, kNow), Merged::changed);
  SessionTable third(idle_hour(), node(3));
  const auto state = table.state_of(replication::StoreId::session, key(1));
  EXPECT_EQ(third.apply(replication::StateEntry{replication::StoreId::session, key(1), *state}, kNow),
            Merged::changed);
}

TEST(SessionTable, DoesNotItselfMakeWhatOthersRefuse) {
  SessionTable table(idle_hour(), node(1));
  SessionRecord far = record({1});
  far.expires = WallTime::max();
  EXPECT_EQ(table.create(key(1), far, kNow).error().code(), Code::invalid);
  EXPECT_EQ(table.revoke(key(1), EndReason::logout, WallTime::max(), kNow).expires_ms, kMaxTimeMs);
}

TEST(SessionTable, ActivityFarInTheFutureOverflowsNothing) {
  SessionTable origin(idle_hour(), node(1)), table(idle_hour(), node(2));
  Op create = *origin.create(key(1), record({1}), kNow);
  table.apply(create, kNow);
  Op touch = *origin.touch(key(1), kNow + kHour / 2);
  touch.payload = touch_payload(from_unix_ms(kMaxTimeMs));
  EXPECT_EQ(table.apply(touch, kNow), Merged::changed);
  EXPECT_EQ(table.get(key(1), kNow).state, SessionState::live);  // the sanitizer sees an overflow
  EXPECT_FALSE(table.touch(key(1), kNow + kHour / 2));
}

TEST(SessionTable, UpdatesOnlyWhatIsLiveAndAfterWhatItReplaces) {
  SessionTable a(idle_hour(), node(1)), b(idle_hour(), node(2));
  EXPECT_EQ(a.update(key(1), {1}, kNow).error().code(), Code::not_found);
  // b's clock is two hours ahead; a's update of what b wrote must still win.
  auto created = b.create(key(1), record({1}), kNow + 2 * kHour);
  a.apply(*created, kNow);
  EXPECT_EQ(a.counters().far_ahead, 1u);
  auto updated = a.update(key(1), {2}, kNow);
  ASSERT_TRUE(updated);
  b.apply(*updated, kNow);
  EXPECT_EQ(b.get(key(1), kNow).record->body, Bytes{2});
}

TEST(SessionTable, ARevocationWinsInWhateverOrder) {
  SessionTable origin(idle_hour(), node(1));
  auto create = origin.create(key(1), record({1}), kNow);
  auto update = origin.update(key(1), {2}, kNow);
  const Op revoke = origin.revoke(key(1), EndReason::logout, kNow, kNow);
  std::vector<Op> ops{*create, *update, revoke};
  std::sort(ops.begin(), ops.end(), [](const Op& x, const Op& y) { return x.kind < y.kind; });
  do {
    SessionTable table(idle_hour(), node(2));
    bool ended = false;
    for (const Op& op : ops) {
      const Merged merged = table.apply(op, kNow);
      EXPECT_EQ(merged == Merged::ended, op.kind == revoke.kind);
      ended |= op.kind == revoke.kind;
      EXPECT_EQ(table.get(key(1), kNow).state == SessionState::ended, ended);
    }
    EXPECT_EQ(table.content_hash(kNow), origin.content_hash(kNow));
  } while (std::next_permutation(ops.begin(), ops.end(),
                                 [](const Op& x, const Op& y) { return x.kind < y.kind; }));
}

TEST(SessionTable, RemembersTheRevocationOfAnUnknownSessionUntilItsExpiryAndAMinute) {
  SessionTable table(idle_hour(), node(1)), origin(idle_hour(), node(2));
  auto create = origin.create(key(1), record({1}), kNow);
  table.revoke(key(1), EndReason::logout, kNow + 8 * kHour, kNow);
  table.apply(*create, kNow);
  EXPECT_EQ(table.get(key(1), kNow).state, SessionState::ended);
  EXPECT_EQ(table.sweep(kNow + 8 * kHour, 256), 0u);
  EXPECT_EQ(table.sweep(kNow + 8 * kHour + kTombstoneGrace, 256), 1u);
  EXPECT_EQ(table.apply(*create, kNow + 8 * kHour + kTombstoneGrace), Merged::nothing);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.bytes(), 0u);
}

TEST(SessionTable, EndsByAbsoluteAndByIdleExpiry) {
  SessionTable table(idle_hour(), node(1));
  ASSERT_TRUE(table.create(key(1), record({1}), kNow));
  const auto late = touch_quantum(kHour);
  EXPECT_EQ(table.get(key(1), kNow + kHour + late - 1ms).state, SessionState::live);
  EXPECT_EQ(table.get(key(1), kNow + kHour + late).state, SessionState::ended);
  WallTime seen = kNow;
  for (; seen < kNow + 8 * kHour - kHour / 2; seen += kHour / 2) table.touch(key(1), seen);
  EXPECT_EQ(table.get(key(1), kNow + 8 * kHour - 1ms).state, SessionState::live);
  EXPECT_EQ(table.get(key(1), kNow + 8 * kHour).state, SessionState::ended);
}

TEST(SessionExpiry, TakesTimesOfAnyYear) {
  SessionRecord far = record({1});
  far.last_seen = far.expires = from_unix_ms(253'402'300'799'999);
  EXPECT_FALSE(has_expired(far, kHour, kNow));
  far.last_seen = from_unix_ms(0);
  EXPECT_TRUE(has_expired(far, kHour, from_unix_ms(253'402'300'799'998)));
  EXPECT_FALSE(has_expired(far, Duration{0}, from_unix_ms(253'402'300'799'998)));
}

TEST(SessionTable, ReplicatesATouchOnlyWhenItMovedByAQuantum) {
  SessionTable table(idle_hour(), node(1));
  ASSERT_TRUE(table.create(key(1), record({1}), kNow));
  EXPECT_FALSE(table.touch(key(1), kNow + std::chrono::minutes(2)));
  auto op = table.touch(key(1), kNow + std::chrono::minutes(3));
  ASSERT_TRUE(op);
  EXPECT_LT(op->payload.size(), 24u);
  EXPECT_FALSE(table.touch(key(1), kNow + std::chrono::minutes(4)));
  EXPECT_FALSE(table.touch(key(9), kNow));
  table.revoke(key(1), EndReason::logout, kNow, kNow);
  EXPECT_FALSE(table.touch(key(1), kNow + std::chrono::minutes(30)));
}

TEST(SessionTable, TheFirstOfTwoCreationsFixesTheExpiryAndTheLastBodyWins) {
  SessionTable a(idle_hour(), node(1)), b(idle_hour(), node(2));
  auto first = a.create(key(1), record({1}), kNow);
  auto second = b.create(key(1), record({2}, kNow + std::chrono::minutes(1)), kNow + std::chrono::minutes(1));
  a.apply(*second, kNow);
  b.apply(*first, kNow);
  for (SessionTable* table : {&a, &b}) {
    const SessionView view = table->get(key(1), kNow);
    EXPECT_EQ(view.record->expires, kNow + 8 * kHour);
    EXPECT_EQ(view.record->body, Bytes{2});
  }
  EXPECT_EQ(a.content_hash(kNow), b.content_hash(kNow));
}

TEST(SessionTable, WhenFullItRefusesItsOwnCreationsButTakesThoseOfOthersAndRevocations) {
  SessionTable small({.max_entries = 1}, node(1)), other(idle_hour(), node(2));
  ASSERT_TRUE(small.create(key(1), record({1}), kNow));
  EXPECT_EQ(small.create(key(2), record({1}), kNow).error().code(), Code::limit);
  small.revoke(key(3), EndReason::logout, kNow + kHour, kNow);
  EXPECT_EQ(small.get(key(3), kNow).state, SessionState::ended);
  small.apply(*other.create(key(4), record({1}), kNow), kNow);
  EXPECT_EQ(small.get(key(4), kNow).state, SessionState::live);
  EXPECT_EQ(small.counters().over_limit, 1u);
  SessionTable narrow({.max_bytes = 1000}, node(1));
  ASSERT_TRUE(narrow.create(key(1), record(Bytes(500)), kNow));
  EXPECT_EQ(narrow.create(key(2), record(Bytes(500)), kNow).error().code(), Code::limit);
  EXPECT_EQ(narrow.update(key(1), Bytes(900), kNow).error().code(), Code::limit);
}

TEST(SessionTable, CarriesOnWhenAnOpIsMalformedOrOfAKindItDoesNotKnow) {
  SessionTable table(idle_hour(), node(1));
  SessionTable origin(idle_hour(), node(2));
  Op op = *origin.create(key(1), record({1, 2, 3}), kNow);
  Op unknown = op;
  unknown.kind = 99;
  EXPECT_EQ(table.apply(unknown, kNow), Merged::refused);
  for (size_t size = 0; size < op.payload.size(); ++size) {
    Op cut = op;
    cut.payload.resize(size);
    EXPECT_EQ(table.apply(cut, kNow), Merged::refused);
  }
  Op foreign = op;
  foreign.store = replication::StoreId{77};
  EXPECT_EQ(table.apply(foreign, kNow), Merged::refused);
  const Bytes state = *origin.state_of(replication::StoreId::session, key(1));
  for (size_t size = 0; size < state.size(); ++size) {
    EXPECT_EQ(table.apply({replication::StoreId::session, key(1),
                           Bytes(state.begin(), state.begin() + static_cast<long>(size))},
                          kNow),
              Merged::refused);
  }
  EXPECT_EQ(table.size(), 0u);
}

// ---------------------------------------------------------------- marks

SessionRecord record_of(const std::vector<Key>& scopes, WallTime at = kNow) {
  SessionRecord made = record({1}, at);
  made.scopes = scopes;
  return made;
}

TEST(Marks, EndASessionThatArrivesLater) {
  SessionTable origin(idle_hour(), node(1)), admin(idle_hour(), node(2)), table(idle_hour(), node(3));
  const Op create = *origin.create(key(1), record_of({key(100)}), kNow);
  admin.apply(create, kNow);
  const Op mark = admin.mark(key(100), kNow + 8 * kHour, kNow);
  EXPECT_EQ(table.apply(mark, kNow), Merged::marked);
  EXPECT_EQ(table.apply(mark, kNow), Merged::nothing);
  table.apply(create, kNow);
  EXPECT_EQ(table.get(key(1), kNow).state, SessionState::ended);
  EXPECT_EQ(table.get(key(1), kNow).reason, EndReason::administrator);
  EXPECT_FALSE(table.touch(key(1), kNow + kHour / 2));
}

// Clocks may be wrong by any amount: what counts is who knew of what.
TEST(Marks, EndWhatWasKnownAndNotALoginThatCameAfterWhateverTheClocksSay) {
  SessionTable fast(idle_hour(), node(1)), slow(idle_hour(), node(2));
  const Op before = *fast.create(key(1), record_of({key(100)}, kNow + 30s), kNow + 30s);
  slow.apply(before, kNow);
  const Op mark = slow.mark(key(100), kNow + 9 * kHour, kNow);
  EXPECT_EQ(slow.get(key(1), kNow).state, SessionState::ended) << "known, though from a clock ahead";

  SessionTable very_fast(idle_hour(), node(4)), other(idle_hour(), node(5));
  other.apply(*very_fast.create(key(3), record_of({key(100), key(150)}, kNow + 3 * kHour), kNow + 3 * kHour),
              kNow);
  other.mark(key(150), kNow + 9 * kHour, kNow);
  EXPECT_EQ(other.get(key(3), kNow).state, SessionState::ended) << "known, though from a clock not followed";

  SessionTable hours_ahead(idle_hour(), node(3));
  const Op late = hours_ahead.mark(key(200), kNow + 20 * kHour, kNow + 5 * kHour);
  EXPECT_EQ(slow.apply(late, kNow), Merged::marked);
  const Op after = *slow.create(key(2), record_of({key(200)}), kNow);
  EXPECT_EQ(slow.get(key(2), kNow).state, SessionState::live) << "made where the mark was known";
  hours_ahead.apply(after, kNow + 5 * kHour);
  EXPECT_EQ(hours_ahead.get(key(2), kNow).state, SessionState::live);
  slow.mark(everybody(), kNow + 9 * kHour, kNow);
  EXPECT_EQ(slow.get(key(2), kNow).state, SessionState::ended)
      << "though its stamp is far ahead by the mark before";
}

TEST(Marks, EndWhatAFastClockMakesMeanwhileElsewhere) {
  SessionTable fast(idle_hour(), node(1)), admin(idle_hour(), node(2));
  const Op create = *fast.create(key(1), record_of({key(100)}, kNow + 50s), kNow + 50s);
  const Op mark = admin.mark(key(100), kNow + 9 * kHour, kNow);
  admin.apply(create, kNow);
  EXPECT_EQ(admin.get(key(1), kNow).state, SessionState::ended);
}

TEST(Marks, OfTheFarFutureLockNobodyOut) {
  SessionTable table(idle_hour(), node(1)), origin(idle_hour(), node(2));
  Op mark = origin.mark(everybody(), from_unix_ms(kMaxTimeMs), kNow);
  for (uint64_t far : {UINT64_MAX, replication::hlc_from(from_unix_ms(kMaxTimeMs + 1))}) {
    mark.hlc = far;
    EXPECT_EQ(table.apply(mark, kNow), Merged::refused);
  }
  mark.hlc = replication::hlc_from(kNow + 48 * kHour);
  EXPECT_EQ(table.apply(mark, kNow), Merged::marked);
  ASSERT_TRUE(table.create(key(1), record_of({}), kNow));
  EXPECT_EQ(table.get(key(1), kNow).state, SessionState::live);
  EXPECT_TRUE(table.update(key(1), {2}, kNow));
}

TEST(Marks, TravelAsTheEndOfASessionToWhoDoesNotKnowThem) {
  SessionTable origin(idle_hour(), node(1)), puller(idle_hour(), node(2)), joiner(idle_hour(), node(3));
  ASSERT_TRUE(origin.create(key(1), record_of({key(100)}), kNow));
  origin.mark(key(100), kNow + 9 * kHour, kNow);
  const auto state = origin.state_of(replication::StoreId::session, key(1));
  puller.apply({replication::StoreId::session, key(1), *state}, kNow);
  EXPECT_EQ(puller.get(key(1), kNow).state, SessionState::ended);
  replication::SnapshotCursor cursor;
  for (bool more = true; more;) {
    std::vector<replication::StateEntry> entries;
    more = origin.next(cursor, 1, entries);
    ASSERT_LE(entries.size(), 1u);
    for (const auto& entry : entries) joiner.apply(entry, kNow);
    EXPECT_NE(joiner.get(key(1), kNow).state, SessionState::live);
  }
  EXPECT_EQ(joiner.content_hash(kNow), origin.content_hash(kNow));
}

TEST(Marks, BecomeTombstonesThatOutliveThem) {
  SessionTable table(idle_hour(), node(1));
  ASSERT_TRUE(table.create(key(1), record_of({key(100)}), kNow));
  const uint64_t before = table.content_hash(kNow);
  table.mark(key(100), kNow + kHour, kNow);
  EXPECT_NE(table.content_hash(kNow), before);
  const size_t with_body = table.bytes();
  table.sweep(kNow, 256);
  EXPECT_LT(table.bytes(), with_body);
  table.sweep(kNow + kHour + kTombstoneGrace, 256);
  EXPECT_EQ(table.marks(), 0u);
  EXPECT_EQ(table.get(key(1), kNow + kHour + kTombstoneGrace).state, SessionState::ended);
}

TEST(Marks, AgeIsNoRevocation) {
  SessionTable table(idle_hour(), node(1));
  ASSERT_TRUE(table.create(key(1), record_of({key(100)}), kNow));
  const WallTime late = kNow + 2 * kHour;
  EXPECT_TRUE(table.get(key(1), late).expired);
  EXPECT_FALSE(table.is_revoked(key(1), late));
  table.mark(key(100), late + kHour, late);
  EXPECT_TRUE(table.is_revoked(key(1), late));
  EXPECT_FALSE(table.get(key(1), late).expired);
}

TEST(SessionTable, ASecondCreationOfAKeyTakesNobodyOutOfItsScopes) {
  SessionTable early(idle_hour(), node(1)), late(idle_hour(), node(2)), table(idle_hour(), node(3));
  const Op first = *early.create(key(1), record_of({key(100)}), kNow);
  const Op second = *late.create(key(1), record_of({key(101)}, kNow + 1s), kNow + 1s);
  table.apply(second, kNow);
  table.mark(key(101), kNow + 9 * kHour, kNow + 2s);
  EXPECT_EQ(table.get(key(1), kNow + 2s).state, SessionState::ended);
  table.apply(first, kNow);
  EXPECT_EQ(table.get(key(1), kNow + 2s).state, SessionState::ended);
}

TEST(SessionTable, TheLargestSessionFitsAnOpAndAState) {
  SessionTable table(idle_hour(), node(1));
  SessionRecord largest = record(Bytes(kMaxSessionBody));
  for (uint8_t i = 0; i < kMaxScopes; ++i) largest.scopes.push_back(key(i));
  const auto op = table.create(key(1), largest, kNow);
  ASSERT_TRUE(op);
  EXPECT_LE(op->payload.size(), replication::kMaxPayload);
  EXPECT_LE(table.state_of(replication::StoreId::session, key(1))->size(), replication::kMaxPayload);
}

TEST(SessionTable, RefusesStampsThatNoClockGives) {
  SessionTable table(idle_hour(), node(1)), origin(idle_hour(), node(2));
  Op create = *origin.create(key(1), record({1}), kNow);
  create.hlc = UINT64_MAX;
  EXPECT_EQ(table.apply(create, kNow), Merged::refused);
}

TEST(Marks, GoWhenNothingIsLeftThatTheyCouldEnd) {
  SessionTable table(idle_hour(), node(1)), late(idle_hour(), node(2));
  const Op mark = table.mark(key(100), kNow + kHour, kNow);
  const size_t with = table.bytes();
  EXPECT_GT(with, 0u);
  table.sweep(kNow + kHour + kTombstoneGrace - 1ms, 256);
  EXPECT_EQ(table.marks(), 1u);
  table.sweep(kNow + kHour + kTombstoneGrace, 256);
  EXPECT_EQ(table.marks(), 0u);
  EXPECT_EQ(table.bytes(), 0u);
  EXPECT_EQ(late.apply(mark, kNow + kHour + kTombstoneGrace), Merged::nothing);
  EXPECT_EQ(late.marks(), 0u);
}

TEST(Marks, AreRefusedWhenTheyAreMalformed) {
  SessionTable table(idle_hour(), node(1)), origin(idle_hour(), node(2));
  const Op mark = origin.mark(key(100), kNow + kHour, kNow);
  Op wrong = mark;
  wrong.kind = 9;
  EXPECT_EQ(table.apply(wrong, kNow), Merged::refused);
  wrong = mark;
  wrong.payload = {1};
  EXPECT_EQ(table.apply(wrong, kNow), Merged::refused);
  wrong = mark;
  wrong.hlc = 0;
  EXPECT_EQ(table.apply(wrong, kNow), Merged::refused);
  wrong = mark;
  wrong.expires_ms = kMaxTimeMs + 1;
  EXPECT_EQ(table.apply(wrong, kNow), Merged::refused);
  Bytes state = *origin.state_of(replication::StoreId::mark, key(100));
  ASSERT_EQ(state.size(), 16u);
  EXPECT_EQ(table.apply({replication::StoreId::mark, key(100), state}, kNow), Merged::marked);
  state.pop_back();
  EXPECT_EQ(table.apply({replication::StoreId::mark, key(101), state}, kNow), Merged::refused);
  EXPECT_EQ(table.marks(), 1u);
}

TEST(SessionTable, RefusesTooManyScopes) {
  SessionTable table(idle_hour(), node(1)), origin(idle_hour(), node(2));
  std::vector<Key> many;
  for (uint8_t i = 0; i <= kMaxScopes; ++i) many.push_back(key(i));
  EXPECT_EQ(table.create(key(2), record_of(many), kNow).error().code(), Code::invalid);
  Op create = *origin.create(key(3), record({1}), kNow);
  create.payload = create_payload(record_of(many));
  EXPECT_EQ(table.apply(create, kNow), Merged::refused);
  create.payload = create_payload(record_of({key(2), key(1)}));
  EXPECT_EQ(table.apply(create, kNow), Merged::refused) << "not in order";
  many.pop_back();
  many.push_back(many.front());
  EXPECT_TRUE(table.create(key(1), record_of(many), kNow)) << "twice is once";
}

// ---------------------------------------------------------------- as a lattice

// Random ops of three origins over few keys, each made on that origin's own table.
std::vector<Op> random_ops(std::mt19937_64& rng, size_t count) {
  std::vector<std::unique_ptr<SessionTable>> origins;
  for (uint8_t i = 1; i <= 3; ++i) origins.push_back(std::make_unique<SessionTable>(idle_hour(), node(i)));
  std::vector<Op> ops;
  while (ops.size() < count) {
    SessionTable& origin = *origins[rng() % 3];
    const Key at = key(static_cast<uint8_t>(rng() % 6));
    const WallTime now = kNow + std::chrono::seconds(rng() % 1000);
    std::optional<Op> op;
    switch (rng() % 13) {
      case 0: op = origin.revoke(at, EndReason{static_cast<uint8_t>(rng() % 5)}, now + 9 * kHour, now); break;
      case 1:
      case 2: op = origin.touch(at, now + std::chrono::minutes(rng() % 50)); break;
      case 3:
      case 4:
      case 5:
        if (auto made = origin.update(at, Bytes(rng() % 9, 7), now)) op = *made;
        break;
      case 6:  // some of what the others wrote arrives here
        if (!ops.empty()) origin.apply(ops[rng() % ops.size()], now);
        break;
      case 7: op = origin.mark(key(static_cast<uint8_t>(100 + rng() % 2)), now + 9 * kHour, now); break;
      default: {
        SessionRecord fresh = record(Bytes(rng() % 9, 5), now);
        fresh.scopes = {key(static_cast<uint8_t>(100 + rng() % 3))};
        if (auto made = origin.create(at, fresh, now)) op = *made;
      }
    }
    if (op) ops.push_back(*op);
    if (ops.size() < count && rng() % 50 == 0)
      origins[rng() % 3] = std::make_unique<SessionTable>(idle_hour(), node(1 + rng() % 3));
  }
  return ops;
}

TEST(SessionLattice, AnyOrderAndAnyRepetitionOfOpsGivesTheSameContent) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    std::mt19937_64 rng(seed);
    std::vector<Op> ops = random_ops(rng, 40);
    std::optional<uint64_t> expected;
    for (int round = 0; round < 12; ++round) {
      std::shuffle(ops.begin(), ops.end(), rng);
      SessionTable table(idle_hour(), node(9));
      for (const Op& op : ops) {
        ASSERT_NE(table.apply(op, kNow), Merged::refused);
        if (rng() % 3 == 0) table.apply(ops[rng() % ops.size()], kNow);
      }
      if (!expected) expected = table.content_hash(kNow);
      ASSERT_EQ(table.content_hash(kNow), *expected) << "seed " << seed;
    }
  }
}

TEST(SessionLattice, StatesMergeLikeTheOpsTheyAreMadeOf) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    std::mt19937_64 rng(seed);
    const std::vector<Op> ops = random_ops(rng, 40);
    SessionTable all(idle_hour(), node(9)), left(idle_hour(), node(9)), right(idle_hour(), node(9));
    for (const Op& op : ops) {
      all.apply(op, kNow);
      (rng() % 2 ? left : right).apply(op, kNow);
    }
    for (auto [from, to] : {std::pair{&left, &right}, std::pair{&right, &left}}) {
      replication::SnapshotCursor cursor;
      std::vector<replication::StateEntry> entries;
      bool more = true;
      while (more) {
        entries.clear();
        more = from->next(cursor, 200, entries);
        for (const auto& entry : entries) ASSERT_NE(to->apply(entry, kNow), Merged::refused);
      }
    }
    EXPECT_EQ(left.content_hash(kNow), all.content_hash(kNow)) << "seed " << seed;
    EXPECT_EQ(right.content_hash(kNow), all.content_hash(kNow)) << "seed " << seed;
  }
}

TEST(SessionTable, ASnapshotVisitsEveryEntryOnceInChunks) {
  SessionTable table(idle_hour(), node(1));
  std::mt19937_64 rng(5);
  for (int i = 0; i < 500; ++i) {
    Key at;
    for (uint8_t& byte : at.bytes) byte = static_cast<uint8_t>(rng());
    ASSERT_TRUE(table.create(at, record(Bytes(rng() % 300)), kNow));
  }
  replication::SnapshotCursor cursor;
  std::vector<Key> seen;
  bool more = true;
  while (more) {
    std::vector<replication::StateEntry> entries;
    more = table.next(cursor, 1000, entries);
    size_t bytes = 0;
    for (const auto& entry : entries) {
      seen.push_back(entry.key);
      bytes += Key::kSize + entry.state.size();
    }
    EXPECT_LE(bytes, 1000u);
  }
  EXPECT_EQ(seen.size(), 500u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
}

}  // namespace
}  // namespace kith::store
