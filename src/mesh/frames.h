// Messages in lanes, cut into frames and put together again (docs/formats/mesh.md section 3).
#pragma once

#include <deque>

#include "base/bytes.h"
#include "mesh/refusal.h"

namespace kith::mesh {

// Strict order: a lane is served only while all lanes before it are empty.
enum class Lane : uint8_t { control = 0, session = 1, stream = 2, cache = 3, repair = 4 };
inline constexpr size_t kLanes = 5;
inline constexpr uint8_t kLinkLane = 7;  // HELLO, READY, REFUSE

inline constexpr size_t kMaxMessage = 1 << 20;
inline constexpr size_t kRecordSize = 16 << 10;  // of plaintext; what one TLS record holds
inline constexpr size_t kFrameHeader = 4;
inline constexpr size_t kMaxFramePayload = kRecordSize - kFrameHeader;

// One frame of lane 7, whole.
Bytes link_frame(uint8_t type, ByteView payload);

class SendQueue {
 public:
  void push(Lane lane, uint8_t type, ByteView payload);
  // The next record's worth of frames, most urgent first; empty when there is nothing to send.
  Bytes next_record();
  // Forgets what waits in all other lanes.
  void keep_only(Lane lane);

  size_t queued_bytes() const;
  // What all lanes take: with what each message costs besides its payload.
  size_t memory() const;
  size_t queued_bytes(Lane lane) const { return lanes_[static_cast<size_t>(lane)].bytes; }

 private:
  struct Waiting {
    uint8_t type;
    Bytes payload;
  };
  struct Queue {
    std::deque<Waiting> messages;
    size_t sent = 0;   // of the first message's payload
    size_t bytes = 0;  // payload not sent yet
  };
  std::array<Queue, kLanes> lanes_;
};

// A message, or a frame of the link's own when lane is kLinkLane.
struct Received {
  uint8_t lane;
  uint8_t type;
  Bytes payload;
};

class FrameReader {
 public:
  // Until allow_messages() only small frames of the link's own lane pass.
  void allow_messages() { messages_allowed_ = true; }
  void feed(ByteView plaintext);
  // The next whole message; nullopt when more input is needed or error() is set.
  std::optional<Received> next();
  // none, malformed or frame_limit; final.
  Refusal error() const { return error_; }

 private:
  struct Partial {
    bool begun = false;
    uint8_t type = 0;
    Bytes payload;
  };
  Refusal judge_header(uint8_t lane, uint8_t other_bits, bool more, uint8_t type, size_t size) const;

  Bytes buffer_;
  size_t used_ = 0;
  std::array<Partial, kLanes> partial_;
  bool messages_allowed_ = false;
  Refusal error_ = Refusal::none;
};

}  // namespace kith::mesh
