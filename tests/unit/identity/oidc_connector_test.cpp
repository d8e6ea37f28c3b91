// The connector against a provider made of a table of answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.h"
#include "identity/connectors.h"
#include "identity/oidc/metadata.h"
#include "signer.h"

namespace kith::identity {
namespace {

using testing::FakeAnswer;
using testing::FakeClient;
using ::testing::HasSubstr;
using testing::key_set;
using testing::make_token;
using testing::Outcome;
using testing::SeenRequest;
using testing::SigningKey;
using ::testing::StartsWith;
using testing::World;

constexpr char kDiscovery[] = "/.well-known/openid-configuration";

OidcConnectorConfig config() {
  OidcConnectorConfig config;
  config.name = "corp";
  config.well_known_url = std::string("https://idp.example") + kDiscovery;
  config.client_id = "me";
  config.client_secret = crypto::Secret(std::string_view("secret"));
  config.login_redirect_urls = {"https://a.example/cb", "https://b.example:8443/oidc/cb"};
  config.logout_redirect_urls = {"https://a.example/out"};
  return config;
}

class OidcConnectorTest : public ::testing::Test {
 protected:
  OidcConnectorTest() {
    client.pages[kDiscovery] = [this](const SeenRequest&) { return FakeAnswer{200, metadata}; };
    client.pages["/jwks"] = [this](const SeenRequest&) { return FakeAnswer{200, key_set(jwks)}; };
    client.pages["/token"] = [this](const SeenRequest&) { return FakeAnswer{200, token_answer()}; };
    client.pages["/me"] = [this](const SeenRequest&) { return FakeAnswer{200, userinfo}; };
    jwks = key.jwk("k1");
    make(config());
  }

  void make(OidcConnectorConfig with) {
    Result<std::unique_ptr<Connector>> made =
        make_connector(ConnectorConfig(std::move(with)), world.ports, client, {}, attempts, {});
    ASSERT_TRUE(made) << made.error().message();
    connector = std::move(*made);
  }

  std::string token_answer() {
    std::string claims =
        R"({"iss":"https://idp.example","aud":"me","sub":"ann","groups":["x","y"],"nonce":")" + nonce +
        R"(","iat":1700000000,"exp":1700090000)" + more_claims + "}";
    std::string id_token =
        make_token(key, jose::Algorithm::eddsa, R"({"alg":"EdDSA","kid":")" + kid + R"("})", claims);
    return R"({"token_type":"Bearer","access_token":"at","id_token":")" + id_token + R"("})";
  }

  Result<LoginStart> start(const std::string& origin = "https://a.example") {
    Outcome<Result<LoginStart>> outcome;
    outcome.start(scope, connector->start_login("st", origin));
    world.loop.run_posted();
    EXPECT_TRUE(outcome.done());
    if (outcome.value()) nonce = outcome.value()->remember.at("nonce");
    return std::move(outcome.value());
  }
  Callback callback() const { return {"GET", "/cb", {{"state", "st"}, {"code", "c1"}}}; }
  Result<LoginResult> finish(const LoginStart& begun) {
    Outcome<Result<LoginResult>> outcome;
    outcome.start(scope, connector->finish_login(callback(), begun.remember));
    world.loop.run_posted();
    EXPECT_TRUE(outcome.done());
    return std::move(outcome.value());
  }
  Result<LoginResult> login() {
    Result<LoginStart> begun = start();
    if (!begun) return std::move(begun).error();
    return finish(*begun);
  }

  World world;
  FakeClient client{world.loop};
  AttemptLimiter attempts;
  runtime::Scope scope;
  std::unique_ptr<Connector> connector;

  SigningKey key = SigningKey::ed25519();
  std::string kid = "k1", jwks, nonce, more_claims;
  std::string userinfo = R"({"sub":"ann","email":"ann@example.org"})";
  std::string metadata =
      R"({"issuer":"https://idp.example","authorization_endpoint":"https://idp.example/auth",)"
      R"("token_endpoint":"https://idp.example/token","jwks_uri":"https://idp.example/jwks",)"
      R"("userinfo_endpoint":"https://idp.example/me","end_session_endpoint":"https://idp.example/end"})";
};

TEST_F(OidcConnectorTest, LogsSomebodyInFromStartToIdentity) {
  Result<LoginStart> begun = start();
  ASSERT_TRUE(begun) << begun.error().message();
  EXPECT_THAT(begun->redirect, StartsWith("https://idp.example/auth?response_type=code&client_id=me&"));
  EXPECT_THAT(begun->redirect, HasSubstr("code_challenge_method=S256"));
  EXPECT_EQ(begun->remember.at("verifier").size(), 43u);
  EXPECT_NE(begun->remember.at("verifier"), begun->remember.at("nonce"));

  Result<LoginResult> result = finish(*begun);
  ASSERT_TRUE(result) << result.error().message();
  const Identity& identity = std::get<Identity>(*result);
  EXPECT_EQ(identity.connector, "corp");
  EXPECT_EQ(identity.issuer, "https://idp.example");
  EXPECT_EQ(identity.subject, "ann");
  EXPECT_EQ(identity.claims.at("email").values, std::vector<std::string>{"ann@example.org"});
  EXPECT_EQ(identity.claims.at("groups").values, (std::vector<std::string>{"x", "y"}));
  EXPECT_FALSE(identity.id_token.empty());

  const SeenRequest& redeemed = client.seen[1];
  EXPECT_EQ(redeemed.path, "/token");
  EXPECT_EQ(redeemed.method, "POST");
  EXPECT_EQ(redeemed.authorization, "Basic " + base64(as_bytes("me:secret")));
  EXPECT_EQ(redeemed.form,
            "grant_type=authorization_code&code=c1&redirect_uri=https%3A%2F%2Fa.example%2Fcb&code_verifier=" +
                begun->remember.at("verifier"));
  EXPECT_EQ(client.seen.back().authorization, "Bearer at");
}

TEST_F(OidcConnectorTest, ComesBackToTheUrlOfTheRequestsOwnOriginElseTheFirst) {
  EXPECT_EQ(start("https://b.example:8443")->remember.at("redirect_uri"), "https://b.example:8443/oidc/cb");
  EXPECT_EQ(start("http://b.example")->remember.at("redirect_uri"), "https://b.example:8443/oidc/cb");
  EXPECT_EQ(start("https://c.example")->remember.at("redirect_uri"), "https://a.example/cb");
  EXPECT_EQ(start("")->remember.at("redirect_uri"), "https://a.example/cb");
  std::vector<Connector::Place> places = connector->login_callbacks();
  ASSERT_EQ(places.size(), 2u);
  EXPECT_EQ(places[1].host, "b.example:8443");
  EXPECT_EQ(places[1].path, "/oidc/cb");
}

TEST_F(OidcConnectorTest, ReadsMetadataAndKeysOnceAndAgainAfterAnHour) {
  ASSERT_TRUE(login());
  ASSERT_TRUE(login());
  EXPECT_EQ(client.count(kDiscovery), 1u);
  EXPECT_EQ(client.count("/jwks"), 1u);
  world.loop.advance(61min);
  ASSERT_TRUE(login());
  EXPECT_EQ(client.count(kDiscovery), 2u);
  EXPECT_EQ(client.count("/jwks"), 2u);
}

TEST_F(OidcConnectorTest, ManyAskersShareOneFetch) {
  client.hold();
  std::vector<Outcome<Result<LoginStart>>> waiting(20);
  for (auto& one : waiting) one.start(scope, connector->start_login("st", "https://a.example"));
  world.loop.run_posted();
  EXPECT_EQ(client.count(kDiscovery), 1u);
  EXPECT_FALSE(waiting[7].done());
  client.release();
  world.loop.run_posted();
  for (auto& one : waiting) {
    ASSERT_TRUE(one.done());
    EXPECT_TRUE(one.value());
  }
  EXPECT_EQ(client.count(kDiscovery), 1u);
}

TEST_F(OidcConnectorTest, AfterAFailureItAsksAgainWithGrowingPauses) {
  client.down = true;
  EXPECT_EQ(start().error().code(), Code::unavailable);
  EXPECT_EQ(start().error().code(), Code::unavailable);
  EXPECT_EQ(client.count(kDiscovery), 1u);  // within the pause nobody asks
  for (Duration pause : {Duration(1s), Duration(2s), Duration(4s), Duration(8s), Duration(16s), Duration(30s),
                         Duration(30s)}) {
    size_t before = client.count(kDiscovery);
    world.loop.advance(pause - 1ms);
    EXPECT_FALSE(start());
    EXPECT_EQ(client.count(kDiscovery), before);
    world.loop.advance(1ms);
    EXPECT_FALSE(start());
    EXPECT_EQ(client.count(kDiscovery), before + 1);
  }
  client.down = false;
  world.loop.advance(30s);
  EXPECT_TRUE(start());
}

TEST_F(OidcConnectorTest, ARefreshThatFailsLeavesTheOldMetadataInPlaceForADay) {
  ASSERT_TRUE(start());
  client.down = true;
  world.loop.advance(2h);
  EXPECT_TRUE(start());
  world.loop.advance(23h);
  EXPECT_EQ(start().error().code(), Code::unavailable);
}

TEST_F(OidcConnectorTest, MetadataOfAnotherIssuerIsNotUsed) {
  metadata.replace(metadata.find("https://idp.example"), 19, "https://evil.exampl");
  EXPECT_EQ(start().error().code(), Code::unavailable);
}

TEST_F(OidcConnectorTest, FollowsNoRedirect) {
  client.pages[kDiscovery] = [](const SeenRequest&) { return FakeAnswer{302, "", "text/html"}; };
  EXPECT_EQ(start().error().code(), Code::unavailable);
  EXPECT_EQ(client.seen.size(), 1u);
}

TEST_F(OidcConnectorTest, AnAnswerThatNeverEndsIsCutAtTheDeadline) {
  client.pages[kDiscovery] = [](const SeenRequest&) {
    return FakeAnswer{200, "{", "application/json", true};
  };
  Outcome<Result<LoginStart>> outcome;
  outcome.start(scope, connector->start_login("st", "https://a.example"));
  world.loop.advance(9s);
  EXPECT_FALSE(outcome.done());
  world.loop.advance(2s);
  ASSERT_TRUE(outcome.done());
  EXPECT_THAT(outcome.value().error().message(), HasSubstr("takes too long"));
}

TEST_F(OidcConnectorTest, AnAnswerThatIsTooLargeIsRefused) {
  metadata += std::string(oidc::kMaxMetadataBytes, ' ');
  Result<LoginStart> begun = start();
  ASSERT_FALSE(begun);
  EXPECT_THAT(begun.error().message(), HasSubstr("too large"));
}

TEST_F(OidcConnectorTest, NewKeysOfTheProviderAreFoundByTheirUnknownId) {
  ASSERT_TRUE(login());
  key = SigningKey::ed25519();
  kid = "k2";
  jwks = key.jwk("k2");
  Result<LoginResult> result = login();
  EXPECT_TRUE(result) << result.error().message();
  EXPECT_EQ(client.count("/jwks"), 2u);
}

TEST_F(OidcConnectorTest, UnknownKeyIdsCauseOneFetchInThirtySeconds) {
  ASSERT_TRUE(login());
  kid = "unknown";
  for (int i = 0; i < 10; ++i) EXPECT_EQ(login().error().code(), Code::protocol);
  EXPECT_EQ(client.count("/jwks"), 2u);
  world.loop.advance(29s);
  EXPECT_FALSE(login());
  EXPECT_EQ(client.count("/jwks"), 2u);
  world.loop.advance(1s);
  EXPECT_FALSE(login());
  EXPECT_EQ(client.count("/jwks"), 3u);
}

TEST_F(OidcConnectorTest, SimultaneousUnknownKeyIdsShareOneFetch) {
  ASSERT_TRUE(login());
  key = SigningKey::ed25519();
  kid = "k2";
  jwks = key.jwk("k2");
  Result<LoginStart> begun = start();
  std::vector<Outcome<Result<LoginResult>>> waiting(5);
  client.hold();
  for (auto& one : waiting) one.start(scope, connector->finish_login(callback(), begun->remember));
  while (std::any_of(waiting.begin(), waiting.end(), [](auto& one) { return !one.done(); })) {
    client.release();
    world.loop.run_posted();
    client.hold();
  }
  client.release();
  for (auto& one : waiting) EXPECT_TRUE(one.value()) << one.value().error().message();
  EXPECT_EQ(client.count("/jwks"), 2u);
}

TEST_F(OidcConnectorTest, ATokenOfAnotherKeyWithAKnownIdIsRefusedWithoutAFetch) {
  ASSERT_TRUE(login());
  key = SigningKey::ed25519();
  EXPECT_EQ(login().error().code(), Code::protocol);
  EXPECT_EQ(client.count("/jwks"), 1u);
}

TEST_F(OidcConnectorTest, AnswersThatDoNotBelongToThisLoginAreRefused) {
  Result<LoginStart> begun = start();
  ASSERT_TRUE(begun);
  nonce = "another";
  EXPECT_EQ(finish(*begun).error().code(), Code::protocol);
  nonce = begun->remember.at("nonce");
  LoginStart wrong_state = *begun;
  wrong_state.remember["state"] = "other";
  EXPECT_EQ(finish(wrong_state).error().code(), Code::protocol);
  LoginStart wrong_issuer = *begun;
  wrong_issuer.remember["issuer"] = "https://other.example";
  EXPECT_EQ(finish(wrong_issuer).error().code(), Code::protocol);
  LoginStart nothing;
  EXPECT_EQ(finish(nothing).error().code(), Code::protocol);
  more_claims = R"(,"azp":"other")";
  EXPECT_EQ(finish(*begun).error().code(), Code::protocol);
}

TEST_F(OidcConnectorTest, UserinfoOfAnotherSubjectEndsTheLogin) {
  userinfo = R"({"sub":"bob","email":"bob@example.org"})";
  EXPECT_EQ(login().error().code(), Code::protocol);
}

TEST_F(OidcConnectorTest, FailuresOfTheTokenEndpointKeepTheirMeaning) {
  client.pages["/token"] = [](const SeenRequest&) { return FakeAnswer{400, R"({"error":"invalid_grant"})"}; };
  EXPECT_EQ(login().error().code(), Code::invalid);
  client.pages["/token"] = [](const SeenRequest&) {
    return FakeAnswer{401, R"({"error":"invalid_client"})"};
  };
  EXPECT_EQ(login().error().side(), Side::config);
  client.pages["/token"] = [](const SeenRequest&) { return FakeAnswer{502, "", "text/html"}; };
  EXPECT_EQ(login().error().code(), Code::unavailable);
  client.pages["/token"] = [](const SeenRequest&) { return FakeAnswer{200, "<html>", "text/html"}; };
  EXPECT_EQ(login().error().code(), Code::protocol);
}

TEST_F(OidcConnectorTest, AlgorithmsAreThoseOfTheConfiguration) {
  OidcConnectorConfig only = config();
  only.signing_algorithms = {"RS256"};
  make(only);
  Result<LoginResult> result = login();
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message(), HasSubstr("'EdDSA' is not allowed"));
}

TEST_F(OidcConnectorTest, LogoutEndsTheProvidersSessionWhenItCan) {
  Identity identity;
  identity.id_token = "a.b.c";
  auto logout = [&] {
    Outcome<std::optional<std::string>> outcome;
    outcome.start(scope, connector->start_logout(identity, "st", "https://a.example"));
    return outcome.value();
  };
  EXPECT_EQ(*logout(),
            "https://idp.example/end?id_token_hint=a.b.c&client_id=me"
            "&post_logout_redirect_uri=https%3A%2F%2Fa.example%2Fout&state=st");
  make(config());
  client.down = true;
  EXPECT_EQ(logout(), std::nullopt);
}

TEST(OidcConnectorConfigCheck, NamesWhatIsWrong) {
  auto problem = [](const std::function<void(OidcConnectorConfig&)>& change) {
    OidcConnectorConfig bad = config();
    change(bad);
    Result<void> checked = check_connector(bad);
    return checked ? std::string() : checked.error().message();
  };
  EXPECT_EQ(problem([](auto&) {}), "");
  EXPECT_THAT(problem([](auto& c) { c.well_known_url = "https://idp.example"; }),
              HasSubstr("oidcWellKnownURL"));
  EXPECT_THAT(problem([](auto& c) { c.well_known_url = ""; }), HasSubstr("oidcWellKnownURL"));
  EXPECT_THAT(problem([](auto& c) { c.client_id = ""; }), HasSubstr("oauthClientID"));
  EXPECT_THAT(problem([](auto& c) { c.login_redirect_urls = {}; }), HasSubstr("oauthLoginRedirect"));
  EXPECT_THAT(problem([](auto& c) { c.login_redirect_urls = {"/cb"}; }), HasSubstr("oauthLoginRedirect"));
  EXPECT_THAT(problem([](auto& c) { c.logout_redirect_urls = {"x"}; }), HasSubstr("oauthLogoutRedirect"));
  EXPECT_THAT(problem([](auto& c) { c.signing_algorithms = {"HS256"}; }), HasSubstr("HS256"));
  EXPECT_THAT(problem([](auto& c) { c.name = ""; }), HasSubstr("no name"));
}

TEST(OidcConnectorConfigCheck, AnUnknownTlsProfileIsRefused) {
  World world;
  FakeClient client(world.loop);
  AttemptLimiter attempts;
  OidcConnectorConfig with = config();
  with.tls = "missing";
  Result<std::unique_ptr<Connector>> made = make_connector(with, world.ports, client, {}, attempts, {});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message(), HasSubstr("no TLS profile 'missing'"));
}

}  // namespace
}  // namespace kith::identity
