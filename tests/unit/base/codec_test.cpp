#include "base/codec.h"

#include <gtest/gtest.h>

namespace kith {
namespace {

TEST(Codec, ReadsBackWhatItWrote) {
  Bytes out;
  Writer writer(out);
  writer.u8(7);
  writer.u16(0x1234);
  writer.u32(0xdeadbeef);
  writer.u64(UINT64_MAX);
  for (uint64_t value : {0ull, 1ull, 127ull, 128ull, 300ull, 1ull << 63, ~0ull}) writer.varint(value);
  writer.string("kith");
  Reader reader(out);
  EXPECT_EQ(reader.u8(), 7);
  EXPECT_EQ(reader.u16(), 0x1234);
  EXPECT_EQ(reader.u32(), 0xdeadbeefu);
  EXPECT_EQ(reader.u64(), UINT64_MAX);
  for (uint64_t value : {0ull, 1ull, 127ull, 128ull, 300ull, 1ull << 63, ~0ull})
    EXPECT_EQ(reader.varint(), value);
  EXPECT_EQ(reader.string(10), "kith");
  EXPECT_TRUE(reader.done());
}

TEST(Codec, FailsForGoodAtTheFirstShortRead) {
  Bytes in{1, 2};
  Reader reader(in);
  EXPECT_EQ(reader.u32(), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_FALSE(reader.done());
}

TEST(Codec, RefusesNumbersWithMoreThanOneEncoding) {
  for (Bytes in : {Bytes{0x80, 0x00}, Bytes{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02},
                   Bytes{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}}) {
    Reader reader(in);
    reader.varint();
    EXPECT_FALSE(reader.ok());
  }
}

TEST(Codec, RefusesAStringLongerThanItsLimitOrItsInput) {
  Bytes in{5, 'a', 'b', 'c', 'd', 'e'};
  EXPECT_EQ(Reader(in).string(5), "abcde");
  Reader limited(in);
  limited.string(4);
  EXPECT_FALSE(limited.ok());
  Bytes cut{5, 'a'};
  Reader shortened(cut);
  shortened.string(100);
  EXPECT_FALSE(shortened.ok());
}

}  // namespace
}  // namespace kith
