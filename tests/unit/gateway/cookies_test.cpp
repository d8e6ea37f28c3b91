#include <gtest/gtest.h>

#include "fakes.h"
#include "gateway/cookies.h"
#include "gateway/position_token.h"
#include "gateway/return_target.h"
#include "gateway/sealer.h"
#include "gateway/session_body.h"
#include "gateway/transaction.h"

namespace kith::gateway::testing {
namespace {

std::vector<crypto::Secret> keys_of(std::initializer_list<std::string_view> texts) {
  std::vector<crypto::Secret> keys;
  for (std::string_view text : texts) keys.emplace_back(text);
  return keys;
}

std::shared_ptr<const cluster::CookieKeys> source_of(std::initializer_list<std::string_view> texts) {
  return std::make_shared<const cluster::CookieKeys>(keys_of(texts));
}

SessionCookie some_cookie() {
  SessionCookie cookie;
  FakeEntropy entropy;
  entropy.fill(cookie.id.bytes);
  entropy.fill(cookie.position.origin.bytes);
  cookie.position.incarnation = 1'700'000'000'123;
  cookie.position.seq = 77;
  return cookie;
}

TEST(SessionCookie, ComesBackAsItWas) {
  SessionCookie cookie = some_cookie();
  std::string text = encode_session_cookie(cookie, keys_of({"k1"}));
  EXPECT_LT(text.size(), 120u);
  auto read = decode_session_cookie(text, keys_of({"k2", "k1"}));
  ASSERT_TRUE(read) << "all keys verify";
  EXPECT_EQ(read->id, cookie.id);
  EXPECT_EQ(read->position, cookie.position);
  EXPECT_TRUE(read->old_key) << "not the first one's";
  EXPECT_FALSE(decode_session_cookie(text, keys_of({"k1", "k2"}))->old_key);
  EXPECT_FALSE(decode_session_cookie(text, keys_of({"k2"})));
}

TEST(SessionCookie, WithAnyByteChangedIsNoCookie) {
  auto keys = keys_of({"k1"});
  std::string text = encode_session_cookie(some_cookie(), keys);
  for (size_t i = 0; i < text.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = text;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      EXPECT_FALSE(decode_session_cookie(changed, keys)) << i;
    }
    EXPECT_FALSE(decode_session_cookie(text.substr(0, i), keys));
  }
  EXPECT_FALSE(decode_session_cookie(text + "A", keys));
}

TEST(SessionCookie, DoesNotMixTheIdOfOneWithThePositionOfAnother) {
  auto keys = keys_of({"k1"});
  SessionCookie one = some_cookie(), two = some_cookie();
  two.id.bytes[0] ^= 1;
  two.position.seq = 1;
  std::string a = encode_session_cookie(one, keys), b = encode_session_cookie(two, keys);
  size_t dot = a.rfind('.');
  EXPECT_FALSE(decode_session_cookie(a.substr(0, dot) + b.substr(dot), keys));
}

TEST(SessionCookie, GivesTheStoreAHashAlone) {
  SessionCookie cookie = some_cookie();
  EXPECT_NE(session_key(cookie.id).hex(), cookie.id.hex());
}

// What ASVS 3.3 and RFC 6265bis ask of a Set-Cookie value.
void lint(const std::string& cookie, bool secure) {
  EXPECT_NE(cookie.find("; Path=/"), std::string::npos) << cookie;
  EXPECT_NE(cookie.find("; SameSite="), std::string::npos) << cookie;
  EXPECT_NE(cookie.find("; HttpOnly"), std::string::npos) << cookie;
  EXPECT_EQ(cookie.find("; Secure") != std::string::npos, secure) << cookie;
  EXPECT_LT(cookie.size(), 4096u);
  bool is_host = cookie.starts_with("__Host-");
  if (is_host) {
    EXPECT_TRUE(secure);
    EXPECT_EQ(cookie.find("; Domain="), std::string::npos) << cookie;
  }
}

TEST(Cookies, CarryTheAttributesOfTheConfiguration) {
  CookieJar plain{CookieConfig{}};
  EXPECT_EQ(plain.set_session("v"), "__Host-kith_session=v; Path=/; Secure; HttpOnly; SameSite=Lax");
  EXPECT_EQ(plain.expire_session(),
            "__Host-kith_session=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax");
  CookieConfig config;
  config.domain = ".example.test";
  config.same_site = CookieConfig::SameSite::none;
  CookieJar domain(config);
  EXPECT_EQ(domain.set_session("v"),
            "kith_session=v; Path=/; Domain=.example.test; Secure; HttpOnly; SameSite=None");
  config = {};
  config.name = "maverics_session";
  config.disable_secure = true;
  config.disable_http_only = true;
  EXPECT_EQ(CookieJar(config).set_session("v"), "maverics_session=v; Path=/; SameSite=Lax");
  for (const CookieJar& jar : {plain, domain}) {
    lint(jar.set_session("v"), true);
    lint(jar.expire_session(), true);
    lint(jar.set_short(jar.transaction_prefix() + "x", "v", 10min), true);
    lint(jar.expire_short(jar.logout_name()), true);
  }
}

TEST(Cookies, OfOursAreKnownByName) {
  CookieJar jar{CookieConfig{}};
  EXPECT_TRUE(jar.is_ours("__Host-kith_session"));
  EXPECT_TRUE(jar.is_ours("__Host-kith_txn_abcdefgh"));
  EXPECT_TRUE(jar.is_ours(jar.logout_name()));
  EXPECT_FALSE(jar.is_ours("__Host-kith_sessions"));
  EXPECT_FALSE(jar.is_ours("kith_session"));
  EXPECT_FALSE(jar.is_ours("kith_txn_abcdefgh"));
}

TEST(Cookies, ThatLiveShortlyAreOfThisHostWhateverTheSessionsIsCalled) {
  CookieConfig config;
  config.name = "sid";
  config.domain = ".example.test";
  CookieJar jar(config);
  EXPECT_EQ(jar.transaction_prefix(), "__Host-kith_txn_");
  EXPECT_EQ(jar.logout_name(), "__Host-kith_logout");
  for (std::string_view name : {"sid", "__Host-kith_txn_abcdefgh", "__Host-kith_logout"})
    EXPECT_TRUE(jar.is_ours(name)) << name;
  EXPECT_FALSE(jar.is_ours("sid_txn_abcdefgh"));
  config.disable_secure = true;
  EXPECT_EQ(CookieJar(config).transaction_prefix(), "kith_txn_") << "the prefix needs Secure";
}

TEST(Sealer, OpensItsOwnAndNothingElse) {
  FakeEntropy entropy;
  Sealer sealer(source_of({"k1"}), "purpose", entropy);
  std::string text = sealer.seal(as_bytes("hello"), "name");
  EXPECT_EQ(sealer.open(text, "name"), to_bytes("hello"));
  EXPECT_FALSE(sealer.open(text, "other name"));
  EXPECT_FALSE(Sealer(source_of({"k1"}), "another purpose", entropy).open(text, "name"));
  EXPECT_FALSE(Sealer(source_of({"k2"}), "purpose", entropy).open(text, "name"));
  EXPECT_TRUE(Sealer(source_of({"k2", "k1"}), "purpose", entropy).open(text, "name"));
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(sealer.open(changed, "name"));
  }
}

TEST(ReturnTarget, IsALocalPathOrTheRoot) {
  for (std::string_view good :
       {"/", "/a/b", "/a?b=c", "/a?u=https://x.test/", "/%C3%A4", "/a%20b", "/a?x=//y"}) {
    EXPECT_EQ(safe_return_target(good), good);
  }
  std::string long_one = "/" + std::string(kMaxReturnTarget, 'a');
  for (std::string_view bad : std::initializer_list<std::string_view>{"",
                                                                      "a",
                                                                      "//evil.test",
                                                                      "///evil.test",
                                                                      "/\\evil.test",
                                                                      "\\\\evil.test",
                                                                      "/%2fevil.test",
                                                                      "/%2Fevil.test",
                                                                      "/%5cevil.test",
                                                                      "/%5C%5Cevil.test",
                                                                      "https://evil.test",
                                                                      "https:evil.test",
                                                                      "javascript:alert(1)",
                                                                      "/a\r\nLocation: https://evil.test",
                                                                      "/a%0d%0aSet-Cookie:x",
                                                                      "/a\tb",
                                                                      "/ /evil.test",
                                                                      "/\t/evil.test",
                                                                      "/a//evil.test",
                                                                      "/..//evil.test",
                                                                      "/../evil",
                                                                      "/.%2e/evil",
                                                                      "/%2e%2e/evil",
                                                                      "/a#b",
                                                                      "/a<b",
                                                                      "/a\"b",
                                                                      "/\xc3\xa4",
                                                                      "@evil.test",
                                                                      "/a%00b",
                                                                      "evil.test/",
                                                                      " /a",
                                                                      long_one}) {
    EXPECT_EQ(safe_return_target(bad), "/") << bad;
  }
}

TEST(SessionBody, ComesBackAsItWas) {
  std::vector<identity::Identity> identities = {person("corp", "alice"), person("other", "a-1")};
  identities[0].id_token = "x.y.z";
  identities[0].authenticated = from_unix_ms(1'700'000'000'000);
  auto body = encode_session_body(identities);
  ASSERT_TRUE(body);
  auto read = decode_session_body(*body);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[0].connector, "corp");
  EXPECT_EQ((*read)[0].id_token, "x.y.z");
  EXPECT_EQ((*read)[0].authenticated, identities[0].authenticated);
  EXPECT_EQ((*read)[1].claims["groups"].values, (std::vector<std::string>{"hr", "staff"}));
  EXPECT_TRUE((*read)[1].claims["groups"].list);
}

TEST(SessionBody, CutOrWithMoreBehindOrTooLargeIsRefused) {
  auto body = encode_session_body({person("corp", "alice")});
  ASSERT_TRUE(body);
  for (size_t i = 0; i < body->size(); ++i) EXPECT_FALSE(decode_session_body(ByteView(*body).first(i)));
  Bytes longer = *body;
  longer.push_back(0);
  EXPECT_FALSE(decode_session_body(longer));
  Bytes other_version = *body;
  other_version[0] = 2;
  EXPECT_FALSE(decode_session_body(other_version));
  identity::Identity large = person("corp", "alice");
  large.claims["big"] = {.values = {std::string(kMaxSessionBody, 'x')}, .list = false};
  EXPECT_EQ(encode_session_body({large}).error().code(), Code::limit);
  EXPECT_FALSE(encode_session_body(std::vector<identity::Identity>(kMaxIdentities + 1)));
}

class Logins : public ::testing::Test {
 protected:
  CookieJar jar{CookieConfig{}};
  FakeEntropy entropy;
  std::shared_ptr<const cluster::CookieKeys> keys = source_of({"k1"});
  Transactions transactions{jar, keys, entropy};
  WallTime now = from_unix_ms(1'700'000'000'000);

  Transaction make(WallTime created) {
    return {.connector = "corp",
            .state = transactions.new_state(),
            .return_target = "/x",
            .remembered = {{"nonce", "n"}},
            .created = created};
  }
  static std::string pair(const std::string& set_cookie) {
    return set_cookie.substr(0, set_cookie.find(';'));
  }
};

TEST_F(Logins, AreFoundByStateInTheBrowserThatBeganThem) {
  Transaction one = make(now);
  http::Headers none;
  auto cookies = transactions.begin(none, one);
  ASSERT_TRUE(cookies);
  http::Headers browser;
  browser.add("Cookie", pair(cookies->front()));
  auto found = transactions.find(browser, one.state, now + 1min);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->connector, "corp");
  EXPECT_EQ(found->return_target, "/x");
  EXPECT_EQ(found->remembered.at("nonce"), "n");
  EXPECT_FALSE(transactions.find(none, one.state, now)) << "another browser";
  EXPECT_FALSE(transactions.find(browser, one.state, now + 11min)) << "too old";
  EXPECT_FALSE(transactions.find(browser, transactions.new_state(), now));
  EXPECT_FALSE(transactions.find(browser, one.state.substr(0, 8) + transactions.new_state().substr(8), now))
      << "the whole state counts";
  EXPECT_FALSE(transactions.find(browser, "", now));
}

TEST_F(Logins, AreAtMostEightPerBrowserTheOldestGivesWay) {
  http::Headers browser;
  std::string all;
  std::string oldest;
  for (int i = 0; i < 8; ++i) {
    auto cookies = transactions.begin(http::Headers(), make(now + i * 1s));
    ASSERT_TRUE(cookies);
    if (i == 0) oldest = cookies->front().substr(0, cookies->front().find('='));
    all += (all.empty() ? "" : "; ") + pair(cookies->front());
  }
  browser.add("Cookie", all + "; " + jar.transaction_prefix() + "garbage=1");
  auto cookies = transactions.begin(browser, make(now + 9s));
  ASSERT_TRUE(cookies);
  ASSERT_EQ(cookies->size(), 3u) << "the new one, the garbage, the oldest";
  EXPECT_TRUE((*cookies)[2].starts_with(oldest + "=; Max-Age=0"));
}

}  // namespace
}  // namespace kith::gateway::testing
