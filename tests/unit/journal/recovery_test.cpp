#include "journal/recovery.h"

#include <gtest/gtest.h>

namespace kith::journal {
namespace {

using replication::Coverage;
using replication::StateEntry;
using replication::StoreId;

const crypto::SigningKey kSigner = crypto::SigningKey::from_seed(Bytes(32, 1));
const Replica kSelf{crypto::node_id(kSigner.public_key()), 5};

replication::Key key(uint8_t id) {
  replication::Key out;
  out.bytes[0] = id;
  return out;
}

Bytes op_frame(uint64_t seq) {
  replication::Op op;
  op.dot = {kSelf, seq};
  op.kind = 1;
  op.key = key(static_cast<uint8_t>(seq));
  Bytes out;
  put_op(out, op.dot, replication::make_record(op, kSigner, "main"));
  return out;
}

Bytes state_frame(uint8_t id, bool pulled) {
  Bytes out;
  put_state(out, StateEntry{StoreId::session, key(id), {id}}, pulled);
  return out;
}

template <class T>
Bytes frame(const T& record) {
  Bytes out;
  put(out, record);
  return out;
}

struct JournalRecovery : testing::Test {
  std::vector<replication::Key> ops, states;
  Recovery recovery{{[this](const replication::Op& op) { ops.push_back(op.key); },
                     [this](const StateEntry& entry) { states.push_back(entry.key); }}};
  void take(const Bytes& frame, bool intact = true) { recovery.take(frame, intact); }
};

TEST_F(JournalRecovery, AnOpStandsForItselfWhateverIsMissingAroundIt) {
  take(op_frame(1));
  take(op_frame(3), false);
  recovery.end_of_file(false);
  const auto out = recovery.finish();
  EXPECT_EQ(ops, (std::vector{key(1), key(3)}));
  EXPECT_TRUE(out.applied.at(kSelf).contains(1));
  EXPECT_FALSE(out.applied.at(kSelf).contains(2));
  EXPECT_TRUE(out.applied.at(kSelf).contains(3));
  ASSERT_EQ(out.records.size(), 2u);
  EXPECT_TRUE(replication::is_proven(out.records[1].second, out.records[1].first, "main"));
  EXPECT_FALSE(out.owes_all);
}

TEST_F(JournalRecovery, AClaimStandsOnlyIfAllBeforeItWasRead) {
  take(state_frame(1, false));
  take(frame(AdoptedRecord{kSelf, Coverage(7)}));
  EXPECT_EQ(recovery.summary().claims_refused, 0u);
  take(frame(AdoptedRecord{kSelf, Coverage(9)}), false);
  EXPECT_EQ(recovery.summary().claims_refused, 1u);
  const auto out = recovery.finish();
  EXPECT_EQ(out.applied.at(kSelf), Coverage(7));
  EXPECT_TRUE(out.owes_all);  // what the claim was about may be nowhere else
}

TEST_F(JournalRecovery, DamageInOneFileIsRememberedInTheNext) {
  take(op_frame(1));
  recovery.end_of_file(false);
  recovery.begin_journal(false);
  take(frame(LifeRecord{kSelf, false}));
  take(frame(AdoptedRecord{kSelf, Coverage(9)}));
  EXPECT_EQ(recovery.finish().applied.at(kSelf), Coverage(1));
}

TEST_F(JournalRecovery, ASnapshotClaimsNothingBeforeItsEndAndNothingWhenAStateIsMissing) {
  HeadRecord head{kSelf, false, false, {{kSelf, Coverage(4)}}};
  take(frame(head));
  take(state_frame(1, false));
  recovery.end_of_file(true);
  auto out = recovery.finish();
  EXPECT_TRUE(out.applied.empty());
  EXPECT_TRUE(out.owes_all);

  Recovery second({[](const replication::Op&) {}, [](const StateEntry&) {}});
  second.take(frame(head), true);
  second.take(frame(EndRecord{1}), true);
  second.end_of_file(true);
  EXPECT_TRUE(second.finish().applied.empty());

  Recovery whole({[](const replication::Op&) {}, [](const StateEntry&) {}});
  whole.take(frame(head), true);
  whole.take(state_frame(1, false), true);
  whole.take(frame(EndRecord{1}), true);
  whole.end_of_file(true);
  out = whole.finish();
  EXPECT_EQ(out.applied.at(kSelf), Coverage(4));
  EXPECT_FALSE(out.owes_all);
}

TEST_F(JournalRecovery, WhatWasPulledIsOwedUntilAllIsSettled) {
  take(state_frame(1, true));
  take(frame(SettledRecord{}));
  take(state_frame(2, true));
  const auto out = recovery.finish();
  EXPECT_FALSE(out.owes_all);
  ASSERT_EQ(out.owes.size(), 1u);
  EXPECT_EQ(out.owes[0].second, key(2));
}

TEST_F(JournalRecovery, ASnapshotOfAPeerThatBrokeOffIsOwedAsAWhole) {
  take(state_frame(1, false));
  EXPECT_TRUE(recovery.finish().owes_all);
}

TEST_F(JournalRecovery, WhatADiskDidNotTakeIsMadeUpForByTheSnapshotOfTheSameGenerationAlone) {
  for (bool at_snapshot : {true, false}) {
    Recovery each({[](const replication::Op&) {}, [](const StateEntry&) {}});
    each.begin_journal(at_snapshot);
    each.take(frame(LifeRecord{kSelf, true}), true);
    each.take(frame(AdoptedRecord{kSelf, Coverage(3)}), true);
    EXPECT_EQ(each.finish().applied.contains(kSelf), at_snapshot);
  }
}

TEST_F(JournalRecovery, WhatALifeBuiltOnAFileWhoseEndIsGoneIsNotBelieved) {
  for (uint64_t read : {3u, 2u}) {
    Recovery each({[](const replication::Op&) {}, [](const StateEntry&) {}});
    each.begin_journal(false);
    each.take(frame(LifeRecord{kSelf, false, 0}), true);
    each.end_of_file(true, read);
    each.begin_journal(false);
    each.take(frame(LifeRecord{kSelf, false, 3}), true);
    each.take(frame(AdoptedRecord{kSelf, Coverage(3)}), true);
    EXPECT_EQ(each.finish().applied.contains(kSelf), read == 3);
  }
  // An earlier life's torn end was not there for this one either.
  Recovery other({[](const replication::Op&) {}, [](const StateEntry&) {}});
  other.take(frame(LifeRecord{Replica{kSelf.node, 1}, false, 0}), true);
  other.end_of_file(true, 2);
  other.take(frame(LifeRecord{kSelf, false, 0}), true);
  other.take(frame(AdoptedRecord{kSelf, Coverage(3)}), true);
  EXPECT_TRUE(other.finish().applied.contains(kSelf));
}

TEST_F(JournalRecovery, NothingIsSettledAfterDamageAndAllIsBeforeIt) {
  take(frame(HeadRecord{kSelf, true, false, {}}));
  take(frame(EndRecord{0}));
  take(frame(SettledRecord{}));
  EXPECT_FALSE(recovery.finish().owes_all);
  Recovery damaged({[](const replication::Op&) {}, [](const StateEntry&) {}});
  damaged.take(state_frame(1, true), true);
  damaged.take(frame(SettledRecord{}), false);
  EXPECT_EQ(damaged.finish().owes.size(), 1u);
}

TEST_F(JournalRecovery, WhatTurnedOutToBeUntrueIsNotClaimedAgain) {
  take(frame(AdoptedRecord{kSelf, Coverage(1000)}));
  take(frame(ClippedRecord{kSelf, 10}));
  EXPECT_EQ(recovery.finish().applied.at(kSelf), Coverage(10));
}

TEST_F(JournalRecovery, TheGreatestLifeIsKnown) {
  take(frame(LifeRecord{Replica{kSelf.node, 9}, false}));
  take(frame(LifeRecord{Replica{kSelf.node, 7}, false}));
  EXPECT_EQ(recovery.summary().last_incarnation, 9u);
}

TEST_F(JournalRecovery, KindsOfLaterVersionsAreSkippedAndMalformedRecordsAreDamage) {
  Bytes later;
  Writer out(later);
  out.u8(99);
  out.bytes(Bytes{1, 2, 3});
  append(later, op_frame(1));
  take(later);
  EXPECT_EQ(ops.size(), 1u);
  EXPECT_EQ(recovery.summary().refused, 0u);
  take(Bytes{1, 200});
  EXPECT_EQ(recovery.summary().refused, 1u);
  take(frame(AdoptedRecord{kSelf, Coverage(9)}));
  EXPECT_EQ(recovery.summary().claims_refused, 1u);
}

}  // namespace
}  // namespace kith::journal
