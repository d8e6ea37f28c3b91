// Message heads and facts of origin, as they travel between two nodes with a forwarded request.
// Formats: docs/formats/forward.md. The receiver treats them like bytes from anywhere: every field is
// checked again before it is believed.
#pragma once

#include "http/exchange.h"
#include "http/server.h"

namespace kith::cluster {

// Message types on the bulk link's stream lane. Replication has the types below 0x40.
enum class ForwardType : uint8_t {
  open = 0x40,    // id, origin, request head; sent by the node that has the client
  head = 0x41,    // id, response head
  data = 0x42,    // id, bytes; both directions, within the credit
  end = 0x43,     // id; no more data in this direction
  credit = 0x44,  // id, how many more bytes the sender of this message takes
  reset = 0x45,   // id, why; both directions are over
};
inline constexpr uint8_t kForwardFirst = 0x40;
inline constexpr uint8_t kForwardLast = 0x45;

// Of an encoded head. Room for the largest head that the HTTP server may be configured to take (each field
// takes no more bytes here than there), with the origin's facts and the headers of ours.
inline constexpr size_t kMaxForwardHead = 96 << 10;
inline constexpr size_t kMaxForwardHeaders = 256;
static_assert(kMaxForwardHead >= http::kMaxHeadBytes + (16 << 10));
static_assert(kMaxForwardHeaders >= http::kMaxHeaders + 16);

void encode_request(Bytes& out, const http::Origin& origin, const http::RequestHead& head);
struct ForwardedRequest {
  http::Origin origin;  // forwarded_by is filled in by the receiver, from the link
  http::RequestHead head;
};
Result<ForwardedRequest> decode_request(ByteView payload);

void encode_response(Bytes& out, const http::ResponseHead& head);
Result<http::ResponseHead> decode_response(ByteView payload);

}  // namespace kith::cluster
