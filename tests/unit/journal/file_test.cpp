#include "journal/file.h"

#include <gtest/gtest.h>

namespace kith::journal {
namespace {

crypto::Secret key_of(uint8_t byte) { return crypto::Secret(Bytes(kSealKeyBytes, byte)); }

Salt salt_of(uint8_t byte) {
  Salt salt;
  salt.fill(byte);
  return salt;
}

struct Read {
  std::vector<std::string> frames;
  std::vector<bool> intact;  // as it was told with each
  bool whole = false;        // nothing missing, nothing skipped
  bool opened = false;
};

Read read_all(ByteView file, size_t piece = 7) {
  Read out;
  const std::vector<crypto::Secret> keys = {key_of(1)};
  auto scanner = FrameScanner::open(file.first(std::min(file.size(), kHeaderBytes)), keys);
  if (!scanner) return out;
  out.opened = true;
  auto take = [&](Bytes frame) {
    out.frames.push_back(to_string(frame));
    out.intact.push_back(scanner->intact());
  };
  for (ByteView rest = file.subspan(kHeaderBytes); !rest.empty();) {
    const ByteView next = rest.first(std::min(piece, rest.size()));
    rest = rest.subspan(next.size());
    scanner->feed(next);
    while (auto frame = scanner->next()) take(std::move(*frame));
  }
  while (auto frame = scanner->next_at_end()) take(std::move(*frame));
  out.whole = scanner->intact() && scanner->skipped_bytes() == 0;
  return out;
}

class JournalFile : public testing::Test {
 protected:
  JournalFile() : writer(FileKind::journal, 3, key_of(1), salt_of(9)) {
    append(file, writer.header());
    for (const char* text : {"one", "two", "", "four"}) {
      starts.push_back(file.size());
      append(file, writer.seal(as_bytes(text)));
    }
  }
  FrameWriter writer;
  Bytes file;
  std::vector<size_t> starts;
  const std::vector<std::string> all{"one", "two", "", "four"};
};

TEST_F(JournalFile, GivesBackWhatWasWrittenWhateverThePieces) {
  for (size_t piece : {size_t{1}, size_t{5}, size_t{64}, size_t{4096}}) {
    const Read read = read_all(file, piece);
    EXPECT_EQ(read.frames, all);
    EXPECT_TRUE(read.whole);
  }
}

TEST_F(JournalFile, IsOpenedByItsKeyAlone) {
  const ByteView header = ByteView(file).first(kHeaderBytes);
  const std::vector<crypto::Secret> both = {key_of(2), key_of(1)}, other = {key_of(2)};
  auto opened = FrameScanner::open(header, both);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->header().generation, 3u);
  EXPECT_EQ(opened->header().kind, FileKind::journal);
  auto refused = FrameScanner::open(header, other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::unauthenticated);
}

// Whatever one byte becomes: what comes out is what was written, in order, and what is missing is told.
TEST_F(JournalFile, ADamagedByteCostsItsFrameAndNoOther) {
  for (size_t at = 0; at < file.size(); ++at) {
    Bytes damaged = file;
    damaged[at] ^= 0x40;
    const Read read = read_all(damaged);
    if (at < kHeaderBytes) {
      EXPECT_FALSE(read.opened) << at;
      continue;
    }
    const size_t hit =
        static_cast<size_t>(std::upper_bound(starts.begin(), starts.end(), at) - starts.begin()) - 1;
    std::vector<std::string> rest = all;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(hit));
    EXPECT_EQ(read.frames, rest) << at;
    EXPECT_FALSE(read.whole) << at;
    for (size_t i = 0; i < read.intact.size(); ++i) EXPECT_EQ(read.intact[i], i < hit) << at;
  }
}

TEST_F(JournalFile, ATornEndGivesWhatIsBeforeIt) {
  for (size_t size = kHeaderBytes; size < file.size(); ++size) {
    const Read read = read_all(ByteView(file).first(size));
    const size_t whole =
        static_cast<size_t>(std::upper_bound(starts.begin() + 1, starts.end(), size) - starts.begin()) - 1;
    EXPECT_EQ(read.frames,
              std::vector<std::string>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(whole)))
        << size;
    for (bool intact : read.intact) EXPECT_TRUE(intact);
  }
}

// A frame of another file, or of another place in this one, is not taken for one of its own.
TEST_F(JournalFile, FramesStandInTheirPlaceAlone) {
  FrameWriter other(FileKind::journal, 4, key_of(1), salt_of(8));
  Bytes mixed = file;
  append(mixed, other.seal(as_bytes("x")));
  EXPECT_EQ(read_all(mixed).frames, all);

  Bytes twice = file;  // the first frame once more
  twice.insert(twice.end(), file.begin() + static_cast<std::ptrdiff_t>(starts[0]),
               file.begin() + static_cast<std::ptrdiff_t>(starts[1]));
  EXPECT_EQ(read_all(twice).frames, all);
}

}  // namespace
}  // namespace kith::journal
