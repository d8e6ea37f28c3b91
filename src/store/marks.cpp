#include "store/marks.h"

#include <algorithm>
#include <mutex>

#include "base/codec.h"
#include "crypto/hash.h"
#include "store/session_table.h"

namespace kith::store {

using replication::StateEntry;
using replication::StoreId;

const Key& everybody() {
  static const Key scope = *Key::from(crypto::sha256(as_bytes("kith scope everybody 1")));
  return scope;
}

void Mark::merge(const Mark& other) {
  hlc = std::max(hlc, other.hlc);
  keep_until_ms = std::max(keep_until_ms, other.keep_until_ms);
}

Bytes Mark::encode() const {
  Bytes state;
  Writer out(state);
  out.u64(hlc);
  out.u64(static_cast<uint64_t>(keep_until_ms));
  return state;
}

std::optional<Mark> Mark::decode(ByteView state) {
  Reader in(state);
  Mark mark;
  mark.hlc = in.u64();
  const uint64_t until = in.u64();
  if (!in.done() || !is_stamp(mark.hlc) || until > static_cast<uint64_t>(kMaxTimeMs)) return std::nullopt;
  mark.keep_until_ms = static_cast<int64_t>(until);
  return mark;
}

std::optional<Mark> mark_of(const replication::Op& op) {
  if (op.kind == replication::kStateKind) return Mark::decode(op.payload);
  if (op.kind != static_cast<uint8_t>(MarkOp::set) || !op.payload.empty() || !is_stamp(op.hlc) ||
      op.expires_ms < 0 || op.expires_ms > kMaxTimeMs)
    return std::nullopt;
  return Mark{op.hlc, op.expires_ms};
}

bool Marks::merge(const Key& scope, const Mark& mark) {
  std::lock_guard lock(mutex_);
  Mark& kept = marks_[scope];
  const bool ends_more = mark.hlc > kept.hlc;
  kept.merge(mark);
  count_.store(marks_.size(), std::memory_order_release);
  return ends_more;
}

uint64_t Marks::latest(std::span<const Key> scopes, WallTime now) const {
  if (count_.load(std::memory_order_acquire) == 0) return 0;
  std::shared_lock lock(mutex_);
  const uint64_t holds_to = replication::hlc_from(now + kMaxMarkAhead);
  uint64_t latest = 0;
  auto look = [&](const Key& scope) {
    auto found = marks_.find(scope);
    if (found != marks_.end() && found->second.hlc <= holds_to) latest = std::max(latest, found->second.hlc);
  };
  look(everybody());
  for (const Key& scope : scopes) look(scope);
  return latest;
}

bool Marks::next(replication::SnapshotCursor& cursor, size_t& bytes, size_t max_bytes,
                 std::vector<StateEntry>& out) const {
  std::shared_lock lock(mutex_);
  for (auto at = cursor.begun ? marks_.upper_bound(cursor.after) : marks_.begin(); at != marks_.end(); ++at) {
    Bytes state = at->second.encode();
    const size_t size = Key::kSize + state.size();
    if (bytes + size > max_bytes && !out.empty()) return true;
    bytes += size;
    out.push_back(StateEntry{StoreId::mark, at->first, std::move(state)});
    cursor.after = at->first;
    cursor.begun = true;
  }
  return false;
}

std::optional<Bytes> Marks::state_of(const Key& scope) const {
  std::shared_lock lock(mutex_);
  auto found = marks_.find(scope);
  if (found == marks_.end()) return std::nullopt;
  return found->second.encode();
}

size_t Marks::sweep(WallTime now) {
  if (size() == 0) return 0;
  std::lock_guard lock(mutex_);
  const int64_t gone = unix_ms(now - kTombstoneGrace);
  const size_t freed =
      std::erase_if(marks_, [&](const auto& each) { return each.second.keep_until_ms <= gone; });
  count_.store(marks_.size(), std::memory_order_release);
  return freed;
}

uint64_t Marks::content_hash(WallTime now) const {
  std::shared_lock lock(mutex_);
  uint64_t sum = 0;
  for (const auto& [scope, mark] : marks_) {
    if (mark.keep_until_ms <= unix_ms(now)) continue;
    const crypto::Digest digest = crypto::sha256({scope.view(), mark.encode()});
    sum += Reader(digest).u64();
  }
  return sum;
}

}  // namespace kith::store
