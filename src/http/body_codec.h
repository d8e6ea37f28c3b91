// Where a body's bytes are in the stream (RFC 9112 sections 6 and 7), sans-IO. The decoder never holds
// body bytes: it tells how many come next, so that they can be read straight to where they go.
//
//   while (!decoder.done()) {
//     if (decoder.due() == 0) consume(decoder.parse(received));    // chunk lines, trailers
//     else { take up to due() bytes; decoder.advance(taken); }
//   }
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "http/codec.h"

namespace kith::http {

class BodyDecoder {
 public:
  BodyDecoder() = default;  // no body: done
  explicit BodyDecoder(Framing framing, uint64_t length = 0);

  bool done() const { return state_ == State::done; }
  // Body bytes that come next, with no framing in between; 0: parse() first (or done).
  uint64_t due() const { return state_ == State::data ? left_ : 0; }
  void advance(uint64_t taken);
  // Looks at framing bytes and returns how many to consume. Stops at the first body byte or at the
  // end of the body. protocol: malformed; limit: too many bytes of extensions or trailers.
  Result<size_t> parse(ByteView bytes);
  // The stream ended: fine for a body that ends with it, else reset.
  Result<void> end();

 private:
  enum class State : uint8_t {
    done,
    data,       // left_ bytes of body
    size,       // digits of a chunk's size, into left_
    extension,  // after ';', dropped
    size_lf,    // the LF of a chunk line
    data_cr,    // the CRLF after a chunk's data
    data_lf,
    trailer_start,  // the start of a trailer line
    trailer_name,
    trailer_value,  // dropped
    trailer_lf,
    last_lf,  // the LF of the final empty line
  };
  bool step(uint8_t byte);

  State state_ = State::done;
  Framing framing_ = Framing::none;
  uint64_t left_ = 0;
  uint8_t digits_ = 0;
  uint32_t dropped_ = 0;  // bytes of extensions and trailers so far
};

// "1f4\r\n" for a chunk of that many bytes, which are to be followed by kChunkEnd.
class ChunkLine {
 public:
  explicit ChunkLine(uint64_t size);
  ByteView view() const { return as_bytes(std::string_view(text_, length_)); }

 private:
  char text_[18];
  size_t length_ = 0;
};
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace kith::http
