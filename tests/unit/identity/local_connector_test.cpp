#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crypto/hash.h"
#include "crypto/password.h"
#include "fakes.h"
#include "identity/connectors.h"
#include "identity/pages.h"

namespace kith::identity {
namespace {

using testing::FakeClient;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Outcome;
using testing::World;

const std::string& hash_of_secret() {
  static const std::string hash =
      crypto::hash_password(crypto::Secret(std::string_view("s3cret")), Bytes(16, 7));
  return hash;
}

LocalConnectorConfig config() {
  LocalConnectorConfig config;
  config.name = "demo";
  config.enabled = true;
  config.users = {{"ann",
                   hash_of_secret(),
                   {{"email", {{"ann@example.org"}, false}},
                    {"groups", {{"hr", "it"}, true}},
                    {"sub", {{"forged"}, false}}}},
                  {"bob", hash_of_secret(), {}}};
  return config;
}

class LocalConnectorTest : public ::testing::Test {
 protected:
  LocalConnectorTest() { make({}); }
  void make(AttemptLimits limits) {
    attempts.emplace(limits);
    Result<std::unique_ptr<Connector>> made =
        make_connector(config(), world.ports, client, {}, *attempts, {});
    ASSERT_TRUE(made) << made.error().message();
    connector = std::move(*made);
  }
  Result<LoginResult> call(const std::string& method, std::map<std::string, std::string> params,
                           const std::string& state = "st") {
    Outcome<Result<LoginResult>> outcome;
    Callback callback{method, "/.kith/login", std::move(params), from};
    outcome.start(scope, connector->finish_login(callback, {{"state", state}}));
    world.loop.run_posted();
    EXPECT_TRUE(outcome.done());
    return std::move(outcome.value());
  }
  Result<LoginResult> log_in(const std::string& user, const std::string& password) {
    return call("POST", {{"state", "st"}, {"username", user}, {"password", password}});
  }
  Page page(const Result<LoginResult>& result) {
    EXPECT_TRUE(result) << result.error().message();
    return std::get<Page>(*result);
  }

  World world;
  FakeClient client{world.loop};
  std::optional<AttemptLimiter> attempts;
  runtime::Scope scope;
  std::unique_ptr<Connector> connector;
  IpAddress from = IpAddress::v4(192, 0, 2, 7);
};

TEST_F(LocalConnectorTest, SendsTheBrowserToItsOwnPage) {
  Outcome<Result<LoginStart>> outcome;
  outcome.start(scope, connector->start_login("s t", "https://a.example"));
  ASSERT_TRUE(outcome.value());
  EXPECT_EQ(outcome.value()->redirect, "/.kith/login?state=s%20t");
  EXPECT_EQ(outcome.value()->remember.at("state"), "s t");
  ASSERT_EQ(connector->login_callbacks().size(), 1u);
  EXPECT_EQ(connector->login_callbacks()[0].host, "");
  EXPECT_EQ(connector->login_callbacks()[0].path, "/.kith/login");
  EXPECT_TRUE(connector->logout_callbacks().empty());
}

TEST_F(LocalConnectorTest, ShowsAFormOnGetAndKeepsTheState) {
  Page shown = page(call("GET", {{"state", "st"}}));
  EXPECT_EQ(shown.status, 200);
  EXPECT_THAT(shown.html, HasSubstr(R"(<form method="post" action="/.kith/login">)"));
  EXPECT_THAT(shown.html, HasSubstr(R"(<input type="hidden" name="state" value="st">)"));
  EXPECT_THAT(shown.html, HasSubstr(R"(<label for="password">)"));
  EXPECT_THAT(shown.html, Not(HasSubstr("<script")));
  EXPECT_THAT(shown.html, Not(HasSubstr("role=\"alert\"")));
}

TEST_F(LocalConnectorTest, NeverLogsInWithGet) {
  page(call("GET", {{"state", "st"}, {"username", "ann"}, {"password", "s3cret"}}));
  EXPECT_EQ(world.pool.jobs, 0u);
}

TEST_F(LocalConnectorTest, TheRightPasswordGivesTheIdentity) {
  Result<LoginResult> result = log_in("ann", "s3cret");
  ASSERT_TRUE(result);
  const Identity& identity = std::get<Identity>(*result);
  EXPECT_EQ(identity.connector, "demo");
  EXPECT_EQ(identity.issuer, "urn:kith:local:demo");
  EXPECT_EQ(identity.subject, "ann");
  EXPECT_EQ(identity.claims.at("username").values, std::vector<std::string>{"ann"});
  EXPECT_EQ(identity.claims.at("email").values, std::vector<std::string>{"ann@example.org"});
  EXPECT_EQ(identity.claims.at("groups").values, (std::vector<std::string>{"hr", "it"}));
  EXPECT_TRUE(identity.claims.at("groups").list);
  EXPECT_EQ(identity.claims.at("sub").values, std::vector<std::string>{"ann"});  // not to be configured away
  EXPECT_EQ(identity.authenticated, world.loop.wall_now());
}

TEST_F(LocalConnectorTest, AWrongNameAndAWrongPasswordLookAndCostTheSame) {
  Page wrong_password = page(log_in("ann", "guess"));
  EXPECT_EQ(world.pool.jobs, 1u);
  Page wrong_name = page(log_in("eve", "guess"));
  EXPECT_EQ(world.pool.jobs, 2u);  // a hash was computed for it all the same
  EXPECT_EQ(wrong_password.status, 403);
  EXPECT_EQ(wrong_name.status, 403);
  std::string renamed = wrong_name.html;
  renamed.replace(renamed.find("eve"), 3, "ann");
  EXPECT_EQ(renamed, wrong_password.html);
  EXPECT_EQ(page(log_in("eve", "s3cret")).status, 403);  // the hash in its place is somebody else's
  EXPECT_EQ(page(log_in("ANN", "s3cret")).status, 403);
}

TEST_F(LocalConnectorTest, EverythingEchoedIsEscaped) {
  Page shown = page(log_in("\"><script>alert('x')</script>&", "guess"));
  EXPECT_THAT(shown.html, Not(HasSubstr("<script")));
  EXPECT_THAT(shown.html, HasSubstr("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;"));
}

TEST_F(LocalConnectorTest, OversizedOrMissingInputCostsNothing) {
  EXPECT_EQ(page(log_in(std::string(257, 'a'), "x")).status, 403);
  EXPECT_EQ(page(log_in("ann", std::string(1025, 'x'))).status, 403);
  EXPECT_EQ(page(log_in("", "x")).status, 403);
  EXPECT_EQ(page(log_in("ann", "")).status, 403);
  EXPECT_EQ(page(call("POST", {{"state", "st"}})).status, 403);
  EXPECT_EQ(world.pool.jobs, 0u);
}

TEST_F(LocalConnectorTest, AnotherTransactionsFormIsRefused) {
  EXPECT_EQ(call("POST", {{"state", "xx"}, {"username", "ann"}, {"password", "s3cret"}}).error().code(),
            Code::protocol);
  EXPECT_EQ(call("POST", {{"username", "ann"}, {"password", "s3cret"}}).error().code(), Code::protocol);
  EXPECT_EQ(call("POST", {{"state", ""}, {"username", "ann"}, {"password", "s3cret"}}, "").error().code(),
            Code::protocol);
}

TEST_F(LocalConnectorTest, GuessesForOneNameAreLimitedAndTheRightPasswordDoesNotCount) {
  make({.per_name_and_client = 2});
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(std::holds_alternative<Identity>(*log_in("ann", "s3cret")));
  EXPECT_EQ(page(log_in("ann", "1")).status, 403);
  EXPECT_EQ(page(log_in("ann", "2")).status, 403);
  Page limited = page(log_in("ann", "s3cret"));
  EXPECT_EQ(limited.status, 429);
  EXPECT_THAT(limited.html, HasSubstr("Too many attempts"));
  EXPECT_TRUE(std::holds_alternative<Identity>(*log_in("bob", "s3cret")));
  from = IpAddress::v4(192, 0, 2, 8);
  EXPECT_TRUE(std::holds_alternative<Identity>(*log_in("ann", "s3cret")))
      << "a guesser keeps nobody else out";
  from = IpAddress::v4(192, 0, 2, 7);
  world.loop.advance(1min);
  EXPECT_TRUE(std::holds_alternative<Identity>(*log_in("ann", "s3cret")));
}

TEST_F(LocalConnectorTest, ABusyPoolIsSaidSo) {
  world.pool.full = true;
  EXPECT_EQ(page(log_in("ann", "s3cret")).status, 503);
}

TEST_F(LocalConnectorTest, HasNoSessionElsewhereToEnd) {
  Outcome<std::optional<std::string>> outcome;
  Identity identity;
  outcome.start(scope, connector->start_logout(identity, "st", "https://a.example"));
  EXPECT_EQ(outcome.value(), std::nullopt);
}

TEST(LocalConnectorConfigCheck, NamesWhatIsWrong) {
  auto problem = [](const std::function<void(LocalConnectorConfig&)>& change) {
    LocalConnectorConfig bad = config();
    change(bad);
    Result<void> checked = check_connector(bad);
    return checked ? std::string() : checked.error().message();
  };
  EXPECT_EQ(problem([](auto&) {}), "");
  EXPECT_THAT(problem([](auto& c) { c.enabled = false; }), HasSubstr("enabled: true"));
  EXPECT_THAT(problem([](auto& c) { c.users.clear(); }), HasSubstr("no users"));
  EXPECT_THAT(problem([](auto& c) { c.users[1].username = "ann"; }), HasSubstr("twice"));
  EXPECT_THAT(problem([](auto& c) { c.users[0].username = ""; }), HasSubstr("username"));
  EXPECT_THAT(problem([](auto& c) { c.users[0].password_hash = "s3cret"; }), HasSubstr("user 'ann'"));
  EXPECT_THAT(problem([](auto& c) { c.login_path = "login"; }), HasSubstr("loginPath"));
  EXPECT_THAT(problem([](auto& c) { c.login_path = "/a/../b"; }), HasSubstr("loginPath"));
  EXPECT_THAT(problem([](auto& c) { c.login_path = "/a?b"; }), HasSubstr("loginPath"));
}

const IpAddress kOne = IpAddress::v4(192, 0, 2, 1);
const IpAddress kTwo = IpAddress::v4(192, 0, 2, 2);

TEST(AttemptLimiter, LimitsAClientThatTriesManyNamesAndNobodyElse) {
  AttemptLimiter limiter({.per_client = 5});
  MonoTime now{};
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limiter.take("n" + std::to_string(i), kOne, now));
  EXPECT_FALSE(limiter.take("n5", kOne, now));
  EXPECT_TRUE(limiter.take("n5", kTwo, now));
  limiter.refund("n0", kOne);
  limiter.refund("n0", kOne);  // only once: it took one
  EXPECT_TRUE(limiter.take("n6", kOne, now));
  EXPECT_FALSE(limiter.take("n7", kOne, now));
  EXPECT_TRUE(limiter.take("n7", kOne, now + 1min));
}

TEST(AttemptLimiter, LimitsGuessesForANameFromManyClients) {
  AttemptLimiter limiter({.per_name_and_client = 2, .per_name = 3});
  EXPECT_TRUE(limiter.take("ann", kOne, {}));
  EXPECT_TRUE(limiter.take("ann", kOne, {}));
  EXPECT_FALSE(limiter.take("ann", kOne, {}));
  EXPECT_TRUE(limiter.take("ann", kTwo, {}));
  EXPECT_FALSE(limiter.take("ann", kTwo, {}));
  EXPECT_TRUE(limiter.take("bob", kTwo, {}));
}

TEST(AttemptLimiter, TakesAnIpv6NetworkForOneClient) {
  AttemptLimiter limiter({.per_client = 1});
  auto v6 = [](std::string_view text) { return *IpAddress::parse(text); };
  EXPECT_TRUE(limiter.take("a", v6("2001:db8:0:1::1"), {}));
  EXPECT_FALSE(limiter.take("b", v6("2001:db8:0:1:ffff::2"), {}));
  EXPECT_TRUE(limiter.take("b", v6("2001:db8:0:2::1"), {}));
}

TEST(AttemptLimiter, KeepsABoundedTable) {
  AttemptLimiter limiter({.counters = 6});
  EXPECT_TRUE(limiter.take("a", kOne, {}));
  EXPECT_TRUE(limiter.take("b", kTwo, {}));
  EXPECT_FALSE(limiter.take("c", kOne, {}));
  EXPECT_TRUE(limiter.take("a", kOne, {})) << "needs no more room";
  EXPECT_TRUE(limiter.take("c", kOne, MonoTime{1min}));
}

TEST(Pages, ArePermittedByTheirContentSecurityPolicy) {
  std::string html = message_page("Signed out", "Bye & <good> luck", "/?a=1&b='2'", "Again");
  size_t from = html.find("<style>") + 7;
  std::string style = html.substr(from, html.find("</style>") - from);
  EXPECT_THAT(content_security_policy(),
              HasSubstr("style-src 'sha256-" + base64(crypto::sha256(as_bytes(style))) + "'"));
  EXPECT_THAT(content_security_policy(), HasSubstr("default-src 'none'"));
  EXPECT_THAT(html, HasSubstr("Bye &amp; &lt;good&gt; luck"));
  EXPECT_THAT(html, HasSubstr("href=\"/?a=1&amp;b=&#39;2&#39;\""));
  EXPECT_THAT(html, Not(HasSubstr("style=")));
}

}  // namespace
}  // namespace kith::identity
