#include "store/cache_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "store/tables.h"

namespace kith::store {
namespace {

using replication::Op;
using replication::SnapshotCursor;
using replication::StateEntry;
using replication::StoreId;

const WallTime kNow = from_unix_ms(1'800'000'000'000);
constexpr auto kMinute = std::chrono::minutes(1);

NodeId node(uint8_t id) {
  NodeId result;
  result.bytes[0] = id;
  return result;
}
CacheName name(std::string key) { return {"shared", std::move(key)}; }
Key hash(std::string_view key) { return key_of("shared", key); }
std::optional<std::string> read(const CacheTable& table, std::string_view key, WallTime now = kNow) {
  auto view = table.get(hash(key), now);
  if (!view) return std::nullopt;
  return to_string(view.value->data);
}
Op set(CacheTable& table, std::string key, std::string_view data,
       std::optional<WallTime> expires = std::nullopt, WallTime now = kNow) {
  auto op = table.set(name(std::move(key)), to_bytes(data), expires, now);
  EXPECT_TRUE(op);
  return *op;
}
Op remove(CacheTable& table, std::string_view key, WallTime now = kNow) {
  auto op = table.remove(hash(key), now);
  EXPECT_TRUE(op);
  return *op;
}
Op clear(CacheTable& table, std::string_view space, WallTime now = kNow) {
  auto op = table.clear(space, now);
  EXPECT_TRUE(op);
  return *op;
}
void sweep_all(CacheTable& table, WallTime now) { table.sweep(now, CacheTable::kShards); }

TEST(CacheTable, ReadsBackWhatWasSetHereAndReplicatedThere) {
  CacheTable here({}, node(1)), there({}, node(2));
  Op op = set(here, "a", "1", kNow + kMinute);
  EXPECT_EQ(there.apply(op, kNow), Merged::changed);
  EXPECT_EQ(there.apply(op, kNow), Merged::nothing);
  for (CacheTable* table : {&here, &there}) {
    EXPECT_EQ(read(*table, "a"), "1");
    EXPECT_EQ(table->get(hash("a"), kNow).expires, kNow + kMinute);
    EXPECT_EQ(read(*table, "a", kNow + kMinute), std::nullopt);
    EXPECT_EQ(table->count("shared").entries, 1u);
    EXPECT_EQ(table->count("shared").expiring, 1u);
  }
  EXPECT_EQ(here.content_hash(kNow), there.content_hash(kNow));
  EXPECT_EQ(here.bytes(), there.bytes());
}

TEST(CacheTable, TheLaterWriteWinsInAnyOrder) {
  CacheTable first({}, node(1)), second({}, node(2));
  std::vector<Op> ops = {set(first, "a", "1"), set(second, "a", "2", kNow + kMinute),
                         set(first, "b", "3"), remove(second, "b", kNow),
                         set(first, "a", "4"), remove(first, "c", kNow)};
  std::optional<uint64_t> hash_of_all;
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    std::shuffle(ops.begin(), ops.end(), random);
    CacheTable table({}, node(3));
    for (const Op& op : ops) table.apply(op, kNow);
    if (!hash_of_all) hash_of_all = table.content_hash(kNow);
    EXPECT_EQ(table.content_hash(kNow), *hash_of_all);
  }
}

// Also when the clock of whoever wrote it is a minute ahead of the clock here.
TEST(CacheTable, AWriteComesAfterWhatItReplaces) {
  CacheTable ahead({}, node(1)), here({}, node(2));
  here.apply(set(ahead, "a", "theirs", std::nullopt, kNow + 10 * kMinute), kNow);
  set(here, "a", "ours");
  EXPECT_EQ(read(here, "a"), "ours");
  remove(here, "a", kNow);
  EXPECT_EQ(read(here, "a"), std::nullopt);
}

TEST(CacheTable, WhatWasRemovedDoesNotComeBackWithALateWrite) {
  CacheTable origin({}, node(1)), other({}, node(2)), late({}, node(3));
  Op with_ttl = set(origin, "ttl", "1", kNow + 60 * kMinute);
  Op without = set(origin, "ever", "1");
  for (const Op& op : {with_ttl, without}) other.apply(op, kNow);
  for (std::string_view key : {"ttl", "ever"}) late.apply(remove(other, key, kNow + kMinute), kNow + kMinute);
  const WallTime hour = kNow + 59 * kMinute;
  sweep_all(late, hour);
  late.apply(with_ttl, hour);
  late.apply(without, hour);
  EXPECT_EQ(read(late, "ttl", hour), std::nullopt);
  EXPECT_EQ(read(late, "ever", hour), std::nullopt);
}

TEST(CacheTable, ForgetsWhatIsTooOldWhenNothingOlderCanCome) {
  CacheTable table({}, node(1));
  set(table, "short", "1", kNow + 1s);
  set(table, "long", "1", kNow + 60 * kMinute);
  set(table, "ever", "1");
  sweep_all(table, kNow + kMinute);
  EXPECT_EQ(table.entries(), 3u) << "a value is freed, its stamp is kept for a while";
  EXPECT_EQ(table.count("shared").entries, 2u);
  sweep_all(table, kNow + 12 * kMinute);
  EXPECT_EQ(table.entries(), 2u);
  sweep_all(table, kNow + 62 * kMinute);
  EXPECT_EQ(table.entries(), 1u);
  remove(table, "ever", kNow + 62 * kMinute);
  sweep_all(table, kNow + 24 * 60 * kMinute);
  EXPECT_EQ(table.entries(), 1u);
  sweep_all(table, kNow + 26 * 60 * kMinute);
  EXPECT_EQ(table.entries(), 0u);
  EXPECT_EQ(table.bytes(), 0u);
}

// A shorter life does not end the memory of a longer one that it replaced.
TEST(CacheTable, RemembersTheLongestLifeOfWhatItReplaced) {
  CacheTable origin({}, node(1)), late({}, node(2));
  Op first = set(origin, "a", "old", kNow + 120 * kMinute);
  late.apply(set(origin, "a", "new", kNow + 1s), kNow);
  const WallTime hour = kNow + 60 * kMinute;
  sweep_all(late, hour);
  late.apply(first, hour);
  EXPECT_EQ(read(late, "a", hour), std::nullopt);
}

// What is removed where it is not known may be on its way, and never end by age.
TEST(CacheTable, RemembersTheRemovalOfWhatItDoesNotKnowForADay) {
  CacheTable origin({}, node(1)), here({}, node(2)), third({}, node(3));
  const Op early = set(origin, "a", "1");
  third.apply(remove(here, "a", kNow + 1s), kNow + 1s);
  const WallTime later = kNow + 23 * 60 * kMinute;
  for (CacheTable* table : {&here, &third}) {
    sweep_all(*table, later);
    table->apply(early, later);
    EXPECT_EQ(read(*table, "a", later), std::nullopt);
    sweep_all(*table, kNow + 25 * 60 * kMinute);
    EXPECT_EQ(table->entries(), 0u);
  }
}

// The day of what it replaces begins with it, as with a removal.
TEST(CacheTable, AShortLifeAfterOneWithoutEndIsRememberedForADay) {
  CacheTable origin({}, node(1)), late({}, node(2));
  const Op early = set(origin, "a", "1");
  const WallTime then = kNow + 20 * 60 * kMinute;
  late.apply(set(origin, "a", "2", then + 1s, then), then);
  const WallTime later = kNow + 40 * 60 * kMinute;
  sweep_all(late, later);
  late.apply(early, later);
  EXPECT_EQ(read(late, "a", later), std::nullopt);
}

TEST(CacheTable, RefusesWhatIsTooLargeOrMalformedOrUnderAnotherKey) {
  CacheTable table({}, node(1));
  EXPECT_EQ(table.set(name(std::string(kMaxCacheKey + 1, 'k')), {}, std::nullopt, kNow).error().code(),
            Code::limit);
  EXPECT_EQ(table.set(name("a"), Bytes(kMaxCacheData + 1), std::nullopt, kNow).error().code(), Code::limit);
  EXPECT_EQ(table.set(name("a"), {}, from_unix_ms(kMaxTimeMs + 1), kNow).error().code(), Code::invalid);
  EXPECT_TRUE(table.set(name(std::string(kMaxCacheKey, 'k')), Bytes(kMaxCacheData), std::nullopt, kNow));

  CacheTable other({}, node(2));
  const Op good = set(other, "a", "1");
  Op moved = good;
  moved.key = hash("b");
  Op cut = good;
  cut.payload.pop_back();
  Op longer = good;
  longer.payload.push_back(0);
  Op unknown = good;
  unknown.kind = 77;
  Op late = good;
  late.expires_ms = kMaxTimeMs + 1;
  for (const Op& op : {moved, cut, longer, unknown, late}) EXPECT_EQ(table.apply(op, kNow), Merged::refused);
  StateEntry state{StoreId::cache, hash("b"), *other.state_of(StoreId::cache, hash("a"))};
  EXPECT_EQ(table.apply(state, kNow), Merged::refused);
  EXPECT_EQ(table.counters().refused, 6u);
  EXPECT_EQ(read(table, "b"), std::nullopt);
}

TEST(CacheTable, ExpiryInThePastRemoves) {
  CacheTable table({}, node(1));
  set(table, "a", "1");
  Op op = set(table, "a", "2", kNow - 1s);
  EXPECT_EQ(op.kind, static_cast<uint8_t>(CacheOp::remove));
  EXPECT_EQ(read(table, "a"), std::nullopt);
}

TEST(CacheTable, SpacesDoNotMeet) {
  CacheTable table({}, node(1));
  ASSERT_TRUE(table.set({"a", "bc"}, to_bytes("1"), std::nullopt, kNow));
  EXPECT_FALSE(table.get(key_of("ab", "c"), kNow));
  EXPECT_EQ(table.count("a").entries, 1u);
  EXPECT_EQ(table.count("ab").entries, 0u);
}

TEST(CacheTable, DropsWhatWasNotReadForLongestWhenItIsFull) {
  const size_t one = kCacheEntryBytes + 6 + 5 + 1000;
  CacheTable table({.max_bytes = 3000 * one}, node(1));
  auto key = [](int i) { return "k" + std::to_string(1000 + i); };
  for (int i = 0; i < 2900; ++i) set(table, key(i), std::string(1000, 'x'));
  EXPECT_EQ(table.counters().evicted, 0u);
  for (int i = 0; i < 1000; ++i) read(table, key(i));
  for (int i = 2900; i < 4000; ++i) set(table, key(i), std::string(1000, 'x'));
  EXPECT_LE(table.bytes(), table.max_bytes());
  EXPECT_GE(table.counters().evicted, 1000u);
  auto held = [&](int from, int to) {
    int count = 0;
    for (int i = from; i < to; ++i) count += table.get(hash(key(i)), kNow) ? 1 : 0;
    return count;
  };
  EXPECT_GT(held(0, 1000), 900) << "what was read stays";
  EXPECT_LT(held(1000, 2900), 1300) << "what was not goes";
}

TEST(CacheTable, TombstonesTakeAQuarterOfTheRoomAndTheOldestGo) {
  CacheTable table({.max_bytes = 4 << 20}, node(1)), other({}, node(2));
  for (int i = 0; i < 1000; ++i) set(table, std::to_string(i), std::string(2000, 'x'));
  for (int i = 0; i < 200'000; ++i) {
    remove(table, "none " + std::to_string(i));
    ASSERT_LE(table.bytes(), 4u << 20);
  }
  EXPECT_EQ(table.count("shared").entries, 1000u) << "what lives is not pushed out";
  EXPECT_EQ(table.counters().evicted, 0u);
  const size_t kept = (1u << 20) / kCacheEntryBytes;
  EXPECT_EQ(table.entries(), 1000 + kept);
  EXPECT_EQ(table.counters().forgotten, 200'000 - kept);
  // As it is with others' removals.
  for (int i = 0; i < 10'000; ++i) table.apply(remove(other, "theirs " + std::to_string(i)), kNow);
  EXPECT_EQ(table.entries(), 1000 + kept);
  size_t late = 0;
  for (int i = 9000; i < 10'000; ++i)
    late += table.state_of(StoreId::cache, hash("theirs " + std::to_string(i))) ? 1 : 0;
  EXPECT_GT(late, 800u) << "the latest are remembered";
}

TEST(CacheTable, ValuesDoNotPushOutTombstones) {
  CacheTable table({.max_bytes = 1 << 20}, node(1)), origin({}, node(2));
  const Op early = set(origin, "a", "1");
  table.apply(early, kNow);
  remove(table, "a");
  for (int i = 0; i < 10'000; ++i) set(table, std::to_string(i), std::string(500, 'x'));
  table.apply(early, kNow);
  EXPECT_EQ(read(table, "a"), std::nullopt);
}

// Whatever was at its key before.
TEST(CacheTable, WhatComesAnewIsNotDroppedAtTheOldPlaceOfItsKey) {
  CacheTable table({.max_bytes = 4 << 20}, node(1));
  auto key = [](int i) { return "k" + std::to_string(10'000 + i); };
  auto fill = [&](int from, int to) {
    for (int i = from; i < to; ++i) set(table, key(i), std::string(1000, 'x'));
  };
  fill(0, 1000);  // their places are the oldest
  clear(table, "shared");
  sweep_all(table, kNow);
  fill(1000, 3000);
  fill(0, 1000);
  EXPECT_EQ(table.counters().evicted, 0u);
  fill(4000, 5000);
  size_t held = 0;
  for (int i = 0; i < 1000; ++i) held += table.get(hash(key(i)), kNow) ? 1 : 0;
  EXPECT_GT(table.counters().evicted, 500u);
  EXPECT_GT(held, 900u);
}

TEST(CacheTable, ItsBytesAreWhatItsEntriesTake) {
  CacheTable table({.max_bytes = 200'000}, node(1));
  std::mt19937 random(2);
  WallTime now = kNow;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = std::to_string(random() % 300);
    switch (random() % 4) {
      case 0: remove(table, key, now); break;
      case 1: sweep_all(table, now += 1s); break;
      default:
        set(table, key, std::string(random() % 2000, 'x'), now + std::chrono::seconds(random() % 20 + 1),
            now);
    }
    ASSERT_LE(table.bytes(), 200'000u);
  }
  for (int i = 0; i < 300; ++i) remove(table, std::to_string(i), now);
  EXPECT_EQ(table.count("shared").entries, 0u);
  sweep_all(table, now + 48 * 60 * kMinute);
  EXPECT_EQ(table.entries(), 0u);
  EXPECT_EQ(table.bytes(), 0u);
}

TEST(CacheTable, AVisitSeesAllOfASpaceOnce) {
  CacheTable table({}, node(1));
  for (int i = 0; i < 500; ++i)
    set(table, std::to_string(i), "1", i % 2 ? std::optional(kNow + 1s) : std::nullopt);
  ASSERT_TRUE(table.set({"other", "x"}, {}, std::nullopt, kNow));
  std::multiset<std::string> seen;
  for (size_t shard = 0; shard < CacheTable::kShards; ++shard)
    table.visit(shard, "shared", kNow + 2s, [&](const CacheValue& value) { seen.insert(value.name.key); });
  EXPECT_EQ(seen.size(), 250u);
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 250u);
}

TEST(CacheTable, AClearEndsWhatWasWrittenBeforeInAnyOrderAndNothingAfter) {
  CacheTable here({}, node(1)), there({}, node(2));
  Op early = set(here, "a", "1");
  Op cleared = clear(here, "shared", kNow);
  Op after = set(here, "b", "2");
  EXPECT_EQ(read(here, "a"), std::nullopt);
  EXPECT_EQ(read(here, "b"), "2");
  EXPECT_EQ(here.count("shared").entries, 1u);
  EXPECT_EQ(there.apply(cleared, kNow), Merged::changed);
  EXPECT_EQ(there.apply(early, kNow), Merged::nothing);
  EXPECT_EQ(there.apply(after, kNow), Merged::changed);
  EXPECT_EQ(there.apply(cleared, kNow), Merged::nothing);
  EXPECT_EQ(here.content_hash(kNow), there.content_hash(kNow));
  ASSERT_TRUE(there.set({"other", "x"}, {}, std::nullopt, kNow));
  clear(there, "shared", kNow);
  EXPECT_EQ(there.count("other").entries, 1u);
  EXPECT_EQ(there.count("shared").entries, 0u);
}

// Also with a clock that is behind that of whoever cleared.
TEST(CacheTable, AWriteComesAfterTheClearThatItsNodeKnows) {
  CacheTable ahead({}, node(1)), here({}, node(2));
  here.apply(clear(ahead, "shared", kNow + 10 * kMinute), kNow);
  set(here, "a", "1");
  EXPECT_EQ(read(here, "a"), "1");
}

TEST(CacheTable, AClearComesAfterAllThatItsSpaceHolds) {
  CacheTable ahead({}, node(1)), here({}, node(2)), there({}, node(3));
  const Op early = set(ahead, "a", "1", std::nullopt, kNow + 90s);
  here.apply(early, kNow);
  const Op cleared = clear(here, "shared");
  EXPECT_EQ(read(here, "a"), std::nullopt);
  EXPECT_EQ(here.count("shared").entries, 0u);
  there.apply(cleared, kNow);
  EXPECT_EQ(there.apply(early, kNow), Merged::nothing);
}

// What no other node would take is not written here either.
TEST(CacheTable, NothingIsWrittenAfterTheLastStampThatThereIs) {
  CacheTable other({}, node(1)), table({}, node(2));
  Op last = set(other, "a", "1");
  last.hlc = (uint64_t{kMaxTimeMs} << 16) | 0xffff;
  ASSERT_EQ(table.apply(last, kNow), Merged::changed);
  EXPECT_EQ(table.set(name("a"), {}, std::nullopt, kNow).error().code(), Code::limit);
  EXPECT_EQ(table.set(name("a"), {}, kNow - 1s, kNow).error().code(), Code::limit);
  EXPECT_EQ(table.remove(hash("a"), kNow).error().code(), Code::limit);
  EXPECT_EQ(table.clear("shared", kNow).error().code(), Code::limit);
  EXPECT_EQ(read(table, "a"), "1");
  EXPECT_TRUE(table.set(name("b"), {}, std::nullopt, kNow));
  EXPECT_TRUE(table.clear("other", kNow));
}

TEST(CacheTable, ClearsTravelInSnapshots) {
  CacheTable donor({}, node(1)), taker({}, node(2));
  Op late = set(donor, "a", "1");
  for (int i = 0; i < 500; ++i) clear(donor, i == 0 ? "shared" : "space " + std::to_string(i), kNow);
  SnapshotCursor cursor;
  size_t chunks = 0;
  for (bool more = true; more; ++chunks) {
    std::vector<StateEntry> entries;
    more = donor.next(cursor, 4096, entries);
    for (const StateEntry& entry : entries) EXPECT_EQ(taker.apply(entry, kNow), Merged::changed);
  }
  EXPECT_GT(chunks, 5u);
  taker.apply(late, kNow);
  EXPECT_EQ(read(taker, "a"), std::nullopt);
  const Key key = CacheClear{"shared"}.key();
  EXPECT_EQ(taker.state_of(StoreId::cache, key), donor.state_of(StoreId::cache, key));
}

// What was cleared is erased later, in parts; until then nobody sees it.
TEST(CacheTable, AClearHidesAtOnceWhatTheSweepErases) {
  CacheTable table({}, node(1)), fresh({}, node(1));
  for (int i = 0; i < 300; ++i)
    set(table, std::to_string(i), "1", i % 2 ? std::optional(kNow + kMinute) : std::nullopt);
  ASSERT_TRUE(table.set({"other", "x"}, to_bytes("2"), std::nullopt, kNow));
  const size_t bytes = table.bytes();
  Op cleared = clear(table, "shared", kNow);
  Op after = set(table, "7", "3");
  EXPECT_EQ(table.entries(), 301u) << "nobody waits for a walk";
  EXPECT_EQ(table.count("shared").entries, 1u);
  EXPECT_EQ(table.count("shared").expiring, 0u);
  EXPECT_EQ(table.count("other").entries, 1u);
  EXPECT_EQ(read(table, "8"), std::nullopt);
  EXPECT_EQ(read(table, "7"), "3");
  EXPECT_EQ(table.state_of(StoreId::cache, hash("8")), std::nullopt);
  size_t seen = 0;
  for (size_t shard = 0; shard < CacheTable::kShards; ++shard)
    table.visit(shard, "shared", kNow, [&](const CacheValue&) { ++seen; });
  EXPECT_EQ(seen, 1u);
  SnapshotCursor cursor;
  std::vector<StateEntry> entries;
  EXPECT_FALSE(table.next(cursor, 1 << 20, entries));
  EXPECT_EQ(entries.size(), 3u) << "two values and the clear";
  for (const StateEntry& entry : entries) fresh.apply(entry, kNow);
  EXPECT_EQ(fresh.content_hash(kNow), table.content_hash(kNow));
  sweep_all(table, kNow);
  EXPECT_EQ(table.entries(), 2u);
  EXPECT_LT(table.bytes(), bytes / 100);
  EXPECT_EQ(table.bytes(), fresh.bytes());
  EXPECT_EQ(table.count("shared").entries, 1u);
  EXPECT_EQ(table.counters().expired, 0u);
}

// Another node's, that was on its way while this one wrote.
TEST(CacheTable, AClearThatIsOlderThanSomeOfTheSpaceCountsRightAtOnce) {
  CacheTable table({}, node(1)), other({}, node(2));
  for (int i = 0; i < 100; ++i) set(table, std::to_string(i), "1");
  const Op cleared = clear(other, "shared", kNow + 1s);
  for (int i = 90; i < 120; ++i) set(table, std::to_string(i), "2", kNow + kMinute, kNow + 2s);
  EXPECT_EQ(table.apply(cleared, kNow + 2s), Merged::changed);
  EXPECT_EQ(table.count("shared").entries, 30u);
  EXPECT_EQ(table.count("shared").expiring, 30u);
  set(table, "x", "3", std::nullopt, kNow + 3s);
  EXPECT_EQ(table.count("shared").entries, 31u);
  sweep_all(table, kNow + 3s);
  EXPECT_EQ(table.entries(), 31u);
  EXPECT_EQ(table.count("shared").entries, 31u);
}

TEST(CacheTable, WhatWasClearedMakesRoomFirst) {
  CacheTable table({.max_bytes = 1 << 20}, node(1));
  for (int i = 0; i < 3000; ++i) {
    set(table, std::to_string(i), std::string(64, 'x'));
    read(table, std::to_string(i));
  }
  EXPECT_EQ(table.counters().evicted, 0u);
  clear(table, "shared", kNow);
  for (int i = 0; i < 2000; ++i) set(table, std::to_string(i), std::string(64, 'y'));
  EXPECT_LE(table.bytes(), table.max_bytes());
  EXPECT_EQ(table.count("shared").entries, 2000u - table.counters().evicted);
  EXPECT_LT(table.counters().evicted, 300u);
}

TEST(CacheTable, AClearIsForgottenAfterADay) {
  CacheTable table({}, node(1));
  clear(table, "shared", kNow);
  const Key key = CacheClear{"shared"}.key();
  sweep_all(table, kNow + 24 * 60 * kMinute);
  EXPECT_TRUE(table.state_of(StoreId::cache, key));
  sweep_all(table, kNow + 24 * 60 * kMinute + 2 * kMinute);
  EXPECT_FALSE(table.state_of(StoreId::cache, key));
}

TEST(CacheTable, AmongTooManyClearsTheOldestIsForgottenOnAllNodesInAnyOrder) {
  CacheTable here({}, node(1)), there({}, node(2)), back({}, node(3));
  set(here, "a", "1");
  std::vector<Op> clears = {clear(here, "shared", kNow)};
  for (size_t i = 0; i < CacheTable::kMaxClears; ++i)
    clears.push_back(clear(here, std::to_string(i), kNow + 1s));
  EXPECT_EQ(read(here, "a"), std::nullopt) << "what it ended does not come back";
  EXPECT_EQ(here.count("shared").entries, 0u);
  set(back, "a", "1", std::nullopt, kNow - 1s);
  for (size_t i = 0; i < clears.size(); ++i) {
    there.apply(clears[i], kNow + 1s);
    back.apply(clears[clears.size() - 1 - i], kNow + 1s);
  }
  EXPECT_EQ(read(back, "a"), std::nullopt) << "also one that goes as it comes ends what is here";
  for (CacheTable* table : {&here, &there, &back}) {
    EXPECT_FALSE(table->state_of(StoreId::cache, CacheClear{"shared"}.key()));
    EXPECT_TRUE(table->state_of(StoreId::cache, CacheClear{"0"}.key()));
  }
}

TEST(CacheTable, RefusesAClearThatIsMalformed) {
  CacheTable table({}, node(1)), other({}, node(2));
  const Op good = clear(other, "shared", kNow);
  Op moved = good;
  moved.key = hash("b");
  Op cut = good;
  cut.payload.pop_back();
  for (const Op& op : {moved, cut}) EXPECT_EQ(table.apply(op, kNow), Merged::refused);
}

TEST(Tables, ASnapshotHoldsSessionsAndCaches) {
  Tables donor({}, {}, node(1)), taker({}, {}, node(2));
  for (uint8_t i = 0; i < 100; ++i) {
    Key session;
    session.bytes.fill(i);
    ASSERT_TRUE(donor.sessions().create(session, {Bytes(100, i), kNow, kNow + kMinute, kNow}, kNow));
    set(donor.caches(), std::to_string(i), std::string(300, 'x'));
  }
  donor.sessions().mark(everybody(), kNow + kMinute, kNow);
  SnapshotCursor cursor;
  for (bool more = true; more;) {
    std::vector<StateEntry> entries;
    more = donor.next(cursor, 4096, entries);
    size_t bytes = 0;
    for (const StateEntry& entry : entries) {
      bytes += Key::kSize + entry.state.size();
      EXPECT_EQ(taker.apply(entry, kNow), entry.store == StoreId::mark ? Merged::marked : Merged::changed);
    }
    EXPECT_LE(bytes, 4096u);
  }
  EXPECT_EQ(taker.sessions().size(), 100u);
  EXPECT_EQ(taker.caches().entries(), 100u);
  EXPECT_EQ(donor.sessions().content_hash(kNow), taker.sessions().content_hash(kNow));
  EXPECT_EQ(donor.caches().content_hash(kNow), taker.caches().content_hash(kNow));
  EXPECT_EQ(taker.state_of(StoreId::cache, hash("7")), donor.caches().state_of(StoreId::cache, hash("7")));
}

}  // namespace
}  // namespace kith::store
