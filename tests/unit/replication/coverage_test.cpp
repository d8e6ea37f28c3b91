#include "replication/coverage.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "replication/op.h"

namespace kith::replication {
namespace {

Bytes encoded(const Coverage& coverage) {
  Bytes bytes;
  Writer out(bytes);
  coverage.encode(out);
  return bytes;
}

TEST(Coverage, AgreesWithASetOfNumbersUnderRandomInsertions) {
  std::mt19937_64 rng(7);
  for (int round = 0; round < 200; ++round) {
    Coverage coverage;
    std::set<uint64_t> model;
    for (int i = 0; i < 60; ++i) {
      const uint64_t first = 1 + rng() % 80;
      const uint64_t last = first + rng() % 4;
      ASSERT_TRUE(coverage.add(Interval{first, last}));
      for (uint64_t seq = first; seq <= last; ++seq) model.insert(seq);
      for (uint64_t seq = 0; seq <= 90; ++seq) ASSERT_EQ(coverage.contains(seq), model.contains(seq));
      ASSERT_EQ(coverage.count(), model.size());
      ASSERT_EQ(coverage.highest(), *model.rbegin());
    }
  }
}

TEST(Coverage, MinusAndMergeAgreeWithSets) {
  std::mt19937_64 rng(11);
  for (int round = 0; round < 500; ++round) {
    Coverage a, b;
    for (int i = 0; i < 12; ++i) {
      a.add(1 + rng() % 30);
      b.add(1 + rng() % 30);
    }
    std::set<uint64_t> missing;
    for (const Interval& piece : a.minus(b, 100))
      for (uint64_t seq = piece.first; seq <= piece.last; ++seq) missing.insert(seq);
    for (uint64_t seq = 1; seq <= 31; ++seq)
      ASSERT_EQ(missing.contains(seq), a.contains(seq) && !b.contains(seq));
    Coverage both = a;
    ASSERT_EQ(both.merge(b), !a.contains(b));
    ASSERT_TRUE(both.contains(a) && both.contains(b));
    ASSERT_FALSE(both.merge(a));
  }
}

TEST(Coverage, ClippedKeepsExactlyWhatIsNotAbove) {
  std::mt19937_64 rng(5);
  for (int round = 0; round < 500; ++round) {
    Coverage coverage;
    for (int i = 0; i < 12; ++i) coverage.add(1 + rng() % 30);
    Coverage clipped = coverage;
    const uint64_t last = rng() % 32;
    clipped.clip(last);
    for (uint64_t seq = 1; seq <= 31; ++seq)
      ASSERT_EQ(clipped.contains(seq), coverage.contains(seq) && seq <= last);
    ASSERT_LE(clipped.highest(), last);
  }
}

TEST(Coverage, ReadsBackWhatItWrote) {
  std::mt19937_64 rng(3);
  for (int round = 0; round < 200; ++round) {
    Coverage coverage;
    for (int i = 0; i < 30; ++i) coverage.add(1 + rng() % 100);
    const Bytes bytes = encoded(coverage);
    Reader in(bytes);
    ASSERT_EQ(Coverage::decode(in), coverage);
    ASSERT_TRUE(in.done());
  }
}

TEST(Coverage, RefusesMoreIntervalsThanItsLimitAndStaysAsItWas) {
  Coverage coverage;
  for (uint64_t i = 0; i < Coverage::kMaxIntervals; ++i) ASSERT_TRUE(coverage.add(10 + 2 * i));
  const Coverage before = coverage;
  EXPECT_FALSE(coverage.add(1000));
  EXPECT_EQ(coverage, before);
  EXPECT_TRUE(coverage.add(11));  // joins two
  EXPECT_TRUE(coverage.add(1000));
}

TEST(Coverage, RefusesEncodingsWithASecondForm) {
  for (const Bytes& bytes : {Bytes{5, 1, 1, 0}, Bytes{5, 1, 0, 0}, Bytes{5, 65}, Bytes{5, 1, 3}, Bytes{}}) {
    Reader in(bytes);
    EXPECT_EQ(Coverage::decode(in), std::nullopt);
  }
  Bytes huge;
  Writer out(huge);
  out.varint(kMaxSeq + 1);
  out.varint(0);
  Reader in(huge);
  EXPECT_EQ(Coverage::decode(in), std::nullopt);
}

}  // namespace
}  // namespace kith::replication
