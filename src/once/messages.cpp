#include "once/messages.h"

#include <algorithm>

#include "base/codec.h"

namespace kith::once {
namespace {

// Above any time of this millennium in milliseconds; no sum with it overflows.
constexpr int64_t kMaxTime = int64_t{1} << 46;
constexpr uint32_t kMaxPatience = 60'000;

// A clock that is far off is no reason for others to call us malformed.
void write_time(Writer& out, WallTime time) {
  out.u64(static_cast<uint64_t>(std::clamp<int64_t>(unix_ms(time), 0, kMaxTime)));
}
WallTime read_time(Reader& in) {
  auto ms = static_cast<int64_t>(in.u64());
  if (ms < 0 || ms > kMaxTime) in.fail();
  return from_unix_ms(ms);
}

bool read_flag(Reader& in) {
  uint8_t flag = in.u8();
  if (flag > 1) in.fail();
  return flag == 1;
}

template <class Word>
Word read_word(Reader& in, Word last) {
  uint8_t number = in.u8();
  if (number > static_cast<uint8_t>(last)) in.fail();
  return static_cast<Word>(number);
}

void write(Writer& out, const Ballot& ballot) {
  out.u32(ballot.round);
  out.u8(ballot.place);
}
Ballot read_ballot(Reader& in) {
  Ballot out{in.u32(), in.u8()};
  if (out.round > kMaxRound || out.place >= kGroupSize) in.fail();
  return out;
}

void write(Writer& out, const Accepted& accepted) {
  write(out, accepted.ballot);
  out.u64(accepted.winner.nonce);
  out.id(accepted.winner.proof);
  write_time(out, accepted.winner.at);
}
Accepted read_accepted(Reader& in) {
  Accepted out;
  out.ballot = read_ballot(in);
  out.winner.nonce = in.u64();
  out.winner.proof = in.id<ProofHash>();
  out.winner.at = read_time(in);
  return out;
}

template <class Message>
Result<Message> checked(const Reader& in, Message message) {
  if (!in.ok()) return Error(Code::protocol, "a malformed message of single use", Side::peer);
  return message;
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::unknown: return "unknown";
    case Outcome::expired: return "expired";
    case Outcome::used: return "used";
    case Outcome::wrong_proof: return "wrong_proof";
    case Outcome::no_majority: return "no_majority";
    case Outcome::late: return "late";
    case Outcome::won: return "won";
  }
  return "unknown";
}

Bytes Store::encode() const {
  Bytes out;
  Writer writer(out);
  writer.id(record.id);
  for (const Replica& replica : record.group) {
    writer.id(replica.node);
    writer.u64(replica.incarnation);
  }
  write_time(writer, record.expires);
  writer.u8(record.required ? 1 : 0);
  if (record.required) writer.id(*record.required);
  writer.bytes(record.payload);
  return out;
}

Result<Store> Store::decode(ByteView bytes) {
  Reader in(bytes);
  Record record;
  record.id = in.id<RecordId>();
  for (size_t i = 0; i < kGroupSize; ++i) {
    Replica replica{in.id<NodeId>(), in.u64()};
    if (record.place_of(replica)) in.fail();  // a majority of it would be fewer nodes than it seems
    record.group.push_back(replica);
  }
  record.expires = read_time(in);
  if (read_flag(in)) record.required = in.id<ProofHash>();
  ByteView payload = in.bytes(kMaxPayload);
  record.payload.assign(payload.begin(), payload.end());
  return checked(in, Store{std::move(record)});
}

Bytes Stored::encode() const {
  Bytes out;
  Writer writer(out);
  writer.id(id);
  writer.u8(held ? 1 : 0);
  return out;
}

Result<Stored> Stored::decode(ByteView bytes) {
  Reader in(bytes);
  Stored out;
  out.id = in.id<RecordId>();
  out.held = read_flag(in);
  return checked(in, out);
}

Bytes Prepare::encode() const {
  Bytes out;
  Writer writer(out);
  writer.id(id);
  write(writer, ballot);
  return out;
}

Result<Prepare> Prepare::decode(ByteView bytes) {
  Reader in(bytes);
  Prepare out;
  out.id = in.id<RecordId>();
  out.ballot = read_ballot(in);
  if (out.ballot.round == 0) in.fail();  // the minting node's, which asks for no promises
  return checked(in, out);
}

Bytes Accept::encode() const {
  Bytes out;
  Writer writer(out);
  writer.id(id);
  write(writer, proposal);
  return out;
}

Result<Accept> Accept::decode(ByteView bytes) {
  Reader in(bytes);
  Accept out;
  out.id = in.id<RecordId>();
  out.proposal = read_accepted(in);
  if (out.proposal.ballot.round == 0 && out.proposal.ballot.place != 0) in.fail();
  return checked(in, out);
}

Bytes VoteMessage::encode() const {
  Bytes out;
  Writer writer(out);
  writer.id(id);
  writer.u8(static_cast<uint8_t>(vote.kind));
  write(writer, vote.ballot);
  write(writer, vote.promised);
  writer.u8(vote.found ? 1 : 0);
  if (vote.found) write(writer, *vote.found);
  return out;
}

Result<VoteMessage> VoteMessage::decode(ByteView bytes) {
  Reader in(bytes);
  VoteMessage out;
  out.id = in.id<RecordId>();
  out.vote.kind = read_word(in, Vote::Kind::accepted);
  out.vote.ballot = read_ballot(in);
  out.vote.promised = read_ballot(in);
  if (read_flag(in)) out.vote.found = read_accepted(in);
  return checked(in, out);
}

Bytes Redeem::encode() const {
  Bytes out;
  Writer writer(out);
  writer.id(id);
  writer.u64(nonce);
  writer.id(proof);
  writer.u32(static_cast<uint32_t>(std::clamp<int64_t>(patience.count(), 0, kMaxPatience)));
  return out;
}

Result<Redeem> Redeem::decode(ByteView bytes) {
  Reader in(bytes);
  Redeem out;
  out.id = in.id<RecordId>();
  out.nonce = in.u64();
  out.proof = in.id<ProofHash>();
  uint32_t patience = in.u32();
  if (patience > kMaxPatience) in.fail();
  out.patience = std::chrono::milliseconds(patience);
  return checked(in, out);
}

Bytes RedeemedMessage::encode() const {
  Bytes out;
  Writer writer(out);
  writer.u64(nonce);
  writer.u8(static_cast<uint8_t>(outcome));
  writer.u8(again ? 1 : 0);
  writer.id(first);
  writer.bytes(payload);
  return out;
}

Result<RedeemedMessage> RedeemedMessage::decode(ByteView bytes) {
  Reader in(bytes);
  RedeemedMessage out;
  out.nonce = in.u64();
  out.outcome = read_word(in, Outcome::won);
  if (out.outcome == Outcome::late) in.fail();
  out.again = read_flag(in);
  out.first = in.id<ProofHash>();
  ByteView payload = in.bytes(kMaxPayload);
  out.payload.assign(payload.begin(), payload.end());
  return checked(in, std::move(out));
}

}  // namespace kith::once
