#include "membership/messages.h"

#include <algorithm>

#include "base/codec.h"

namespace kith::membership {
namespace {

Error bad(std::string what) { return Error(Code::protocol, "membership " + std::move(what), Side::peer); }

constexpr uint8_t kAnswer = 1, kComplete = 2;  // flags of a digest
constexpr uint8_t kMore = 1;                   // flag of records
constexpr std::string_view kAlertPurpose = "kith membership alert 1";

void write_version(Writer& writer, const RecordVersion& version) {
  writer.u64(version.incarnation);
  writer.u64(version.sequence);
}

RecordVersion read_version(Reader& in) {
  RecordVersion out;
  out.incarnation = in.u64();
  out.sequence = in.u64();
  return out;
}

void write_vote(Writer& writer, const Vote& vote) {
  writer.id(vote.subject);
  write_version(writer, vote.about);
  writer.u8(static_cast<uint8_t>(vote.verdict));
}

Vote read_vote(Reader& in) {
  Vote out;
  out.subject = in.id<NodeId>();
  out.about = read_version(in);
  uint8_t verdict = in.u8();
  // A verdict of a later version says nothing that we could count.
  if (verdict <= static_cast<uint8_t>(Verdict::refused)) out.verdict = static_cast<Verdict>(verdict);
  return out;
}

void write_alert_body(Writer& writer, const Alert& alert) {
  writer.id(alert.observer.node);
  writer.u64(alert.observer.incarnation);
  writer.u64(alert.number);
  write_vote(writer, alert.vote);
}

}  // namespace

Bytes PingMessage::encode() const {
  Bytes out;
  out.reserve(17);
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
  for (const Vote& vote : votes) write_vote(writer, vote);
  return out;
}

Result<VotesMessage> VotesMessage::decode(ByteView bytes) {
  Reader in(bytes);
  uint64_t count = in.varint();
  if (!in.ok() || count > kMaxSubjects) return bad("votes: a wrong number of votes");
  VotesMessage out;
  for (uint64_t i = 0; i < count && in.ok(); ++i) out.votes.push_back(read_vote(in));
  if (!in.ok()) return bad("votes: cut short");
  return out;
}

Bytes Alert::signed_text() const {
  Bytes out = to_bytes(kAlertPurpose);
  Writer writer(out);
  write_alert_body(writer, *this);
  return out;
}

Bytes AlertsMessage::encode() const {
  Bytes out;
  Writer writer(out);
  writer.varint(alerts.size());
  for (const Alert& alert : alerts) {
    write_alert_body(writer, alert);
    writer.raw(alert.signature);
  }
  return out;
}

Result<AlertsMessage> AlertsMessage::decode(ByteView bytes) {
  Reader in(bytes);
  uint64_t count = in.varint();
  if (!in.ok() || count > kMaxAlerts) return bad("alerts: a wrong number of alerts");
  AlertsMessage out;
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    Alert& alert = out.alerts.emplace_back();
    alert.observer.node = in.id<NodeId>();
    alert.observer.incarnation = in.u64();
    alert.number = in.u64();
    alert.vote = read_vote(in);
    ByteView signature = in.raw(alert.signature.size());
    std::copy(signature.begin(), signature.end(), alert.signature.begin());
  }
  if (!in.ok()) return bad("alerts: cut short");
  return out;
}

Bytes DigestMessage::encode() const {
  Bytes out;
  Writer writer(out);
  writer.u8(static_cast<uint8_t>((answer ? kAnswer : 0) | (complete ? kComplete : 0)));
  writer.u8(first);
  writer.u8(last);
  writer.varint(heads.size());
  for (const Head& head : heads) {
    writer.id(head.id);
    write_version(writer, head.version);
    writer.u8(static_cast<uint8_t>(head.standing));
  }
  return out;
}

Result<DigestMessage> DigestMessage::decode(ByteView bytes) {
  Reader in(bytes);
  DigestMessage out;
  uint8_t flags = in.u8();
  out.answer = (flags & kAnswer) != 0;
  out.complete = (flags & kComplete) != 0;
  out.first = in.u8();
  out.last = in.u8();
  uint64_t count = in.varint();
  if (!in.ok() || count > kMaxSubjects) return bad("digest: a wrong number of nodes");
  if (out.first > out.last || out.last >= kBuckets) return bad("digest: a wrong range of buckets");
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    Head head;
    head.id = in.id<NodeId>();
    head.version = read_version(in);
    uint8_t standing = in.u8();
    if (standing > static_cast<uint8_t>(Standing::down)) continue;  // of a later version
    head.standing = static_cast<Standing>(standing);
    out.heads.push_back(head);
  }
  if (!in.ok()) return bad("digest: cut short");
  return out;
}

Bytes RecordsMessage::encode() const {
  Bytes out;
  Writer writer(out);
  writer.u8(more ? kMore : 0);
  writer.varint(records.size());
  for (const Bytes& record : records) writer.bytes(record);
  return out;
}

Result<RecordsMessage> RecordsMessage::decode(ByteView bytes) {
  Reader in(bytes);
  RecordsMessage out;
  out.more = (in.u8() & kMore) != 0;
  uint64_t count = in.varint();
  if (!in.ok() || count > kMaxSubjects) return bad("records: a wrong number of records");
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    ByteView record = in.bytes(kMaxRecordBytes);
    if (in.ok()) out.records.emplace_back(record.begin(), record.end());
  }
  if (!in.ok()) return bad("records: cut short, or one is too large");
  return out;
}

Bytes SumsMessage::encode() const {
  Bytes out;
  Writer writer(out);
  for (uint64_t sum : sums) writer.u64(sum);
  return out;
}

Result<SumsMessage> SumsMessage::decode(ByteView bytes) {
  Reader in(bytes);
  SumsMessage out;
  for (uint64_t& sum : out.sums) sum = in.u64();
  if (!in.ok()) return bad("sums: cut short");
  return out;
}

Bytes ReachMessage::encode() const {
  Bytes out;
  Writer writer(out);
  writer.id(subject.node);
  writer.u64(subject.incarnation);
  return out;
}

Result<ReachMessage> ReachMessage::decode(ByteView bytes) {
  Reader in(bytes);
  ReachMessage out;
  out.subject.node = in.id<NodeId>();
  out.subject.incarnation = in.u64();
  if (!in.ok()) return bad("reach: cut short");
  return out;
}

}  // namespace kith::membership
