#include <gtest/gtest.h>

#include "http/body_codec.h"

namespace kith::http {
namespace {

using namespace std::string_view_literals;

struct Decoded {
  std::string body;
  std::string rest;
  bool done = false;
  bool failed = false;
};

// Feeds the text in pieces of the given size, taking body bytes as they come.
Decoded decode(std::string_view text, size_t piece) {
  BodyDecoder decoder(Framing::chunked);
  Decoded out;
  while (!text.empty() && !decoder.done()) {
    std::string_view now = text.substr(0, piece);
    size_t used = 0;
    if (decoder.due() > 0) {
      used = static_cast<size_t>(std::min<uint64_t>(decoder.due(), now.size()));
      out.body += now.substr(0, used);
      decoder.advance(used);
    } else {
      auto parsed = decoder.parse(as_bytes(now));
      if (!parsed) {
        out.failed = true;
        return out;
      }
      used = *parsed;
    }
    text.remove_prefix(used);
  }
  out.done = decoder.done();
  out.rest = text;
  return out;
}

TEST(BodyDecoder, ReadsChunksHoweverTheyAreSplit) {
  std::string_view text =
      "4\r\nwiki\r\n0005;a=b;c=\"d\"\r\npedia\r\nE\r\n in\r\n\r\nchunks.\r\n0\r\nX-T: a b\r\nY:\r\n\r\nGET";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    Decoded out = decode(text, piece);
    EXPECT_TRUE(out.done);
    EXPECT_EQ(out.body, "wikipedia in\r\n\r\nchunks.");
    EXPECT_EQ(out.rest, "GET");
  }
}

TEST(BodyDecoder, RefusesEveryOtherSpellingOfChunks) {
  const std::string_view refused[] = {"\r\n",
                                      "g\r\n",
                                      "0x5\r\nhello\r\n",
                                      "-1\r\n",
                                      "+5\r\nhello",
                                      " 5\r\nhello",
                                      "5 \r\nhello\r\n",
                                      "5\t;a\r\n",
                                      "5\nhello\r\n",
                                      "5\rhello\r\n",
                                      "5\r\r\nhello",
                                      "5\r\nhelloX\r\n",
                                      "5\r\nhello\n",
                                      "5\r\nhello\rX",
                                      "00000000000000005\r\n",
                                      "10000000000000000\r\n",
                                      ";a\r\n",
                                      "5;a\nb\r\n",
                                      "5;a\0\r\n"sv,
                                      "5;\x7f\r\n",
                                      "0\r\n X: folded\r\n\r\n",
                                      "0\r\nX : a\r\n\r\n",
                                      "0\r\n: a\r\n\r\n",
                                      "0\r\nX: a\n\r\n",
                                      "0\r\nX\r\n\r\n",
                                      "0\r\nX: a\rb\r\n\r\n",
                                      "0\r\n\n",
                                      "0\r\n\rX",
                                      "0\n\n"};
  for (std::string_view text : refused) {
    for (size_t piece : {size_t{1}, text.size()}) EXPECT_TRUE(decode(text, piece).failed) << text;
  }
}

TEST(BodyDecoder, LimitsWhatItDrops) {
  std::string extensions;
  for (int i = 0; i < 2000; ++i) extensions += "1;abcdefgh\r\nx\r\n";
  EXPECT_TRUE(decode(extensions, extensions.size()).failed);
  EXPECT_TRUE(decode("0\r\nX: " + std::string(20'000, 'a'), 100).failed);
}

TEST(BodyDecoder, CountsALength) {
  BodyDecoder decoder(Framing::length, 5);
  EXPECT_EQ(decoder.due(), 5u);
  decoder.advance(2);
  EXPECT_EQ(decoder.due(), 3u);
  EXPECT_EQ(decoder.end().error().code(), Code::reset);
  decoder.advance(3);
  EXPECT_TRUE(decoder.done());
  EXPECT_TRUE(decoder.end());
  EXPECT_TRUE(BodyDecoder(Framing::length, 0).done());
  EXPECT_TRUE(BodyDecoder().done());
}

TEST(BodyDecoder, OnlyABodyUntilCloseMayEndWithTheStream) {
  BodyDecoder open(Framing::until_close);
  open.advance(100);
  EXPECT_FALSE(open.done());
  EXPECT_TRUE(open.end());
  EXPECT_TRUE(open.done());
  BodyDecoder chunked(Framing::chunked);
  EXPECT_FALSE(chunked.end());
}

TEST(ChunkLine, IsHexadecimalWithoutLeadingZeros) {
  EXPECT_EQ(as_text(ChunkLine(1).view()), "1\r\n");
  EXPECT_EQ(as_text(ChunkLine(0x1f40).view()), "1f40\r\n");
  EXPECT_EQ(as_text(ChunkLine(UINT64_MAX).view()), "ffffffffffffffff\r\n");
}

}  // namespace
}  // namespace kith::http
