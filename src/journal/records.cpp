#include "journal/records.h"

namespace kith::journal {
namespace {

using replication::Coverage;

enum class Kind : uint8_t {
  op = 1,
  state = 2,
  adopted = 3,
  settled = 4,
  life = 5,
  head = 6,
  end = 7,
  clipped = 8
};

constexpr size_t kMaxBody = replication::kMaxMessage * 16;  // a head with the vector of a large cluster

void put_body(Bytes& out, Kind kind, ByteView body) {
  Writer writer(out);
  writer.u8(static_cast<uint8_t>(kind));
  writer.bytes(body);
}

void put_replica(Writer& out, const Replica& replica) {
  out.id(replica.node);
  out.u64(replica.incarnation);
}

Replica replica_of(Reader& in) {
  Replica replica;
  replica.node = in.id<NodeId>();
  replica.incarnation = in.u64();
  return replica;
}

}  // namespace

void put_op(Bytes& out, const Dot& dot, ByteView record) {
  Bytes body;
  body.reserve(record.size() + 40);
  Writer writer(body);
  put_replica(writer, dot.origin);
  writer.varint(dot.seq);
  writer.raw(record);
  put_body(out, Kind::op, body);
}

void put_state(Bytes& out, const replication::StateEntry& entry, bool pulled) {
  Bytes body;
  body.reserve(entry.state.size() + 40);
  Writer writer(body);
  writer.u8(pulled ? 1 : 0);
  writer.u8(static_cast<uint8_t>(entry.store));
  writer.id(entry.key);
  writer.raw(entry.state);
  put_body(out, Kind::state, body);
}

void put(Bytes& out, const AdoptedRecord& record) {
  Bytes body;
  Writer writer(body);
  put_replica(writer, record.origin);
  record.coverage.encode(writer);
  put_body(out, Kind::adopted, body);
}

void put(Bytes& out, const ClippedRecord& record) {
  Bytes body;
  Writer writer(body);
  put_replica(writer, record.origin);
  writer.varint(record.last);
  put_body(out, Kind::clipped, body);
}

void put(Bytes& out, const SettledRecord&) { put_body(out, Kind::settled, {}); }

void put(Bytes& out, const LifeRecord& record) {
  Bytes body;
  Writer writer(body);
  put_replica(writer, record.self);
  writer.u8(record.lossy ? 1 : 0);
  writer.varint(record.frames_before);
  put_body(out, Kind::life, body);
}

void put(Bytes& out, const HeadRecord& record) {
  Bytes body;
  Writer writer(body);
  put_replica(writer, record.self);
  writer.u8((record.owes ? 1 : 0) | (record.partial ? 2 : 0));
  writer.varint(record.vector.size());
  for (const auto& [origin, coverage] : record.vector) {
    put_replica(writer, origin);
    coverage.encode(writer);
  }
  put_body(out, Kind::head, body);
}

void put(Bytes& out, const EndRecord& record) {
  Bytes body;
  Writer(body).varint(record.states);
  put_body(out, Kind::end, body);
}

std::optional<Record> RecordReader::next() {
  while (ok_ && in_.remaining() > 0) {
    const uint8_t kind = in_.u8();
    const ByteView body = in_.bytes(kMaxBody);
    ok_ = in_.ok();
    if (!ok_) return std::nullopt;
    if (kind < static_cast<uint8_t>(Kind::op) || kind > static_cast<uint8_t>(Kind::clipped)) continue;
    std::optional<Record> record = decode(kind, body);
    ok_ = record.has_value();
    return record;
  }
  return std::nullopt;
}

// Fields of later versions after the known ones are skipped, but for an op and a state, which end with
// theirs.
std::optional<Record> RecordReader::decode(uint8_t kind, ByteView body) {
  Reader in(body);
  switch (static_cast<Kind>(kind)) {
    case Kind::op: {
      OpRecord op;
      op.dot.origin = replica_of(in);
      op.dot.seq = in.varint();
      const ByteView record = in.raw(in.remaining());
      op.record.assign(record.begin(), record.end());
      if (!in.ok() || op.dot.seq == 0 || op.dot.seq > replication::kMaxSeq) return std::nullopt;
      return op;
    }
    case Kind::state: {
      StateRecord state;
      state.pulled = (in.u8() & 1) != 0;
      state.entry.store = static_cast<replication::StoreId>(in.u8());
      state.entry.key = in.id<replication::Key>();
      const ByteView bytes = in.raw(in.remaining());
      state.entry.state.assign(bytes.begin(), bytes.end());
      if (!in.ok() || bytes.size() > replication::kMaxPayload) return std::nullopt;
      return state;
    }
    case Kind::adopted: {
      const Replica origin = replica_of(in);
      const auto coverage = Coverage::decode(in);
      if (!in.ok() || !coverage) return std::nullopt;
      return AdoptedRecord{origin, *coverage};
    }
    case Kind::settled: return SettledRecord{};
    case Kind::life: {
      LifeRecord life{replica_of(in), false, 0};
      life.lossy = (in.u8() & 1) != 0;
      life.frames_before = in.varint();
      if (!in.ok()) return std::nullopt;
      return life;
    }
    case Kind::head: {
      HeadRecord head{replica_of(in), false, false, {}};
      const uint8_t flags = in.u8();
      head.owes = (flags & 1) != 0;
      head.partial = (flags & 2) != 0;
      for (uint64_t left = in.varint(); in.ok() && left > 0; --left) {
        const Replica origin = replica_of(in);
        auto coverage = Coverage::decode(in);
        if (!coverage) return std::nullopt;
        head.vector[origin] = std::move(*coverage);
      }
      if (!in.ok()) return std::nullopt;
      return head;
    }
    case Kind::clipped: {
      const ClippedRecord clipped{replica_of(in), in.varint()};
      if (!in.ok()) return std::nullopt;
      return clipped;
    }
    case Kind::end: {
      const EndRecord end{in.varint()};
      if (!in.ok()) return std::nullopt;
      return end;
    }
  }
  return std::nullopt;
}

}  // namespace kith::journal
