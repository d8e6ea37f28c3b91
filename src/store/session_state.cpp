#include "store/session_state.h"

#include <algorithm>
#include <iterator>
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

void put(Writer& out, const std::vector<Key>& scopes) {
  out.varint(scopes.size());
  for (const Key& scope : scopes) out.id(scope);
}
std::vector<Key> get_scopes(Reader& in) {
  const uint64_t count = in.varint();
  if (count > kMaxScopes) in.fail();
  std::vector<Key> scopes;
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    scopes.push_back(in.id<Key>());
    if (i > 0 && scopes[i] <= scopes[i - 1]) in.fail();
  }
  return scopes;
}

std::vector<Key> joined(const std::vector<Key>& a, const std::vector<Key>& b) {
  std::vector<Key> all;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(all));
  return all;
}

// Whether the left write of the two is the one to keep. Equal stamps are the same write, unless
// somebody's clock and key were cloned; even then all nodes choose alike.
bool creation_wins(const SessionEntry& a, const SessionEntry& b) {
  if (a.created_by.hlc == 0 || b.created_by.hlc == 0) return a.created_by.hlc != 0 && b.created_by.hlc == 0;
  auto rank = [](const SessionEntry& each) {
    return std::tie(each.created_by, each.record->created, each.record->expires);
  };
  return rank(a) < rank(b);
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
  if (ended) {
    if (!other.ended || other.reason >= reason) return changed;
    reason = other.reason;
    return true;
  }
  if (other.ended) {
    end(other.reason);
    return true;
  }
  if (!record) {
    *this = SessionEntry{.record = std::move(other.record),
                         .created_by = other.created_by,
                         .body_by = other.body_by,
                         .keep_until_ms = keep_until_ms};
    return true;
  }
  const bool take_creation = creation_wins(other, *this);
  const bool take_body = body_wins(other, *this);
  const bool take_seen = other.record->last_seen > record->last_seen;
  // Of several creations, which no honest nodes make, all are heard: what has ended does not come back when
  // an earlier one turns up.
  std::vector<Key> scopes = joined(record->scopes, other.record->scopes);
  if (scopes.size() > kMaxScopes) {
    end(EndReason::administrator);
    return true;
  }
  const bool more_scopes = scopes.size() > record->scopes.size();
  if (!take_creation && !take_body && !take_seen && !more_scopes) return changed;
  auto merged = std::make_shared<SessionRecord>();
  const SessionRecord& creation = take_creation ? *other.record : *record;
  merged->created = creation.created;
  merged->expires = creation.expires;
  merged->scopes = std::move(scopes);
  merged->body = take_body ? other.record->body : record->body;
  merged->last_seen = std::max(record->last_seen, other.record->last_seen);
  record = std::move(merged);
  if (take_creation) created_by = other.created_by;
  if (take_body) body_by = other.body_by;
  return true;
}

void SessionEntry::end(EndReason why) {
  *this = SessionEntry{.keep_until_ms = keep_until_ms, .ended = true, .reason = why};
}

size_t SessionEntry::bytes() const {
  return kEntryBytes + (record ? record->body.size() + record->scopes.size() * Key::kSize : 0);
}

void SessionEntry::encode(Writer& out, bool whole) const {
  const bool created = !ended && created_by.hlc != 0;
  const bool body = !ended && body_by.hlc != 0;
  out.u8((ended ? kEnded : 0) | (created ? kCreated : 0) | (body ? kBody : 0));
  if (whole) out.u64(static_cast<uint64_t>(keep_until_ms));
  if (ended) {
    if (whole) out.u8(static_cast<uint8_t>(reason));
    return;
  }
  put(out, record->last_seen);
  if (created) {
    put(out, created_by);
    put(out, record->created);
    put(out, record->expires);
    put(out, record->scopes);
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
  if (entry.ended) {
    entry.reason = EndReason{in.u8()};
  } else {
    auto record = std::make_shared<SessionRecord>();
    record->last_seen = get_time(in);
    if (flags & kCreated) {
      entry.created_by = get_stamp(in);
      if (!is_stamp(entry.created_by.hlc)) return std::nullopt;
      record->created = get_time(in);
      record->expires = get_time(in);
      record->scopes = get_scopes(in);
    }
    if (flags & kBody) {
      entry.body_by = get_stamp(in);
      if (!is_stamp(entry.body_by.hlc)) return std::nullopt;
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
      record->scopes = get_scopes(in);
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
    case SessionOp::revoke:
      entry.ended = true;
      entry.reason = EndReason{in.u8()};
      break;
    default: return std::nullopt;
  }
  if (!in.done() || !is_stamp(stamp.hlc)) return std::nullopt;
  if (!entry.ended) entry.record = std::move(record);
  return entry;
}

Bytes create_payload(const SessionRecord& record) {
  Bytes payload;
  Writer out(payload);
  put(out, record.created);
  put(out, record.last_seen);
  out.bytes(record.body);
  put(out, record.scopes);
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

Bytes revoke_payload(EndReason reason) { return {static_cast<uint8_t>(reason)}; }

}  // namespace kith::store
