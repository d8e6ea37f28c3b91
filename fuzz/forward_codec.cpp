// Heads that another member forwards: the first byte chooses request or response. What is accepted is
// accepted again when it is passed on, and does not change any more.
#include "cluster/forward_codec.h"

using namespace kith;
using namespace kith::cluster;

namespace {

Bytes request(ByteView payload) {
  Bytes out;
  if (auto got = decode_request(payload)) encode_request(out, got->origin, got->head);
  return out;
}

Bytes response(ByteView payload) {
  Bytes out;
  if (auto got = decode_response(payload)) encode_response(out, *got);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  ByteView payload(data + 1, size - 1);
  auto pass_on = data[0] % 2 == 0 ? request : response;
  Bytes once = pass_on(payload);
  if (once.empty()) return 0;
  KITH_CHECK(once.size() <= kMaxForwardHead);
  KITH_CHECK(pass_on(once) == once);
  return 0;
}
