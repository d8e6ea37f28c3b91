#include "store/sorted_keys.h"

#include <gtest/gtest.h>

#include <set>

#include "store/tables.h"

namespace kith::store {
namespace {

using replication::SnapshotCursor;
using replication::StateEntry;

const WallTime kNow = from_unix_ms(1'800'000'000'000);

Key key(uint8_t first, uint8_t last) {
  Key key;
  key.bytes[0] = first;
  key.bytes.back() = last;
  return key;
}

TEST(SortedKeys, AreSortedOnceUntilAKeyComesToTheShard) {
  SortedKeys sorted;
  size_t lists = 0;
  auto list = [&] {
    ++lists;
    return std::vector<Key>{key(1, 9), key(1, 2)};
  };
  const std::vector<Key> expected = {key(1, 2), key(1, 9)};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(sorted.of(1, 2, list), expected);
  EXPECT_EQ(lists, 1u);
  sorted.of(1, 3, list);
  EXPECT_EQ(lists, 2u);
  for (int i = 0; i < 100; ++i) {  // two snapshots at a time
    sorted.of(1, 3, list);
    sorted.of(7, 3, list);
  }
  EXPECT_EQ(lists, 3u);
}

// Each begins when some of the sessions are there already, and goes on while others come and go.
TEST(SortedKeys, SnapshotsHaveAllThatWasThereWhenTheyBeganWhateverComesMeanwhile) {
  Tables tables({}, {}, NodeId{});
  auto create = [&](uint8_t last) {
    ASSERT_TRUE(tables.sessions().create(key(1, last), {Bytes(10, last), kNow, kNow + 1h, kNow}, kNow));
    ASSERT_TRUE(tables.caches().set({"shared", std::to_string(last)}, {}, kNow + 1h, kNow));
  };
  struct Snapshot {
    SnapshotCursor cursor;
    std::set<Key> due, got;
    bool more = true;
  };
  std::vector<Snapshot> snapshots;
  for (uint8_t last = 0; last < 200; ++last) {
    create(static_cast<uint8_t>(last * 37));
    if (last % 20 == 0) {
      snapshots.emplace_back();
      for (uint8_t i = 0; i <= last; ++i) {
        const auto name = static_cast<uint8_t>(i * 37);
        snapshots.back().due.insert(key(1, name));
        snapshots.back().due.insert(key_of("shared", std::to_string(name)));
      }
    }
    for (Snapshot& snapshot : snapshots) {
      std::vector<StateEntry> entries;
      if (snapshot.more) snapshot.more = tables.next(snapshot.cursor, 300, entries);
      for (const StateEntry& entry : entries) EXPECT_TRUE(snapshot.got.insert(entry.key).second);
    }
  }
  for (Snapshot& snapshot : snapshots) {
    while (snapshot.more) {
      std::vector<StateEntry> entries;
      snapshot.more = tables.next(snapshot.cursor, 300, entries);
      for (const StateEntry& entry : entries) EXPECT_TRUE(snapshot.got.insert(entry.key).second);
    }
    EXPECT_TRUE(
        std::includes(snapshot.got.begin(), snapshot.got.end(), snapshot.due.begin(), snapshot.due.end()));
  }
}

}  // namespace
}  // namespace kith::store
