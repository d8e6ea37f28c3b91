#include "store/session_state.h"

#include <algorithm>
#include <tuple>

#include "store/session_table.h"

namespace kith::store {
namespace {

constexpr uint8_t kEnded = 1, kCreated = 2, kBody = 4;

void put(Writer& out, const Stamp& stamp) {
  out.u64(stamp.hlc);
  out.id(stamp.node);
}
Stamp get_stamp(Reader& in) {
  Stamp stamp;
  stamp.hlc = in.u64();
  stamp.node = in.id<NodeId>();
  return stamp;
}
void put(Writer& out, WallTime time) { out.u64(static_cast<uint64_t>(unix_ms(time))); }
WallTime get_time(Reader& in) {
  const uint64_t ms = in.u64();
  if (ms > static_cast<uint64_t>(kMaxTimeMs)) in.fail();
  return from_unix_ms(in.ok() ? static_cast<int64_t>(ms) : 0);
}

// Whether the left write of the two is the one to keep. Equal stamps are the same write, unless
// somebody's clock and key were cloned; even then all nodes choose alike.
bool creation_wins(const SessionEntry& a, const SessionEntry& b) {
  if (a.created_by.hlc == 0 || b.created_by.hlc == 0) return a.created_by.hlc != 0 && b.created_by.hlc == 0;
  return std::tuple(a.created_by, a.record->created, a.record->expires) <
         std::tuple(b.created_by, b.record->created, b.record->expires);
}
bool body_wins(const SessionEntry& a, const SessionEntry& b) {
  if (a.body_by != b.body_by) return a.body_by > b.body_by;
  return a.body_by.hlc != 0 && a.record->body > b.record->body;
}

}  // namespace

bool has_expired(const SessionRecord& record, Duration idle_timeout, WallTime now) {
  if (now >= record.expires) return true;
  auto idle_end =
      std::chrono::duration_cast<std::chrono::milliseconds>(idle_timeout) + touch_quantum(idle_timeout);
  return idle_timeout > Duration{0} && now - record.last_seen >= idle_end;
}

bool SessionEntry::merge(SessionEntry&& other) {
  bool changed = other.keep_until_ms > keep_until_ms;
  keep_until_ms = std::max(keep_until_ms, other.keep_until_ms);
  if (ended) return changed;
  if (other.ended) {
    *this = SessionEntry{nullptr, {}, {}, keep_until_ms, true};
    return true;
  }
  if (!record) {
    *this = SessionEntry{std::move(other.record), other.created_by, other.body_by, keep_until_ms, false};
    return true;
  }
  const bool take_creation = creation_wins(other, *this);
  const bool take_body = body_wins(other, *this);
  const bool take_seen = other.record->last_seen > record->last_seen;
  if (!take_creation && !take_body && !take_seen) return changed;
  auto merged = std::make_shared<SessionRecord>();
  const SessionRecord& creation = take_creation ? *other.record : *record;
  merged->created = creation.created;
  merged->expires = creation.expires;
  merged->body = take_body ? other.record->body : record->body;
  merged->last_seen = std::max(record->last_seen, other.record->last_seen);
  record = std::move(merged);
  if (take_creation) created_by = other.created_by;
  if (take_body) body_by = other.body_by;
  return true;
}

size_t SessionEntry::bytes() const { return kEntryBytes + (record ? record->body.size() : 0); }

void SessionEntry::encode(Writer& out, bool with_keep_until) const {
  const bool created = !ended && created_by.hlc != 0;
  const bool body = !ended && body_by.hlc != 0;
  out.u8((ended ? kEnded : 0) | (created ? kCreated : 0) | (body ? kBody : 0));
  if (with_keep_until) out.u64(static_cast<uint64_t>(keep_until_ms));
  if (ended) return;
  put(out, record->last_seen);
  if (created) {
    put(out, created_by);
    put(out, record->created);
    put(out, record->expires);
  }
  if (body) {
    put(out, body_by);
    out.bytes(record->body);
  }
}

std::optional<SessionEntry> SessionEntry::decode(ByteView state) {
  Reader in(state);
  SessionEntry entry;
  const uint8_t flags = in.u8();
  entry.keep_until_ms = unix_ms(get_time(in));
  entry.ended = flags & kEnded;
  if (!entry.ended) {
    auto record = std::make_shared<SessionRecord>();
    record->last_seen = get_time(in);
    if (flags & kCreated) {
      entry.created_by = get_stamp(in);
      if (entry.created_by.hlc == 0) return std::nullopt;
      record->created = get_time(in);
      record->expires = get_time(in);
    }
    if (flags & kBody) {
      entry.body_by = get_stamp(in);
      if (entry.body_by.hlc == 0) return std::nullopt;
      const ByteView body = in.bytes(kMaxSessionBody);
      record->body.assign(body.begin(), body.end());
    }
    entry.record = std::move(record);
  }
  if (!in.done()) return std::nullopt;
  return entry;
}

std::optional<SessionEntry> entry_of(const replication::Op& op) {
  if (op.kind == replication::kStateKind) return SessionEntry::decode(op.payload);
  if (op.expires_ms < 0 || op.expires_ms > kMaxTimeMs) return std::nullopt;
  const Stamp stamp{op.hlc, op.dot.origin.node};
  auto record = std::make_shared<SessionRecord>();
  SessionEntry entry;
  entry.keep_until_ms = op.expires_ms;
  Reader in(op.payload);
  switch (static_cast<SessionOp>(op.kind)) {
    case SessionOp::create: {
      record->created = get_time(in);
      record->last_seen = get_time(in);
      record->expires = from_unix_ms(op.expires_ms);
      const ByteView body = in.bytes(kMaxSessionBody);
      record->body.assign(body.begin(), body.end());
      entry.created_by = entry.body_by = stamp;
      break;
    }
    case SessionOp::update: {
      const ByteView body = in.bytes(kMaxSessionBody);
      record->body.assign(body.begin(), body.end());
      entry.body_by = stamp;
      break;
    }
    case SessionOp::touch: record->last_seen = get_time(in); break;
    case SessionOp::revoke: entry.ended = true; break;
    default: return std::nullopt;
  }
  if (!in.done() || stamp.hlc == 0) return std::nullopt;
  if (!entry.ended) entry.record = std::move(record);
  return entry;
}

Bytes create_payload(const SessionRecord& record) {
  Bytes payload;
  Writer out(payload);
  put(out, record.created);
  put(out, record.last_seen);
  out.bytes(record.body);
  return payload;
}

Bytes update_payload(ByteView body) {
  Bytes payload;
  Writer(payload).bytes(body);
  return payload;
}

Bytes touch_payload(WallTime last_seen) {
  Bytes payload;
  Writer out(payload);
  put(out, last_seen);
  return payload;
}

}  // namespace kith::store
