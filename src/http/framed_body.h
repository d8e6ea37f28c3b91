// A message body on a connection: the decoder joined to the stream and to what was received already.
#pragma once

#include "base/input_buffer.h"
#include "http/body_codec.h"
#include "runtime/ports.h"

namespace kith::http {

class FramedBody {
 public:
  FramedBody() = default;
  explicit FramedBody(BodyDecoder decoder) : decoder_(decoder) {}

  bool done() const { return decoder_.done(); }
  // Body bytes known to be left without looking at the stream: the rest of the length, or of a chunk.
  uint64_t due() const { return decoder_.due(); }
  // As BodyReader::read. stream and input outlive the call. A failure is final.
  runtime::Task<Result<size_t>> read(runtime::Stream& stream, InputBuffer& input, MutableByteView out,
                                     MonoTime deadline);
  // The body bytes that are in the input, in one piece.
  ByteView here(const InputBuffer& input) const {
    return input.view().first(static_cast<size_t>(std::min<uint64_t>(input.size(), decoder_.due())));
  }
  Result<void> pass(InputBuffer& input, size_t bytes);
  // Whether the next read returns without waiting on the stream: the end is known or bytes are here.
  // Consumes framing that has arrived, so a finished chunked body is seen to be done.
  Result<bool> settle(InputBuffer& input);

 private:
  BodyDecoder decoder_;
};

}  // namespace kith::http
