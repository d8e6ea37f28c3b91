#include "replication/messages.h"

namespace kith::replication {
namespace {

constexpr size_t kMaxVectorEntries = kMaxMessage / 26;  // the least that an entry takes

void put(Writer& out, const Replica& replica) {
  out.id(replica.node);
  out.u64(replica.incarnation);
}
Replica get_replica(Reader& in) {
  Replica replica;
  replica.node = in.id<NodeId>();
  replica.incarnation = in.u64();
  return replica;
}

std::optional<std::pair<Replica, Coverage>> get_entry(Reader& in) {
  const Replica replica = get_replica(in);
  std::optional<Coverage> coverage = Coverage::decode(in);
  if (!coverage) return std::nullopt;
  return std::pair{replica, std::move(*coverage)};
}

// True when entries had to be left out.
bool put_vector(Writer& out, const Vector& vector, size_t limit = kVectorBytes) {
  Bytes entries;
  Writer inner(entries);
  size_t count = 0;
  bool cut = false;
  for (const auto& [origin, coverage] : vector) {
    const size_t before = entries.size();
    put(inner, origin);
    coverage.encode(inner);
    if (entries.size() > limit) {
      entries.resize(before);
      cut = true;
      break;
    }
    ++count;
  }
  out.varint(count);
  out.raw(entries);
  return cut;
}
bool get_vector(Reader& in, Vector& vector) {
  const uint64_t count = in.varint();
  if (!in.ok() || count > kMaxVectorEntries) return false;
  for (uint64_t i = 0; i < count; ++i) {
    auto entry = get_entry(in);
    if (!entry || !vector.insert(std::move(*entry)).second) return false;
  }
  return in.ok();
}

template <class Message>
std::optional<Message> whole(const Reader& in, Message message) {
  if (!in.done()) return std::nullopt;
  return message;
}

constexpr uint8_t kFlagA = 1, kFlagB = 2, kFlagC = 4;

}  // namespace

OpsWriter::OpsWriter(const Replica& origin) {
  Writer out(out_);
  put(out, origin);
}

bool OpsWriter::add(uint64_t seq, ByteView record) {
  if (last_ != 0 && out_.size() + record.size() + 16 > kBatchBytes) return false;
  Writer out(out_);
  out.varint(seq - last_);
  out.bytes(record);
  last_ = seq;
  return true;
}

OpsReader::OpsReader(ByteView payload) : in_(payload) {
  origin_ = get_replica(in_);
  ok_ = in_.ok() && in_.remaining() > 0;
}

std::optional<std::pair<Op, ByteView>> OpsReader::next() {
  if (!ok_ || in_.remaining() == 0) return std::nullopt;
  const uint64_t step = in_.varint();
  const ByteView record = in_.bytes(kMaxMessage);
  std::pair<Op, ByteView> result{Op{}, record};
  ok_ = in_.ok() && step > 0 && step <= kMaxSeq && last_ + step <= kMaxSeq && record.size() > kProofBytes &&
        decode_op_body(record.first(record.size() - kProofBytes), result.first);
  if (!ok_) return std::nullopt;
  last_ += step;
  result.first.dot = Dot{origin_, last_};
  return result;
}

Bytes encode(const VectorMessage& message) {
  Bytes bytes;
  Writer out(bytes);
  out.u8((message.complete ? kFlagA : 0) | (message.caught_up ? kFlagB : 0) | (message.partial ? kFlagC : 0));
  for (const auto& [origin, coverage] : message.entries) {
    put(out, origin);
    coverage.encode(out);
  }
  return bytes;
}

std::optional<VectorMessage> decode_vector(ByteView payload) {
  Reader in(payload);
  VectorMessage message;
  const uint8_t flags = in.u8();
  message.complete = flags & kFlagA;
  message.caught_up = flags & kFlagB;
  message.partial = flags & kFlagC;
  while (in.ok() && in.remaining() > 0) {
    auto entry = get_entry(in);
    if (!entry) return std::nullopt;
    message.entries.push_back(std::move(*entry));
  }
  return whole(in, std::move(message));
}

Bytes encode(const RangeRequest& message) {
  Bytes bytes;
  Writer out(bytes);
  out.varint(message.request);
  put(out, message.origin);
  out.varint(message.wanted.size());
  for (const Interval& interval : message.wanted) {
    out.varint(interval.first);
    out.varint(interval.last - interval.first);
  }
  return bytes;
}

std::optional<RangeRequest> decode_range_request(ByteView payload) {
  Reader in(payload);
  RangeRequest message;
  message.request = in.varint();
  message.origin = get_replica(in);
  const uint64_t count = in.varint();
  if (!in.ok() || count == 0 || count > kMaxRangeIntervals) return std::nullopt;
  uint64_t end = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t first = in.varint();
    const uint64_t length = in.varint();
    if (!in.ok() || first <= end || first > kMaxSeq || length > kMaxSeq || first + length > kMaxSeq)
      return std::nullopt;
    end = first + length;
    message.wanted.push_back({first, end});
  }
  return whole(in, std::move(message));
}

Bytes encode(const RangeEnd& message) {
  Bytes bytes;
  Writer out(bytes);
  out.varint(message.request);
  put(out, message.origin);
  out.u8(message.gone ? kFlagA : 0);
  out.varint(message.end);
  return bytes;
}

std::optional<RangeEnd> decode_range_end(ByteView payload) {
  Reader in(payload);
  RangeEnd message;
  message.request = in.varint();
  message.origin = get_replica(in);
  const uint8_t flags = in.u8();
  message.gone = flags & kFlagA;
  message.end = in.varint();
  if (message.end > kMaxSeq) return std::nullopt;
  return whole(in, message);
}

Bytes encode(const SnapshotRequest& message) {
  Bytes bytes;
  Writer(bytes).varint(message.request);
  return bytes;
}

std::optional<SnapshotRequest> decode_snapshot_request(ByteView payload) {
  Reader in(payload);
  SnapshotRequest message{in.varint()};
  return whole(in, message);
}

Bytes encode(const SnapshotChunk& message) {
  Bytes vector;
  Writer vector_out(vector);
  bool cut = put_vector(vector_out, message.ahead) || message.cut;
  cut |= put_vector(vector_out, message.beyond, kBeyondBytes);
  Bytes bytes;
  Writer out(bytes);
  out.varint(message.request);
  out.varint(message.chunk);
  out.u8((message.last ? kFlagA : 0) | (cut ? kFlagB : 0));
  out.raw(vector);
  for (const StateEntry& entry : message.entries) {
    out.u8(static_cast<uint8_t>(entry.store));
    out.id(entry.key);
    out.bytes(entry.state);
  }
  return bytes;
}

std::optional<SnapshotChunk> decode_snapshot(ByteView payload) {
  Reader in(payload);
  SnapshotChunk message;
  message.request = in.varint();
  message.chunk = in.varint();
  const uint8_t flags = in.u8();
  message.last = flags & kFlagA;
  message.cut = flags & kFlagB;
  if (!get_vector(in, message.ahead) || !get_vector(in, message.beyond)) return std::nullopt;
  while (in.ok() && in.remaining() > 0) {
    StateEntry entry;
    entry.store = static_cast<StoreId>(in.u8());
    entry.key = in.id<Key>();
    const ByteView state = in.bytes(kMaxPayload);
    entry.state.assign(state.begin(), state.end());
    message.entries.push_back(std::move(entry));
  }
  return whole(in, std::move(message));
}

Bytes encode(const SnapshotAck& message) {
  Bytes bytes;
  Writer out(bytes);
  out.varint(message.request);
  out.varint(message.chunks);
  return bytes;
}

std::optional<SnapshotAck> decode_snapshot_ack(ByteView payload) {
  Reader in(payload);
  SnapshotAck message;
  message.request = in.varint();
  message.chunks = in.varint();
  return whole(in, message);
}

Bytes encode(const PullRequest& message) {
  Bytes bytes;
  Writer out(bytes);
  out.varint(message.request);
  out.u8(static_cast<uint8_t>(message.store));
  out.id(message.key);
  put(out, message.at_least.origin);
  out.varint(message.at_least.seq);
  return bytes;
}

std::optional<PullRequest> decode_pull(ByteView payload) {
  Reader in(payload);
  PullRequest message;
  message.request = in.varint();
  message.store = static_cast<StoreId>(in.u8());
  message.key = in.id<Key>();
  message.at_least.origin = get_replica(in);
  message.at_least.seq = in.varint();
  return whole(in, message);
}

Bytes encode(const PullAnswer& message) {
  Bytes vector;
  Writer vector_out(vector);
  const bool cut = put_vector(vector_out, message.ahead) || message.cut;
  Bytes bytes;
  Writer out(bytes);
  out.varint(message.request);
  out.u8((message.state ? kFlagA : 0) | (message.covers ? kFlagB : 0) | (cut ? kFlagC : 0));
  out.raw(vector);
  if (message.state) out.bytes(*message.state);
  return bytes;
}

std::optional<PullAnswer> decode_pulled(ByteView payload) {
  Reader in(payload);
  PullAnswer message;
  message.request = in.varint();
  const uint8_t flags = in.u8();
  message.covers = flags & kFlagB;
  message.cut = flags & kFlagC;
  if (!get_vector(in, message.ahead)) return std::nullopt;
  if (flags & kFlagA) {
    const ByteView state = in.bytes(kMaxPayload);
    message.state.emplace(state.begin(), state.end());
  }
  return whole(in, std::move(message));
}

}  // namespace kith::replication
