#include "gateway/headers.h"

#include <gtest/gtest.h>

#include "fakes.h"

namespace kith::gateway::testing {
namespace {

class Forwarding : public ::testing::Test {
 protected:
  http::RequestHead request;
  CookieJar jar{CookieConfig{}};
  ClientFacts client{.peer_trusted = false,
                     .address = IpAddress::v4(192, 0, 2, 7),
                     .forwarded_for = "192.0.2.7",
                     .scheme = "https",
                     .authority = "app.test",
                     .port = "443"};
  http::NameSet injected{"x-user", "x-groups", "remote-user"};

  http::Headers send(std::string_view forwarded_by = "") {
    UpstreamFacts facts{
        .client = client, .request_id = "id-1", .node_name = "a", .forwarded_by = forwarded_by};
    return upstream_headers(request, injected, jar, facts);
  }
};

TEST_F(Forwarding, SetsWhatWeKnowAndNothingTheClientSaidAboutIt) {
  for (std::string_view name : {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Forwarded",
                                "X-Real-IP", "X-Request-Id", "X-Kith-Node", "X-Kith-Forwarded-By",
                                "X-Kith-Whatever", "Host", "X-Original-URL", "Proxy"}) {
    request.headers.add(std::string(name), "spoofed");
  }
  request.headers.add("Accept", "text/html");
  http::Headers sent = send("b");
  for (const http::Header& header : sent)
    EXPECT_EQ(header.value.find("spoofed"), std::string::npos) << header.name;
  EXPECT_EQ(sent.get("X-Forwarded-For"), "192.0.2.7");
  EXPECT_EQ(sent.get("X-Forwarded-Proto"), "https");
  EXPECT_EQ(sent.get("X-Forwarded-Host"), "app.test");
  EXPECT_EQ(sent.get("X-Forwarded-Port"), "443");
  EXPECT_EQ(sent.get("X-Request-Id"), "id-1");
  EXPECT_EQ(sent.get("X-Kith-Node"), "a");
  EXPECT_EQ(sent.get("X-Kith-Forwarded-By"), "b");
  EXPECT_EQ(sent.get("Accept"), "text/html");
  EXPECT_EQ(sent.get("Via"), "1.1 kith");
}

// A property over random spellings, not a list: case, any separator a server may fold, duplicates.
TEST_F(Forwarding, NoSpellingOfAnInjectedNameGetsThrough) {
  std::vector<std::string> protected_names;
  for (std::string_view name : {"x-user", "x-groups", "remote-user", "x-kith-node", "x-forwarded-for",
                                "x-request-id", "forwarded", "x-real-ip"}) {
    protected_names.emplace_back(name);
  }
  FakeEntropy entropy;
  std::array<uint8_t, 32> random;
  for (int round = 0; round < 2000; ++round) {
    entropy.fill(random);
    std::string name = protected_names[random[0] % protected_names.size()];
    for (size_t i = 0; i < name.size(); ++i) {
      uint8_t dice = random[1 + i % 31];
      if (name[i] == '-') {
        name[i] = "-_.~!"[dice % 5];
      } else if (dice & 1) {
        name[i] = static_cast<char>(std::toupper(name[i]));
      }
    }
    request.headers = http::Headers();
    for (int copies = 0; copies <= random[31] % 3; ++copies) request.headers.add(name, "spoofed");
    for (const http::Header& header : send()) ASSERT_NE(header.value, "spoofed") << name;
  }
}

TEST_F(Forwarding, DropsTheHeadersOfTheConnection) {
  for (std::string_view name : {"Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding",
                                "Upgrade", "Expect", "Content-Length", "Proxy-Authorization", "X-Mine"}) {
    request.headers.add(std::string(name), "1");
  }
  request.headers.add("Connection", "keep-alive, X-Mine");
  http::Headers sent = send();
  EXPECT_EQ(sent.size(), 7u) << "ours alone";
}

TEST_F(Forwarding, KeepsOurCookiesFromTheUpstream) {
  request.headers.add("Cookie", "a=1; __Host-kith_session=secret; b=2; __Host-kith_txn_12345678=secret");
  EXPECT_EQ(send().get("Cookie"), "a=1; b=2");
  request.headers = http::Headers();
  request.headers.add("Cookie", "__Host-kith_session=secret");
  EXPECT_EQ(send().count("Cookie"), 0u);
}

TEST_F(Forwarding, KeepsOurCookiesFromTheUpstreamHoweverManyStandBeforeThem) {
  std::string cookies;
  for (int i = 0; i < 300; ++i) cookies += "c" + std::to_string(i) + "=1; ";
  request.headers.add("Cookie", cookies + "__Host-kith_session=secret");
  EXPECT_EQ(send().get("Cookie"), cookies.substr(0, cookies.size() - 2));
}

TEST_F(Forwarding, InjectsClaimsAsCleanText) {
  std::vector<identity::Identity> identities = {person("corp", "alice")};
  identities[0].claims["sparse"] = {.values = {"", "a", "", "b"}, .list = true};
  identities[0].claims["evil"] = {.values = {"a\r\nX-Admin: 1\x7f"}, .list = false};
  Claims claims(identities);
  http::Headers headers;
  Template mixed{.parts = {{false, "user="}, {true, "corp.sub"}, {false, "!"}}};
  inject_headers(headers,
                 {{"X-Email", claim("corp.email")},
                  {"X-Groups", claim("corp.groups")},
                  {"X-Missing", claim("corp.nothing")},
                  {"X-Evil", claim("corp.evil")},
                  {"X-Sparse", claim("corp.sparse")},
                  {"X-Static", literal("fixed")},
                  {"X-Mixed", mixed}},
                 claims);
  EXPECT_EQ(headers.get("X-Email"), "alice@example.test");
  EXPECT_EQ(headers.get("X-Groups"), "hr,staff");
  EXPECT_EQ(headers.get("X-Sparse"), "a,,b");
  EXPECT_EQ(headers.count("X-Missing"), 0u);
  EXPECT_EQ(headers.get("X-Evil"), "aX-Admin: 1");
  EXPECT_EQ(headers.get("X-Static"), "fixed");
  EXPECT_EQ(headers.get("X-Mixed"), "user=alice!");
}

TEST_F(Forwarding, KeepsTheUpstreamFromSettingWhatIsOurs) {
  http::Headers upstream;
  upstream.add("Set-Cookie", "app=1; Path=/");
  upstream.add("Set-Cookie", " __Host-kith_session=fixed; Path=/");
  upstream.add("Set-Cookie", "__Host-kith_txn_12345678=x");
  // Browsers send a nameless cookie as its value alone, which then reads as a cookie of that name.
  upstream.add("Set-Cookie", "=__Host-kith_session=fixed; Path=/");
  upstream.add("Set-Cookie", " = __Host-kith_session=fixed");
  upstream.add("X-Kith-Node", "liar");
  upstream.add("Connection", "close, X-Hop");
  upstream.add("X-Hop", "1");
  upstream.add("Via", "1.1 inner");
  http::Headers sent = client_headers(upstream, jar);
  ASSERT_EQ(sent.count("Set-Cookie"), 1u);
  EXPECT_EQ(sent.get("Set-Cookie"), "app=1; Path=/");
  EXPECT_EQ(sent.count("X-Kith-Node") + sent.count("X-Hop") + sent.count("Connection"), 0u);
  EXPECT_EQ(sent.get("Via"), "1.1 inner, 1.1 kith");
}

TEST(HeaderNames, ThatFrameMessagesOrAreOursCannotBeInjected) {
  for (std::string_view name : {"X-User", "Remote_User", "Authorization"})
    EXPECT_TRUE(is_injectable(name)) << name;
  for (std::string_view name : {"", "Host", "Cookie", "Content-Length", "Transfer_Encoding", "connection",
                                "X-Kith-Node", "x_forwarded_for", "X User", "X\r\nY", "X:Y"}) {
    EXPECT_FALSE(is_injectable(name)) << name;
  }
}

}  // namespace
}  // namespace kith::gateway::testing
