#include "store/cache_entry.h"

#include <algorithm>

#include "crypto/hash.h"

namespace kith::store {
namespace {

constexpr uint8_t kValue = 1, kClear = 2;
constexpr uint8_t kClearKey = UINT8_MAX;  // where an entry's key has the length of its space

void put(Writer& out, const CacheValue& value) {
  out.string(value.name.space);
  out.string(value.name.key);
  out.bytes(value.data);
}

// Null when malformed or of another key.
std::shared_ptr<const CacheValue> get_value(Reader& in, const Key& key) {
  auto value = std::make_shared<CacheValue>();
  value->name.space = in.string(kMaxCacheSpace);
  value->name.key = in.string(kMaxCacheKey);
  const ByteView data = in.bytes(kMaxCacheData);
  value->data.assign(data.begin(), data.end());
  if (!in.ok() || key_of(value->name.space, value->name.key) != key) return nullptr;
  return value;
}

bool is_time(uint64_t ms) { return ms <= static_cast<uint64_t>(kMaxTimeMs); }

}  // namespace

Key key_of(std::string_view space, std::string_view key) {
  const uint8_t size = static_cast<uint8_t>(space.size());
  static_assert(kMaxCacheSpace <= UINT8_MAX);
  return *Key::from(crypto::sha256({ByteView(&size, 1), as_bytes(space), as_bytes(key)}));
}

bool CacheEntry::can_go(WallTime now) const {
  if (live(now)) return false;
  const int64_t written = replication::hlc_ms(by.hlc);
  const int64_t until =
      std::max(keep_until_ms, written + std::chrono::milliseconds(kCacheKeepAtLeast).count());
  return unix_ms(now - kTombstoneGrace) >= until;
}

bool CacheEntry::merge(CacheEntry&& other) {
  const bool longer = other.keep_until_ms > keep_until_ms;
  keep_until_ms = std::max(keep_until_ms, other.keep_until_ms);
  bool wins = other.by > by;
  // Equal stamps are the same write, unless somebody's clock and key were cloned; even then all nodes choose
  // alike: a removal first, then the greater value.
  if (other.by == by && by.hlc != 0 && value) {
    wins = !other.value || other.value->data > value->data ||
           (other.value->data == value->data && other.expires_ms > expires_ms);
  }
  if (!wins) return longer;
  value = std::move(other.value);
  by = other.by;
  expires_ms = other.expires_ms;
  return true;
}

void CacheEntry::encode(Writer& out, bool whole) const {
  out.u8(value ? kValue : 0);
  out.u64(by.hlc);
  out.id(by.node);
  if (whole) out.u64(static_cast<uint64_t>(keep_until_ms));
  if (!value) return;
  out.u64(static_cast<uint64_t>(expires_ms));
  put(out, *value);
}

std::optional<CacheEntry> CacheEntry::decode(const Key& key, ByteView state) {
  Reader in(state);
  CacheEntry entry;
  const uint8_t flags = in.u8();
  entry.by.hlc = in.u64();
  entry.by.node = in.id<NodeId>();
  const uint64_t keep = in.u64();
  uint64_t expires = 0;
  if (flags & kValue) {
    expires = in.u64();
    entry.value = get_value(in, key);
    if (!entry.value) return std::nullopt;
  }
  if (!in.done() || flags > kValue || !is_stamp(entry.by.hlc) || !is_time(keep) || !is_time(expires))
    return std::nullopt;
  entry.keep_until_ms = static_cast<int64_t>(keep);
  entry.expires_ms = static_cast<int64_t>(expires);
  return entry;
}

Key CacheClear::key() const { return *Key::from(crypto::sha256({ByteView(&kClearKey, 1), as_bytes(space)})); }

void CacheClear::encode(Writer& out) const {
  out.u8(kClear);
  out.u64(hlc);
  out.string(space);
}

std::optional<CacheClear> CacheClear::decode(const Key& key, ByteView state) {
  Reader in(state);
  if (in.u8() != kClear) return std::nullopt;
  CacheClear clear;
  clear.hlc = in.u64();
  clear.space = in.string(kMaxCacheSpace);
  if (!in.done() || !is_stamp(clear.hlc) || clear.key() != key) return std::nullopt;
  return clear;
}

std::optional<CacheClear> cache_clear_of(const replication::Op& op) {
  if (op.kind == replication::kStateKind) return CacheClear::decode(op.key, op.payload);
  if (op.kind != static_cast<uint8_t>(CacheOp::clear) || !is_stamp(op.hlc)) return std::nullopt;
  Reader in(op.payload);
  CacheClear clear{in.string(kMaxCacheSpace), op.hlc};
  if (!in.done() || clear.key() != op.key) return std::nullopt;
  return clear;
}

std::optional<CacheEntry> cache_entry_of(const replication::Op& op) {
  if (op.kind == replication::kStateKind) return CacheEntry::decode(op.key, op.payload);
  if (!is_stamp(op.hlc) || op.expires_ms < 0 || op.expires_ms > kMaxTimeMs) return std::nullopt;
  CacheEntry entry;
  entry.by = Stamp{op.hlc, op.dot.origin.node};
  entry.keep_until_ms = op.expires_ms;
  Reader in(op.payload);
  switch (static_cast<CacheOp>(op.kind)) {
    case CacheOp::set: {
      const uint64_t expires = in.u64();
      entry.value = get_value(in, op.key);
      if (!entry.value || !is_time(expires)) return std::nullopt;
      entry.expires_ms = static_cast<int64_t>(expires);
      break;
    }
    case CacheOp::remove: break;
    default: return std::nullopt;
  }
  if (!in.done()) return std::nullopt;
  return entry;
}

Bytes cache_set_payload(const CacheEntry& entry) {
  Bytes payload;
  Writer out(payload);
  out.u64(static_cast<uint64_t>(entry.expires_ms));
  put(out, *entry.value);
  return payload;
}

}  // namespace kith::store
