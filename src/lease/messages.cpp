#include "lease/messages.h"

namespace kith::lease {
namespace {

template <class Message, class Word>
Bytes encode_message(const Message& message, Word word) {
  Bytes out;
  Writer writer(out);
  writer.u8(static_cast<uint8_t>(word));
  writer.u64(message.epoch);
  writer.u64(message.stamp);
  message.voters.write(writer);
  return out;
}

template <class Message, class Word>
Result<Message> decode_message(ByteView bytes, Word Message::*word, Word last) {
  Reader in(bytes);
  Message out;
  uint8_t number = in.u8();
  out.*word = static_cast<Word>(number);
  out.epoch = in.u64();
  out.stamp = in.u64();
  out.voters = Voters::read(in);
  if (!in.ok() || number > static_cast<uint8_t>(last) || out.epoch > kMaxEpoch ||
      out.voters.epoch > kMaxEpoch)
    return Error(Code::protocol, "a malformed message of the lease", Side::peer);
  return out;
}

}  // namespace

Bytes Claim::encode() const { return encode_message(*this, kind); }
Result<Claim> Claim::decode(ByteView bytes) { return decode_message(bytes, &Claim::kind, Kind::release); }
Bytes Answer::encode() const { return encode_message(*this, verdict); }
Result<Answer> Answer::decode(ByteView bytes) {
  return decode_message(bytes, &Answer::verdict, Verdict::notice);
}

}  // namespace kith::lease
