#include <gtest/gtest.h>

#include "http/codec.h"

namespace kith::http {
namespace {

using namespace std::string_view_literals;

TEST(ResponseParser, ReadsAHeadIntoItsParts) {
  std::string text = "HTTP/1.1 404 Not  Found\r\nA: b\r\nContent-Length: 3\r\n\r\nabc";
  ResponseParser parser(HeadLimits{});
  for (size_t n = 0; n + 3 < text.size(); ++n)
    EXPECT_EQ(parser.parse(std::string_view(text).substr(0, n)), HeadState::incomplete);
  ASSERT_EQ(parser.parse(text), HeadState::complete);
  EXPECT_EQ(parser.size(), text.size() - 3);
  ResponseHead head = parser.take();
  EXPECT_EQ(head.status, 404);
  EXPECT_EQ(head.reason, "Not  Found");
  EXPECT_EQ(head.content_length, 3u);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.headers.size(), 1u);
}

TEST(ResponseParser, TakesAStatusLineWithoutAReason) {
  for (std::string_view line : {"HTTP/1.1 200", "HTTP/1.1 200 "}) {
    ResponseParser parser(HeadLimits{});
    ASSERT_EQ(parser.parse(std::string(line) + "\r\n\r\n"), HeadState::complete);
    EXPECT_EQ(parser.take().reason, "");
  }
}

TEST(ResponseParser, RefusesWhateverCouldBeReadInTwoWays) {
  const std::string_view refused[] = {
      "HTTP/2.0 200 OK\r\n\r\n",
      "HTTP/1.2 200 OK\r\n\r\n",
      "http/1.1 200 OK\r\n\r\n",
      "HTTP/1.1  200 OK\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 099 OK\r\n\r\n",
      "HTTP/1.1 600 OK\r\n\r\n",
      "HTTP/1.1 200 O\0K\r\n\r\n"sv,
      "HTTP/1.1 200 OK\nA: b\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA: b\n\r\n",
      "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
      "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
      "<html>",
      "SSH-2.0-x\r\n"};
  for (std::string_view text : refused) {
    ResponseParser parser(HeadLimits{});
    EXPECT_EQ(parser.parse(text), HeadState::refused) << text;
  }
}

TEST(ResponseParser, LimitsTheHead) {
  ResponseParser small(HeadLimits{.max_head_bytes = 64});
  EXPECT_EQ(small.parse("HTTP/1.1 200 OK\r\nA: " + std::string(100, 'a')), HeadState::refused);
  ResponseParser few(HeadLimits{.max_headers = 1});
  EXPECT_EQ(few.parse("HTTP/1.1 200 OK\r\nA: a\r\nB: b\r\n\r\n"), HeadState::refused);
}

TEST(ResponseFraming, FollowsMethodStatusAndHeaders) {
  ResponseHead head;
  EXPECT_EQ(response_framing(head, "GET"), Framing::until_close);
  head.content_length = 5;
  EXPECT_EQ(response_framing(head, "GET"), Framing::length);
  EXPECT_EQ(response_framing(head, "HEAD"), Framing::none);
  for (int status : {100, 101, 204, 304}) {
    head.status = status;
    EXPECT_EQ(response_framing(head, "GET"), Framing::none) << status;
  }
  head = {};
  head.chunked = true;
  EXPECT_EQ(response_framing(head, "GET"), Framing::chunked);
}

}  // namespace
}  // namespace kith::http
