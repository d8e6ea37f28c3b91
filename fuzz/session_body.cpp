// The body of a session record, as it comes from another member. What is read can be written again, and
// reads the same.
#include "gateway/session_body.h"

#include "base/check.h"

using namespace kith;
using namespace kith::gateway;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto identities = decode_session_body(ByteView(data, size));
  if (!identities) return 0;
  auto once = encode_session_body(*identities);
  KITH_CHECK(once.has_value() && once->size() <= kMaxSessionBody);
  auto again = decode_session_body(*once);
  KITH_CHECK(again.has_value());
  auto twice = encode_session_body(*again);
  KITH_CHECK(twice.has_value() && *twice == *once);
  return 0;
}
