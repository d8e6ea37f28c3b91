#include "replication/coverage.h"

#include <algorithm>

#include "replication/op.h"

namespace kith::replication {

uint64_t Coverage::count() const {
  uint64_t total = prefix_;
  for (const Interval& interval : above_) total += interval.last - interval.first + 1;
  return total;
}

bool Coverage::contains(uint64_t seq) const {
  if (seq <= prefix_) return seq != 0;
  auto after =
      std::upper_bound(above_.begin(), above_.end(), seq,
                       [](uint64_t value, const Interval& interval) { return value < interval.first; });
  return after != above_.begin() && std::prev(after)->last >= seq;
}

bool Coverage::add(Interval interval) {
  if (interval.last <= prefix_) return true;
  if (interval.first <= prefix_ + 1) {
    prefix_ = interval.last;
  } else {
    // The run of intervals that the new one overlaps or touches becomes one with it.
    auto begin = std::lower_bound(above_.begin(), above_.end(), interval.first,
                                  [](const Interval& have, uint64_t first) { return have.last + 1 < first; });
    auto end = begin;
    while (end != above_.end() && end->first <= interval.last + 1) ++end;
    if (begin == end) {
      if (above_.size() >= kMaxIntervals) return false;
      above_.insert(begin, interval);
      return true;
    }
    begin->first = std::min(begin->first, interval.first);
    begin->last = std::max(std::prev(end)->last, interval.last);
    above_.erase(std::next(begin), end);
    return true;
  }
  auto keep = above_.begin();
  for (; keep != above_.end() && keep->first <= prefix_ + 1; ++keep) prefix_ = std::max(prefix_, keep->last);
  above_.erase(above_.begin(), keep);
  return true;
}

bool Coverage::merge(const Coverage& other) {
  const Coverage before = *this;
  if (other.prefix_ > 0) add(Interval{1, other.prefix_});
  for (const Interval& interval : other.above_) add(interval);
  return *this != before;
}

void Coverage::clip(uint64_t last) {
  prefix_ = std::min(prefix_, last);
  while (!above_.empty() && above_.back().first > last) above_.pop_back();
  if (!above_.empty()) above_.back().last = std::min(above_.back().last, last);
}

std::vector<Interval> Coverage::minus(const Coverage& other, size_t limit) const {
  std::vector<Interval> result;
  auto take = [&](Interval piece) {  // the parts of piece that other lacks
    uint64_t at = std::max(piece.first, other.prefix_ + 1);
    for (const Interval& have : other.above_) {
      if (at > piece.last || result.size() >= limit) return;
      if (have.last < at) continue;
      if (have.first > at) result.push_back({at, std::min(piece.last, have.first - 1)});
      at = std::max(at, have.last + 1);
    }
    if (at <= piece.last && result.size() < limit) result.push_back({at, piece.last});
  };
  if (prefix_ > 0) take({1, prefix_});
  for (const Interval& interval : above_) take(interval);
  return result;
}

void Coverage::encode(Writer& out) const {
  out.varint(prefix_);
  out.varint(above_.size());
  uint64_t end = prefix_;
  for (const Interval& interval : above_) {
    out.varint(interval.first - end);
    out.varint(interval.last - interval.first);
    end = interval.last;
  }
}

std::optional<Coverage> Coverage::decode(Reader& in) {
  Coverage result(in.varint());
  const uint64_t count = in.varint();
  if (!in.ok() || result.prefix_ > kMaxSeq || count > kMaxIntervals) return std::nullopt;
  uint64_t end = result.prefix_;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t gap = in.varint();
    const uint64_t length = in.varint();
    // A gap of 1 would touch: such a pair has a shorter form.
    if (!in.ok() || gap < 2 || gap > kMaxSeq || length > kMaxSeq || end + gap + length > kMaxSeq)
      return std::nullopt;
    result.above_.push_back({end + gap, end + gap + length});
    end += gap + length;
  }
  return result;
}

bool covers(const Vector& vector, const Dot& dot) {
  if (dot.seq == 0) return true;
  auto found = vector.find(dot.origin);
  return found != vector.end() && found->second.contains(dot.seq);
}

bool contains(const Vector& vector, const Vector& other) {
  for (const auto& [origin, coverage] : other) {
    auto found = vector.find(origin);
    if (found == vector.end() ? !coverage.empty() : !found->second.contains(coverage)) return false;
  }
  return true;
}

}  // namespace kith::replication
