#include "membership/messages.h"

#include "base/codec.h"

namespace kith::membership {
namespace {

Error bad(std::string what) { return Error(Code::protocol, "membership " + std::move(what), Side::peer); }

constexpr uint8_t kAnswer = 1;  // flag of a digest

}  // namespace

Bytes PingMessage::encode() const {
  Bytes out;
  Writer writer(out);
  writer.u64(stamp);
  writer.u64(view_hash);
  writer.u8(health);
  return out;
}

Result<PingMessage> PingMessage::decode(ByteView bytes) {
  Reader in(bytes);
  PingMessage out;
  out.stamp = in.u64();
  out.view_hash = in.u64();
  out.health = in.u8();
  if (!in.ok()) return bad("heartbeat: cut short");
  return out;
}

Bytes VotesMessage::encode() const {
  Bytes out;
  Writer writer(out);
  writer.varint(votes.size());
  for (const Vote& vote : votes) {
    writer.id(vote.subject);
    writer.u64(vote.incarnation);
    writer.u8(static_cast<uint8_t>(vote.verdict));
  }
  return out;
}

Result<VotesMessage> VotesMessage::decode(ByteView bytes) {
  Reader in(bytes);
  uint64_t count = in.varint();
  if (!in.ok() || count > kMaxSubjects) return bad("votes: a wrong number of votes");
  VotesMessage out;
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    Vote vote;
    vote.subject = in.id<NodeId>();
    vote.incarnation = in.u64();
    uint8_t verdict = in.u8();
    // A verdict of a later version says nothing that we could count.
    if (verdict <= static_cast<uint8_t>(Verdict::refused)) vote.verdict = static_cast<Verdict>(verdict);
    out.votes.push_back(vote);
  }
  if (!in.ok()) return bad("votes: cut short");
  return out;
}

Bytes DigestMessage::encode() const {
  Bytes out;
  Writer writer(out);
  writer.u8(answer ? kAnswer : 0);
  writer.varint(heads.size());
  for (const RecordHead& head : heads) {
    writer.id(head.id);
    writer.u64(head.version.incarnation);
    writer.u64(head.version.sequence);
  }
  return out;
}

Result<DigestMessage> DigestMessage::decode(ByteView bytes) {
  Reader in(bytes);
  DigestMessage out;
  out.answer = (in.u8() & kAnswer) != 0;
  uint64_t count = in.varint();
  if (!in.ok() || count > kMaxSubjects) return bad("digest: a wrong number of nodes");
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    RecordHead head;
    head.id = in.id<NodeId>();
    head.version.incarnation = in.u64();
    head.version.sequence = in.u64();
    out.heads.push_back(head);
  }
  if (!in.ok()) return bad("digest: cut short");
  return out;
}

Bytes RecordsMessage::encode() const {
  Bytes out;
  Writer writer(out);
  writer.varint(records.size());
  for (const Bytes& record : records) writer.bytes(record);
  return out;
}

Result<RecordsMessage> RecordsMessage::decode(ByteView bytes) {
  Reader in(bytes);
  uint64_t count = in.varint();
  if (!in.ok() || count > kMaxSubjects) return bad("records: a wrong number of records");
  RecordsMessage out;
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    ByteView record = in.bytes(kMaxRecordBytes);
    if (in.ok()) out.records.emplace_back(record.begin(), record.end());
  }
  if (!in.ok()) return bad("records: cut short, or one is too large");
  return out;
}

}  // namespace kith::membership
