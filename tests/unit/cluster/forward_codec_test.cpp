#include "cluster/forward_codec.h"

#include <gtest/gtest.h>

#include <random>

namespace kith::cluster {
namespace {

ForwardedRequest sample() {
  ForwardedRequest out;
  out.origin.peer = {IpAddress::v4(192, 0, 2, 1), 1234};
  out.origin.local = {*IpAddress::parse("2001:db8::1"), 443};
  out.origin.tls = true;
  out.origin.tls_subject = "CN=client";
  out.head.method = "POST";
  out.head.target.path = "/a/b";
  out.head.target.query = "x=1";
  out.head.target.has_query = true;
  out.head.host = "app.example.test";
  out.head.content_length = 42;
  out.head.headers.add("Accept", "text/html");
  out.head.headers.add("Cookie", "a=b; c=d");
  return out;
}

TEST(ForwardCodec, ARequestArrivesAsItWasSent) {
  ForwardedRequest sent = sample();
  Bytes bytes;
  encode_request(bytes, sent.origin, sent.head);
  auto got = decode_request(bytes);
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(got->origin.peer, sent.origin.peer);
  EXPECT_EQ(got->origin.local, sent.origin.local);
  EXPECT_TRUE(got->origin.tls);
  EXPECT_EQ(got->origin.tls_subject, "CN=client");
  EXPECT_EQ(got->head.method, "POST");
  EXPECT_EQ(got->head.target.text(), "/a/b?x=1");
  EXPECT_EQ(got->head.host, "app.example.test");
  EXPECT_EQ(got->head.content_length, 42u);
  EXPECT_FALSE(got->head.chunked);
  EXPECT_EQ(got->head.headers.get("cookie"), "a=b; c=d");
}

TEST(ForwardCodec, TheLargestHeadThatTheServerMayBeConfiguredToTakeCanBeForwarded) {
  ForwardedRequest sent = sample();
  sent.origin.tls_subject = std::string(1000, 's');
  sent.head.headers = {};
  for (size_t i = 0; i < http::kMaxHeaders; ++i)
    sent.head.headers.add("X-" + std::to_string(i), std::string(http::kMaxHeadBytes / http::kMaxHeaders, 'x'));
  Bytes bytes;
  encode_request(bytes, sent.origin, sent.head);
  EXPECT_LE(bytes.size(), kMaxForwardHead);
  auto got = decode_request(bytes);
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(got->head.headers.size(), http::kMaxHeaders);
}

TEST(ForwardCodec, AResponseArrivesAsItWasSent) {
  http::ResponseHead sent;
  sent.status = 302;
  sent.headers.add("Location", "/x");
  Bytes bytes;
  encode_response(bytes, sent);
  auto got = decode_response(bytes);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->status, 302);
  EXPECT_EQ(got->headers.get("location"), "/x");
  EXPECT_FALSE(got->content_length);
}

TEST(ForwardCodec, APeerCannotSmuggleWhatTheServerWouldHaveRefused) {
  auto refused = [](auto change) {
    ForwardedRequest request = sample();
    change(request);
    Bytes bytes;
    encode_request(bytes, request.origin, request.head);
    return !decode_request(bytes);
  };
  EXPECT_TRUE(refused([](auto& r) { r.head.method = "GET /x HTTP/1.1\r\nA:"; }));
  EXPECT_TRUE(refused([](auto& r) { r.head.headers.add("A", "b\r\nC: d"); }));
  EXPECT_TRUE(refused([](auto& r) { r.head.headers.add("A B", "c"); }));
  EXPECT_TRUE(refused([](auto& r) { r.head.target.path = "/../etc"; }));
  EXPECT_TRUE(refused([](auto& r) { r.head.host = std::string("a\0b", 3); }));
  EXPECT_TRUE(refused([](auto& r) { r.head.minor_version = 7; }));
}

TEST(ForwardCodec, CutOrChangedBytesAreRefusedOrReadAsSomethingValidNeverMore) {
  ForwardedRequest request = sample();
  Bytes whole;
  encode_request(whole, request.origin, request.head);
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(decode_request(ByteView(whole).first(size)));
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    Bytes changed = whole;
    changed[random() % changed.size()] ^= static_cast<uint8_t>(1 + random() % 255);
    auto got = decode_request(changed);
    if (!got) continue;
    for (const http::Header& header : got->head.headers)
      EXPECT_EQ(header.value.find_first_of(std::string_view("\r\n\0", 3)), std::string::npos);
  }
}

}  // namespace
}  // namespace kith::cluster
