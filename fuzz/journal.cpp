// The files of a journal, from a disk that returns anything: whatever comes, a reader ends, and gives nothing that
// was not sealed with the key. The input is either a file's bytes, or the records of a frame.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "journal/recovery.h"

#include "journal/file.h"

using namespace kith;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  journal::Recovery recovery({[](const replication::Op&) {}, [](const replication::StateEntry&) {}});
  if (data[0] % 2 == 0) {
    recovery.take(input, true);
    recovery.end_of_file(true);
    (void)recovery.finish();
    return 0;
  }
  const std::vector<crypto::Secret> keys = {crypto::Secret(Bytes(journal::kSealKeyBytes, 1))};
  journal::FrameWriter writer(journal::FileKind::journal, 1, keys[0], {});
  auto scanner = journal::FrameScanner::open(writer.header(), keys);
  KITH_CHECK(scanner.has_value());
  Bytes file(input.begin(), input.end());
  append(file, writer.seal(as_bytes("whole")));
  scanner->feed(file);
  size_t frames = 0;
  while (scanner->next()) ++frames;
  while (scanner->next_at_end()) ++frames;
  KITH_CHECK(frames == 1);  // what the input holds is not sealed; what follows it is found
  return 0;
}
