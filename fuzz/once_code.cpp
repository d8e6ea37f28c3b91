// The text of a code, as any client presents it. Nothing that the key did not sign is one; so that the fuzzer
// gets past the MAC, its input also stands for the fields of a code, which must come back as they were.
#include <algorithm>
#include <cstdlib>

#include "once/code.h"

using namespace kith;
using namespace kith::once;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<crypto::Secret> keys{crypto::Secret(Bytes(32, 7))};
  const WallTime now = from_unix_ms(1'700'000'000'000);
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto parsed = OnceCode::parse(text, keys, now); parsed && parsed->text(keys) != text) std::abort();

  OnceCode code{{}, {}, now + 60s};
  std::copy_n(data, std::min(size, code.random.size()), code.random.begin());
  Fingerprint fingerprint;
  fingerprint.bytes.fill(size == 0 ? 1 : data[0] | 1);
  code.group.assign(size % 2 == 0 ? 1 : kGroupSize, fingerprint);
  auto back = OnceCode::parse(code.text(keys), keys, now);
  if (!back || *back != code) std::abort();
  return 0;
}
