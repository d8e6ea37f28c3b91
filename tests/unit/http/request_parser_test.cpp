// RFC 9112 as tables: what is accepted, and each way of smuggling that is refused.
#include <gtest/gtest.h>

#include "http/codec.h"

namespace kith::http {
namespace {

struct Outcome {
  HeadState state;
  size_t size = 0;
  RequestHead head;
  Refusal refusal;
};

Outcome parse(std::string_view text, HeadLimits limits = {}) {
  RequestParser parser(limits);
  Outcome out;
  out.state = parser.parse(text);
  out.refusal = parser.refusal();
  if (out.state == HeadState::complete) {
    out.size = parser.size();
    out.head = parser.take();
  }
  return out;
}

Outcome parse_ok(std::string_view text) {
  Outcome out = parse(text);
  EXPECT_EQ(out.state, HeadState::complete) << text << out.refusal.why;
  return out;
}

TEST(RequestParser, ReadsAHeadIntoItsParts) {
  std::string text =
      "POST /a%2db/c?x=1&y HTTP/1.1\r\nHost: Example.ORG:8443\r\nX-One:  two words \t\r\nx_three:\r\n"
      "Content-Length: 12\r\n\r\nbody";
  Outcome out = parse_ok(text);
  EXPECT_EQ(out.size, text.size() - 4);
  EXPECT_EQ(out.head.method, "POST");
  EXPECT_EQ(out.head.target.path, "/a-b/c");
  EXPECT_EQ(out.head.target.query, "x=1&y");
  EXPECT_EQ(out.head.host, "example.org:8443");
  EXPECT_EQ(out.head.minor_version, 1);
  EXPECT_TRUE(out.head.keep_alive);
  EXPECT_EQ(out.head.content_length, 12u);
  EXPECT_FALSE(out.head.chunked);
  EXPECT_EQ(out.head.headers.get("X-ONE"), "two words");
  EXPECT_EQ(out.head.headers.get("x_three"), "");
  EXPECT_EQ(out.head.headers.count("content-length"), 0u);
  EXPECT_EQ(out.head.headers.get("host"), "Example.ORG:8443");
}

TEST(RequestParser, GivesTheSameResultForEverySplitOfTheBytes) {
  std::string text = "\r\nGET /x HTTP/1.1\r\nHost: a\r\nA: 1\r\n\r\n";
  for (size_t split = 0; split < text.size(); ++split) {
    RequestParser parser(HeadLimits{});
    EXPECT_EQ(parser.parse(std::string_view(text).substr(0, split)), HeadState::incomplete) << split;
    EXPECT_EQ(parser.parse(text + "GET"), HeadState::complete);
    EXPECT_EQ(parser.size(), text.size());
  }
  RequestParser parser(HeadLimits{});
  for (size_t n = 1; n < text.size(); ++n)
    EXPECT_EQ(parser.parse(std::string_view(text).substr(0, n)), HeadState::incomplete);
  EXPECT_EQ(parser.parse(text), HeadState::complete);
  EXPECT_EQ(parser.take().headers.get("a"), "1");
}

TEST(RequestParser, KeepAliveFollowsVersionAndConnection) {
  EXPECT_FALSE(parse_ok("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n").head.keep_alive);
  EXPECT_FALSE(parse_ok("GET / HTTP/1.0\r\n\r\n").head.keep_alive);
  EXPECT_TRUE(parse_ok("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").head.keep_alive);
}

TEST(RequestParser, SeesUpgradesAndExpectations) {
  std::string ws = "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n";
  EXPECT_EQ(parse_ok(ws + "\r\n").head.upgrade, "websocket");
  EXPECT_EQ(parse_ok(ws + "Content-Length: 1\r\n\r\n").head.upgrade, "");
  EXPECT_EQ(parse_ok("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n").head.upgrade, "");
  EXPECT_EQ(parse_ok("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").head.upgrade, "");
  EXPECT_EQ(parse_ok("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c, websocket\r\n\r\n")
                .head.upgrade,
            "");
  EXPECT_TRUE(parse_ok("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n")
                  .head.expects_continue);
  EXPECT_FALSE(parse_ok("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n").head.expects_continue);
}

TEST(RequestParser, TakesAbsoluteFormWhenItAgreesWithHost) {
  Outcome out = parse_ok("GET http://Example.org:81?q HTTP/1.1\r\nHost: example.ORG:81\r\n\r\n");
  EXPECT_EQ(out.head.target.text(), "/?q");
  EXPECT_EQ(out.head.host, "example.org:81");
  EXPECT_EQ(parse_ok("GET https://[2001:DB8::1]/p HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n").head.host,
            "[2001:db8::1]");
  EXPECT_EQ(parse_ok("GET http://a/ HTTP/1.0\r\n\r\n").head.host, "a");
}

TEST(RequestParser, TakesANameWithADotBehindItForTheSameName) {
  EXPECT_EQ(parse_ok("GET / HTTP/1.1\r\nHost: App.test.\r\n\r\n").head.host, "app.test");
  EXPECT_EQ(parse_ok("GET / HTTP/1.1\r\nHost: app.test.:8443\r\n\r\n").head.host, "app.test:8443");
  EXPECT_EQ(parse_ok("GET http://app.test./ HTTP/1.1\r\nHost: app.test\r\n\r\n").head.host, "app.test");
}

struct Refused {
  const char* what;
  std::string_view text;
  int status = 400;
};

// NUL needs its own literal: string_view's constructor from char* would stop there.
using namespace std::string_view_literals;
#define REQ "GET / HTTP/1.1\r\nHost: a\r\n"
const Refused kRefused[] = {
    // Framing.
    {"both framings",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {"both framings, other order",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"},
    {"same length twice", REQ "Content-Length: 4\r\nContent-Length: 4\r\n\r\n"},
    {"differing lengths", REQ "Content-Length: 4\r\nContent-length: 5\r\n\r\n"},
    {"length list", REQ "Content-Length: 4, 4\r\n\r\n"},
    {"signed length", REQ "Content-Length: +5\r\n\r\n"},
    {"negative length", REQ "Content-Length: -5\r\n\r\n"},
    {"hexadecimal length", REQ "Content-Length: 0x5\r\n\r\n"},
    {"empty length", REQ "Content-Length:\r\n\r\n"},
    {"length with a blank inside", REQ "Content-Length: 5 5\r\n\r\n"},
    {"length with a leading zero", REQ "Content-Length: 010\r\n\r\n"},
    {"too large length", REQ "Content-Length: 99999999999999999999\r\n\r\n"},
    {"length above 63 bits", REQ "Content-Length: 9223372036854775808\r\n\r\n"},
    {"fullwidth digits", REQ "Content-Length: \xef\xbc\x95\r\n\r\n"},
    {"leading blank before Content-Length", REQ " Content-Length: 5\r\n\r\n"},
    {"unknown coding", REQ "Transfer-Encoding: xchunked\r\n\r\n"},
    {"two codings", REQ "Transfer-Encoding: chunked, identity\r\n\r\n"},
    {"gzip, chunked", REQ "Transfer-Encoding: gzip, chunked\r\n\r\n"},
    {"chunked twice", REQ "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {"chunked and identity", REQ "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"},
    {"empty coding", REQ "Transfer-Encoding:\r\n\r\n"},
    {"quoted coding", REQ "Transfer-Encoding: \"chunked\"\r\n\r\n"},
    {"coding with a parameter", REQ "Transfer-Encoding: chunked;q=1\r\n\r\n"},
    {"coding with vertical tab", REQ "Transfer-Encoding: \x0b"
                                     "chunked\r\n\r\n"},
    {"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
    // Line ends and blanks.
    {"bare LF after a header", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"},
    {"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n"},
    {"bare LF as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n"},
    {"bare CR in a value", REQ "X: a\rContent-Length: 5\r\n\r\n"},
    {"bare CR before CRLF", REQ "X: a\r\r\n\r\n"},
    {"bare CR in the request line", "GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"folded line", REQ "X: a\r\n b\r\n\r\n"},
    {"folded line with a tab", REQ "X: a\r\n\tb\r\n\r\n"},
    {"blank before the first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
    {"blank before the colon", REQ "X : a\r\n\r\n"},
    {"blank before the colon of a length", REQ "Content-Length : 5\r\n\r\n"},
    {"tab before the colon", REQ "X\t: a\r\n\r\n"},
    {"blank within a name", REQ "X y: a\r\n\r\n"},
    {"empty name", REQ ": a\r\n\r\n"},
    {"no colon", REQ "X\r\n\r\n"},
    {"NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"sv},
    {"NUL in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n"sv},
    {"control in a value", REQ "X: a\x01\r\n\r\n"},
    {"DEL in a value", REQ "X: a\x7f\r\n\r\n"},
    {"bracket in a name", REQ "X[]: a\r\n\r\n"},
    {"high byte in a name", REQ "X\xc3\xa9: a\r\n\r\n"},
    // Host.
    {"no Host in 1.1", "GET / HTTP/1.1\r\nX: a\r\n\r\n"},
    {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
    {"two Hosts in 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
    {"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
    {"Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
    {"Host of a dot", "GET / HTTP/1.1\r\nHost: .\r\n\r\n"},
    {"Host with two dots behind", "GET / HTTP/1.1\r\nHost: a..\r\n\r\n"},
    {"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
    {"Host with user info", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
    {"Host with a percent", "GET / HTTP/1.1\r\nHost: a%2f\r\n\r\n"},
    {"Host with an empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n"},
    {"Host with a bad port", "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n"},
    {"Host with two ports", "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n"},
    {"Host with a bad literal", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
    {"absolute-form against Host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"absolute-form without Host", "GET http://a/ HTTP/1.1\r\n\r\n"},
    // Request line.
    {"authority-form", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"},
    {"asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"other scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"user info in the target", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"relative target", "GET x HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"empty target", "GET  HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"two blanks", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"tab for a blank", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"trailing blank", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
    {"leading blank", " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"method not a token", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"long method", "GETGETGETGETGETGETGETGETGETGETGETX / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"NUL in the target", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"sv},
    {"fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"raw high byte in the target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"},
    // Versions.
    {"HTTP/0.9", "GET /\r\n"},
    {"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n"},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
    {"HTTP/3.0", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505},
    {"HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n"},
    {"HTTP/1", "GET / HTTP/1\r\nHost: a\r\n\r\n"},
    // Other protocols.
    {"TLS hello", "\x16\x03\x01\x02"},
    {"unknown expectation", REQ "Expect: a-pony\r\n\r\n", 417},
    {"two expectations", REQ "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n"},
};
#undef REQ

TEST(RequestParser, RefusesWhateverCouldBeReadInTwoWays) {
  for (const Refused& one : kRefused) {
    Outcome whole = parse(one.text);
    EXPECT_EQ(whole.state, HeadState::refused) << one.what;
    EXPECT_EQ(whole.refusal.status, one.status) << one.what << ": " << whole.refusal.why;
    EXPECT_FALSE(whole.refusal.why.empty()) << one.what;

    // And byte by byte, ending in the same way.
    RequestParser parser(HeadLimits{});
    HeadState state = HeadState::incomplete;
    for (size_t n = 1; n <= one.text.size() && state == HeadState::incomplete; ++n)
      state = parser.parse(one.text.substr(0, n));
    EXPECT_EQ(state, HeadState::refused) << one.what;
    EXPECT_EQ(parser.refusal().status, one.status) << one.what;
  }
}

TEST(RequestParser, RefusesWhatIsTooLongBeforeItIsComplete) {
  HeadLimits limits{.max_head_bytes = 1024, .max_headers = 5, .max_target_bytes = 200};
  std::string start = "GET / HTTP/1.1\r\nHost: a\r\n";
  Outcome long_target = parse("GET /" + std::string(250, 'a'), limits);
  EXPECT_EQ(long_target.refusal.status, 414);
  EXPECT_EQ(parse("GET /" + std::string(200, 'a') + " HTTP/1.1\r\n", limits).refusal.status, 414);
  EXPECT_EQ(parse("GET /" + std::string(199, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", limits).state,
            HeadState::complete);
  EXPECT_EQ(parse(start + "X: " + std::string(1024, 'a'), limits).refusal.status, 431);
  EXPECT_EQ(parse(start + "X: " + std::string(1024, 'a') + "\r\n\r\n", limits).refusal.status, 431);
  std::string five = start + "A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\n";
  EXPECT_EQ(parse(five + "\r\n", limits).state, HeadState::complete);
  EXPECT_EQ(parse(five + "E: 1\r\n\r\n", limits).refusal.status, 431);
  EXPECT_EQ(parse(five + "E: 1\r\nF: 1\r\n", limits).refusal.status, 431);

  std::string exact = start + "X: ";
  exact += std::string(1024 - exact.size() - 4, 'a') + "\r\n\r\n";
  EXPECT_EQ(parse(exact, limits).state, HeadState::complete);
  EXPECT_EQ(parse(exact + "more", limits).state, HeadState::complete);
}

}  // namespace
}  // namespace kith::http
