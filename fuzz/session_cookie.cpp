// The session cookie as any client may send it. One text for one cookie: what is taken as genuine is, byte
// for byte, what we would have written, so no change of any byte goes unnoticed.
#include "gateway/position_token.h"

using namespace kith;
using namespace kith::gateway;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<crypto::Secret> kKeys = [] {  // the corpus holds cookies made with the first
    std::vector<crypto::Secret> keys;
    keys.emplace_back(Bytes(32, 1));
    return keys;
  }();
  std::string_view text = as_text(ByteView(data, size));
  auto cookie = decode_session_cookie(text, kKeys);
  if (cookie) KITH_CHECK(encode_session_cookie(*cookie, kKeys) == text);
  return 0;
}
