#include <gtest/gtest.h>

#include "http/codec.h"

namespace kith::http {
namespace {

std::string response(ResponseHead head, ResponseWire wire) {
  std::string out;
  EXPECT_TRUE(encode_response(out, head, wire));
  return out;
}

TEST(EncodeResponse, WritesFramingOfItsOwnAndDropsHeadersOfOneHop) {
  ResponseHead head;
  head.headers.add("A", "b");
  for (const char* name : {"Connection", "keep-alive", "Transfer-Encoding", "CONTENT-LENGTH", "TE", "Trailer",
                           "Upgrade", "Proxy-Connection"})
    head.headers.add(name, "1");
  head.content_length = 7;
  EXPECT_EQ(response(head, {.framing = Framing::length, .date = "D"}),
            "HTTP/1.1 200 OK\r\nA: b\r\nDate: D\r\nContent-Length: 7\r\n\r\n");
  EXPECT_EQ(response(head, {.framing = Framing::none, .keep_alive = false}),
            "HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\nContent-Length: 7\r\n\r\n");
  head.content_length.reset();
  EXPECT_EQ(response(head, {.framing = Framing::chunked, .request_minor = 0}),
            "HTTP/1.1 200 OK\r\nA: b\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST(EncodeResponse, NeverGivesALengthWith204OrUpgrade) {
  ResponseHead head;
  head.status = 204;
  head.content_length = 0;
  EXPECT_EQ(response(head, {}), "HTTP/1.1 204 No Content\r\n\r\n");
  head.status = 101;
  EXPECT_EQ(response(head, {.upgrade = "websocket"}),
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

TEST(EncodeResponse, KeepsTheDateOfTheHead) {
  ResponseHead head;
  head.status = 304;
  head.headers.add("date", "yesterday");
  EXPECT_EQ(response(head, {.date = "now"}), "HTTP/1.1 304 Not Modified\r\ndate: yesterday\r\n\r\n");
}

TEST(EncodeResponse, CannotBeSplit) {
  const std::pair<std::string, std::string> bad[] = {{"Location", "/a\r\nSet-Cookie: x=y"},
                                                     {"Location", "/a\nX: y"},
                                                     {"Location", std::string("a\0b", 3)},
                                                     {"A\r\nB", "c"},
                                                     {"A: b", "c"},
                                                     {"", "c"},
                                                     {"A ", "c"}};
  for (const auto& [name, value] : bad) {
    ResponseHead head;
    head.headers.add(name, value);
    std::string out;
    EXPECT_EQ(encode_response(out, head, {}).error().code(), Code::invalid) << name;
    RequestHead request;
    request.headers.add(name, value);
    EXPECT_EQ(encode_request(out, request, {}, "a").error().code(), Code::invalid) << name;
  }
  ResponseHead head;
  head.reason = "OK\r\nA: b";
  std::string out;
  EXPECT_FALSE(encode_response(out, head, {}));
}

TEST(EncodeRequest, WritesAHeadThatParsesBackToItself) {
  RequestHead head;
  head.method = "POST";
  head.headers.add("Host", "ignored");
  head.headers.add("Expect", "100-continue");
  head.headers.add("A", "b");
  head.content_length = 0;
  Target target{"/p", "q", true};
  std::string out;
  ASSERT_TRUE(encode_request(out, head, target, "example.org"));
  EXPECT_EQ(out, "POST /p?q HTTP/1.1\r\nHost: example.org\r\nA: b\r\nContent-Length: 0\r\n\r\n");
  RequestParser parser(HeadLimits{});
  ASSERT_EQ(parser.parse(out), HeadState::complete);
  EXPECT_EQ(parser.take().host, "example.org");
}

TEST(EncodeRequest, RefusesATargetOrHostThatWouldBreakTheLine) {
  std::string out;
  EXPECT_FALSE(encode_request(out, {}, {"/a b", "", false}, "a"));
  EXPECT_FALSE(encode_request(out, {}, {"/", "x\r\nA: b", true}, "a"));
  EXPECT_FALSE(encode_request(out, {}, {}, "a\r\nB: c"));
  EXPECT_FALSE(encode_request(out, {}, {}, ""));
  RequestHead head;
  head.method = "GET /x";
  EXPECT_FALSE(encode_request(out, head, {}, "a"));
}

TEST(HttpDate, IsTheFixedForm) {
  EXPECT_EQ(format_http_date(from_unix_ms(784111777000)), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(format_http_date(from_unix_ms(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
}

}  // namespace
}  // namespace kith::http
