// Bytes of an upstream into the response parser: split anywhere they mean the same, and what is accepted
// can be written to a client without changing what the client reads.
#include "base/bytes.h"
#include "http/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kith;
  using namespace kith::http;
  if (size < 1) return 0;
  size_t step = data[0] % 16 + 1;
  std::string_view text = as_text(ByteView(data + 1, size - 1));
  HeadLimits limits{.max_head_bytes = 4096, .max_headers = 20};
  ResponseParser whole(limits);
  HeadState state = whole.parse(text);
  ResponseParser split(limits);
  HeadState split_state = HeadState::incomplete;
  for (size_t n = step; split_state == HeadState::incomplete; n += step) {
    split_state = split.parse(text.substr(0, n));
    if (n >= text.size()) break;
  }
  KITH_CHECK(state == split_state);
  if (state != HeadState::complete) return 0;
  KITH_CHECK(whole.size() == split.size());
  ResponseHead head = whole.take();
  KITH_CHECK(!(head.chunked && head.content_length));
  if (head.status == 101) return 0;

  std::string out;
  Framing framing = response_framing(head, "GET");
  KITH_CHECK(encode_response(out, head, {.framing = framing, .date = "now"}).has_value());
  ResponseParser again(HeadLimits{.max_head_bytes = 64 << 10, .max_headers = 40});
  KITH_CHECK(again.parse(out) == HeadState::complete && again.size() == out.size());
  ResponseHead second = again.take();
  KITH_CHECK(second.status == head.status && second.chunked == (framing == Framing::chunked));
  if (head.status >= 200 && head.status != 204) KITH_CHECK(second.content_length == head.content_length);
  return 0;
}
