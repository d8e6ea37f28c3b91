#include "replication/ring.h"

namespace kith::replication {

void Ring::put(const Dot& dot, Bytes body, MonoTime now) {
  const size_t size = body.size() + kOverhead;
  if (!logs_[dot.origin].try_emplace(dot.seq, std::move(body)).second) return;
  bytes_ += size;
  order_.push_back({dot, now});
  while (bytes_ > limits_.max_bytes) drop_oldest();
}

Ring::Found Ring::at_or_after(const Replica& origin, uint64_t seq) const {
  auto log = logs_.find(origin);
  if (log == logs_.end()) return {};
  auto op = log->second.lower_bound(seq);
  if (op == log->second.end()) return {};
  return {op->first, &op->second};
}

void Ring::expire(MonoTime now) {
  while (!order_.empty() && now - order_.front().since > limits_.max_age) drop_oldest();
}

void Ring::drop_oldest() {
  const Dot dot = order_.front().dot;
  order_.pop_front();
  auto log = logs_.find(dot.origin);
  auto op = log->second.find(dot.seq);
  bytes_ -= op->second.size() + kOverhead;
  log->second.erase(op);
  if (log->second.empty()) logs_.erase(log);
}

}  // namespace kith::replication
