#include "mesh/frames.h"

#include <algorithm>

#include "base/check.h"
#include "base/codec.h"
#include "mesh/hello.h"

namespace kith::mesh {
namespace {

constexpr uint8_t kLaneBits = 0x07;
constexpr uint8_t kMore = 0x80;

void put_frame(Bytes& out, uint8_t lane_and_flags, uint8_t type, ByteView payload) {
  Writer writer(out);
  writer.u8(lane_and_flags);
  writer.u8(type);
  writer.u16(static_cast<uint16_t>(payload.size()));
  writer.raw(payload);
}

}  // namespace

Bytes link_frame(uint8_t type, ByteView payload) {
  KITH_CHECK(payload.size() <= kMaxHello);
  Bytes frame;
  put_frame(frame, kLinkLane, type, payload);
  return frame;
}

// ---------------------------------------------------------------- sending

void SendQueue::push(Lane lane, uint8_t type, ByteView payload) {
  KITH_CHECK(payload.size() <= kMaxMessage);
  Queue& queue = lanes_[static_cast<size_t>(lane)];
  queue.messages.push_back({type, Bytes(payload.begin(), payload.end())});
  queue.bytes += payload.size();
}

Bytes SendQueue::next_record() {
  Bytes record;
  for (uint8_t lane = 0; lane < kLanes; ++lane) {
    Queue& queue = lanes_[lane];
    while (!queue.messages.empty()) {
      const size_t space = kRecordSize - record.size();
      Waiting& first = queue.messages.front();
      ByteView rest = ByteView(first.payload).subspan(queue.sent);
      // A fragment must not be empty, an empty message may.
      if (space < kFrameHeader + (rest.empty() ? 0 : 1)) return record;
      ByteView part = rest.first(std::min(rest.size(), space - kFrameHeader));
      const bool more = part.size() < rest.size();
      put_frame(record, static_cast<uint8_t>(lane | (more ? kMore : 0)), first.type, part);
      queue.bytes -= part.size();
      if (more) {
        queue.sent += part.size();
      } else {
        queue.messages.pop_front();
        queue.sent = 0;
      }
    }
  }
  return record;
}

void SendQueue::keep_only(Lane lane) {
  for (size_t i = 0; i < kLanes; ++i) {
    if (i != static_cast<size_t>(lane)) lanes_[i] = {};
  }
}

size_t SendQueue::queued_bytes() const {
  size_t sum = 0;
  for (const Queue& queue : lanes_) sum += queue.bytes;
  return sum;
}

size_t SendQueue::memory() const {
  constexpr size_t kWaiting = 64;
  size_t sum = queued_bytes();
  for (const Queue& queue : lanes_) sum += queue.messages.size() * kWaiting;
  return sum;
}

// ---------------------------------------------------------------- receiving

void FrameReader::feed(ByteView plaintext) {
  if (error_ == Refusal::none) append(buffer_, plaintext);
}

Refusal FrameReader::judge_header(uint8_t lane, uint8_t other_bits, bool more, uint8_t type,
                                  size_t size) const {
  if (other_bits != 0) return Refusal::malformed;
  if (lane == kLinkLane) {
    if (more) return Refusal::malformed;
    return size > kMaxHello ? Refusal::frame_limit : Refusal::none;
  }
  if (lane >= kLanes || !messages_allowed_ || (more && size == 0)) return Refusal::malformed;
  const Partial& partial = partial_[lane];
  if (partial.begun && partial.type != type) return Refusal::malformed;
  if (size > kMaxFramePayload || partial.payload.size() + size > kMaxMessage) return Refusal::frame_limit;
  return Refusal::none;
}

std::optional<Received> FrameReader::next() {
  while (error_ == Refusal::none) {
    Reader reader(ByteView(buffer_).subspan(used_));
    const uint8_t first = reader.u8();
    const uint8_t type = reader.u8();
    const size_t size = reader.u16();
    if (!reader.ok()) break;
    const uint8_t lane = first & kLaneBits;
    const bool more = (first & kMore) != 0;
    const uint8_t other_bits = first & static_cast<uint8_t>(~(kLaneBits | kMore));
    error_ = judge_header(lane, other_bits, more, type, size);
    if (error_ != Refusal::none) break;
    ByteView payload = reader.raw(size);
    if (!reader.ok()) break;
    used_ += kFrameHeader + size;
    if (lane == kLinkLane) return Received{lane, type, Bytes(payload.begin(), payload.end())};
    Partial& partial = partial_[lane];
    append(partial.payload, payload);
    partial.begun = more;
    partial.type = type;
    if (!more) return Received{lane, type, std::exchange(partial.payload, {})};
  }
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(used_));
  used_ = 0;
  return std::nullopt;
}

}  // namespace kith::mesh
