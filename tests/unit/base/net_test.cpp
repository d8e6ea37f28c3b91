#include "base/net.h"

#include <gtest/gtest.h>

namespace kith {
namespace {

TEST(Multiaddr, PrintsInOneForm) {
  const std::pair<const char*, const char*> kSame[] = {
      {"/ip4/10.0.0.1/tcp/9450", "/ip4/10.0.0.1/tcp/9450"},
      {"/ip4/10.0.0.1/tcp/9450/", "/ip4/10.0.0.1/tcp/9450"},
      {"/ip6/2001:DB8:0::1/tcp/1", "/ip6/2001:db8::1/tcp/1"},
      {"/dns/Node-1.Example.org/tcp/65535", "/dns/node-1.example.org/tcp/65535"},
      {"/dns4/a/tcp/0", "/dns4/a/tcp/0"}};
  for (auto [in, out] : kSame) {
    auto parsed = Multiaddr::parse(in);
    ASSERT_TRUE(parsed) << in;
    EXPECT_EQ(parsed->text(), out);
  }
}

TEST(Multiaddr, RefusesWhatTheReferenceParserRefuses) {
  for (const char* text :
       {"", "/", "ip4/10.0.0.1/tcp/1", "/ip4/300.1.1.1/tcp/1", "/ip4/10.0.0.1/tcp/65536",
        "/ip4/10.0.0.1/tcp/09450", "/ip4/10.0.0.1", "/ip4/10.0.0.1/udp/1", "/ip6/10.0.0.1/tcp/1",
        "/ip4/::1/tcp/1", "/dns/-a/tcp/1", "/dns/a b/tcp/1", "/unix/%2ftmp", "/ip4/10.0.0.1/tcp/1/tls",
        "/ip4//tcp/1", "/ip6/fe80::1%25eth0/tcp/1"})
    EXPECT_FALSE(Multiaddr::parse(text)) << text;
}

TEST(IpAddress, KnowsItsKind) {
  EXPECT_TRUE(IpAddress::parse("127.8.9.1")->is_loopback());
  EXPECT_TRUE(IpAddress::parse("::1")->is_loopback());
  EXPECT_FALSE(IpAddress::parse("128.0.0.1")->is_loopback());
  EXPECT_TRUE(IpAddress::parse("0.0.0.0")->is_unspecified());
  EXPECT_TRUE(IpAddress::parse("::")->is_unspecified());
  EXPECT_EQ(IpAddress::parse("::ffff:1.2.3.4")->text(), "1.2.3.4");
  EXPECT_FALSE(IpAddress::parse("1.2.3"));
}

}  // namespace
}  // namespace kith
