// What a node has of the logs: per origin a prefix and some intervals above it.
//
// Ops apply in any order, so a hole never blocks; but it must be known exactly, to be filled.
// A Coverage claims nothing that is not there; dropping an interval (the count is bounded) only
// makes it claim less, which costs a repeated transfer and is never wrong.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/codec.h"
#include "base/node.h"

namespace kith::replication {

struct Interval {  // both ends included, first <= last
  uint64_t first = 0;
  uint64_t last = 0;
  bool operator==(const Interval&) const = default;
};

class Coverage {
 public:
  static constexpr size_t kMaxIntervals = 64;  // above the prefix

  Coverage() = default;
  explicit Coverage(uint64_t prefix) : prefix_(prefix) {}

  uint64_t prefix() const { return prefix_; }  // all of 1..prefix
  const std::vector<Interval>& above() const { return above_; }
  uint64_t highest() const { return above_.empty() ? prefix_ : above_.back().last; }
  uint64_t count() const;
  bool empty() const { return prefix_ == 0 && above_.empty(); }

  bool contains(uint64_t seq) const;
  bool contains(const Coverage& other) const { return other.minus(*this, 1).empty(); }
  // False, and without effect, when there would be too many intervals.
  bool add(uint64_t seq) { return add(Interval{seq, seq}); }
  bool add(Interval interval);
  // The union; intervals are left out when there are too many. True when it grew.
  bool merge(const Coverage& other);
  // Gives up what is above.
  void clip(uint64_t last);
  // What this has and other has not, ascending, at most `limit` pieces.
  std::vector<Interval> minus(const Coverage& other, size_t limit) const;

  bool operator==(const Coverage&) const = default;

  void encode(Writer& out) const;
  static std::optional<Coverage> decode(Reader& in);

 private:
  uint64_t prefix_ = 0;
  std::vector<Interval> above_;  // ascending, disjoint, not touching one another nor the prefix
};

using Vector = std::map<Replica, Coverage>;

bool covers(const Vector& vector, const Dot& dot);         // true for seq 0
bool contains(const Vector& vector, const Vector& other);  // other is a part of vector

}  // namespace kith::replication
