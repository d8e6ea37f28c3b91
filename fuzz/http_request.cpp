// Bytes of a client into the request parser and body decoder: split anywhere they mean the same, and
// what is accepted survives being written again (so nothing hides between us and an upstream).
#include <algorithm>

#include "http/body_codec.h"

namespace {

using namespace kith;
using namespace kith::http;

const HeadLimits kLimits{.max_head_bytes = 4096, .max_headers = 20, .max_target_bytes = 1024};

void check_rewritten(const RequestHead& head) {
  auto target = parse_target(head.target.text());
  KITH_CHECK(target && target->text() == head.target.text());
  if (head.host.empty()) return;  // HTTP/1.0 without Host is not sent on
  std::string text;
  KITH_CHECK(encode_request(text, head, head.target, head.host).has_value());
  HeadLimits wide{.max_head_bytes = 64 << 10, .max_headers = 40, .max_target_bytes = 8 << 10};
  RequestParser parser(wide);
  KITH_CHECK(parser.parse(text) == HeadState::complete && parser.size() == text.size());
  RequestHead again = parser.take();
  KITH_CHECK(again.method == head.method && again.target.text() == head.target.text() &&
             again.host == head.host);
  KITH_CHECK(again.chunked == head.chunked && again.content_length == head.content_length);
  KITH_CHECK(again.upgrade == head.upgrade && !(again.chunked && again.content_length));
}

// Consumes a body; returns what is left behind it, or nothing when it is refused or not whole.
std::string_view skip_body(BodyDecoder decoder, std::string_view text, size_t step) {
  while (!decoder.done()) {
    if (text.empty()) return {};
    std::string_view piece = text.substr(0, step);
    size_t used = std::min<uint64_t>(decoder.due(), piece.size());
    if (used > 0) {
      decoder.advance(used);
    } else {
      auto parsed = decoder.parse(as_bytes(piece));
      if (!parsed) return {};
      used = *parsed;
    }
    text.remove_prefix(used);
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  size_t step = data[0] % 16 + 1;
  std::string_view text = as_text(ByteView(data + 1, size - 1));
  for (int requests = 0; requests < 8 && !text.empty(); ++requests) {
    RequestParser whole(kLimits);
    HeadState state = whole.parse(text);
    RequestParser split(kLimits);
    HeadState split_state = HeadState::incomplete;
    for (size_t n = step; split_state == HeadState::incomplete; n += step) {
      split_state = split.parse(text.substr(0, n));
      if (n >= text.size()) break;
    }
    KITH_CHECK(state == split_state);
    if (state == HeadState::refused) {
      KITH_CHECK(whole.refusal().status >= 400 && !whole.refusal().why.empty());
      return 0;
    }
    if (state == HeadState::incomplete) return 0;
    KITH_CHECK(whole.size() == split.size() && whole.size() <= text.size());
    text.remove_prefix(whole.size());
    RequestHead head = whole.take();
    check_rewritten(head);
    BodyDecoder body(request_framing(head), head.content_length.value_or(0));
    std::string_view rest = skip_body(body, text, text.size());
    KITH_CHECK(rest == skip_body(body, text, step));
    text = rest;
  }
  return 0;
}
