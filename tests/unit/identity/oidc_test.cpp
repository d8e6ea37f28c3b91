#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "identity/jose/strict_json.h"
#include "identity/oidc/flow.h"
#include "identity/oidc/id_token.h"
#include "identity/oidc/metadata.h"
#include "identity/oidc/token_response.h"

namespace kith::identity::oidc {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kWellKnown[] = "https://idp.example/.well-known/openid-configuration";

std::string document(const std::string& issuer = "https://idp.example", const std::string& more = "") {
  return R"({"issuer":")" + issuer + R"(","authorization_endpoint":"https://idp.example/auth",)" +
         R"("token_endpoint":"https://idp.example/token","jwks_uri":"https://idp.example/jwks")" + more + "}";
}

Metadata metadata(const std::string& more = "") {
  Result<Metadata> parsed = parse_metadata(document("https://idp.example", more), kWellKnown);
  EXPECT_TRUE(parsed) << parsed.error().message();
  return *parsed;
}

TEST(Metadata, IsTakenFromTheIssuerWhoseUrlItWasFoundAt) {
  EXPECT_TRUE(parse_metadata(document(), kWellKnown));
  EXPECT_TRUE(parse_metadata(document("https://idp.example/"), kWellKnown));
  for (const char* issuer :
       {"https://idp.example//", "https://IDP.example", "http://idp.example", "",
        "https://idp.example.evil.example", "https://idp.example/tenant", "idp.example"}) {
    EXPECT_FALSE(parse_metadata(document(issuer), kWellKnown)) << issuer;
  }
}

TEST(Metadata, NamesHttpsEndpointsOnly) {
  for (const char* url :
       {"http://idp.example/out", "ftp://idp.example/out", "/out", "", "javascript:alert(1)",
        "https://user@idp.example/out", "http://127.0.0.1/out", "https://idp.example/out#x"}) {
    std::string text =
        document("https://idp.example", R"(,"end_session_endpoint":")" + std::string(url) + "\"");
    EXPECT_FALSE(parse_metadata(text, kWellKnown)) << url;
  }
}

TEST(Metadata, MayBePlainHttpOnLoopbackOnly) {
  for (const char* good : {"http://127.0.0.1:3000/.well-known/openid-configuration",
                           "http://localhost:3000/.well-known/openid-configuration",
                           "http://[::1]:3000/t/.well-known/openid-configuration",
                           "https://idp.example/t/.well-known/openid-configuration"}) {
    EXPECT_TRUE(parse_well_known_url(good)) << good;
  }
  for (const char* bad : {"http://idp.example/.well-known/openid-configuration", "https://idp.example/",
                          "https://idp.example/.well-known/openid-configuration?x=1",
                          "http://localhost.evil.example/.well-known/openid-configuration",
                          "http://127.0.0.1.evil.example/.well-known/openid-configuration"}) {
    EXPECT_FALSE(parse_well_known_url(bad)) << bad;
  }
}

TEST(Metadata, NeedsItsEndpointsAndTheRightTypes) {
  EXPECT_FALSE(parse_metadata(R"({"issuer":"https://idp.example"})", kWellKnown));
  EXPECT_FALSE(parse_metadata("[]", kWellKnown));
  EXPECT_FALSE(
      parse_metadata(document("https://idp.example", R"(,"issuer":"https://evil.example")"), kWellKnown));
  EXPECT_FALSE(parse_metadata(document("https://idp.example", R"(,"userinfo_endpoint":7)"), kWellKnown));
  EXPECT_EQ(parse_metadata(std::string(kMaxMetadataBytes + 1, ' '), kWellKnown).error().code(), Code::limit);
}

TEST(Pkce, ChallengeIsThatOfRfc7636AppendixB) {
  EXPECT_EQ(pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

AuthorizationRequest request() {
  AuthorizationRequest request;
  request.client_id = "me & co";
  request.redirect_uri = "https://app.example/cb";
  request.scopes = "profile";
  request.state = "st";
  request.nonce = "no";
  request.pkce_verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  return request;
}

TEST(AuthorizationUrl, CarriesEverythingThatBindsTheAnswer) {
  EXPECT_EQ(authorization_url(metadata(), request()),
            "https://idp.example/auth?response_type=code&client_id=me%20%26%20co"
            "&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&scope=openid%20profile&state=st&nonce=no"
            "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256");
}

TEST(AuthorizationUrl, ExtraParametersNeverReplaceOurs) {
  AuthorizationRequest with = request();
  with.extra = {{"state", "evil"},          {"redirect_uri", "https://evil.example"},
                {"request", "eyJ"},         {"request_uri", "https://evil.example"},
                {"response_type", "token"}, {"code_challenge_method", "plain"},
                {"acr_values", "gold&x=y"}};
  std::string url = authorization_url(metadata(), with);
  EXPECT_THAT(url, Not(HasSubstr("evil")));
  EXPECT_THAT(url, Not(HasSubstr("request=")));
  EXPECT_THAT(url, Not(HasSubstr("plain")));
  EXPECT_THAT(url, HasSubstr("&acr_values=gold%26x%3Dy"));
}

TEST(AuthorizationUrl, OfflineAccessAsksForConsentAndPkceCanBeLeftOut) {
  AuthorizationRequest with = request();
  with.offline_access = true;
  with.pkce_verifier = "";
  std::string url = authorization_url(metadata(), with);
  EXPECT_THAT(url, HasSubstr("scope=openid%20profile%20offline_access"));
  EXPECT_THAT(url, HasSubstr("prompt=consent"));
  EXPECT_THAT(url, Not(HasSubstr("code_challenge")));
}

TEST(Callback, GivesTheCodeWhenStateAndIssuerAreRight) {
  Metadata plain = metadata();
  EXPECT_EQ(*read_callback(plain, {{"state", "s"}, {"code", "c"}}, "s"), "c");
  EXPECT_EQ(*read_callback(plain, {{"state", "s"}, {"code", "c"}, {"iss", "https://idp.example"}}, "s"), "c");
  for (const Params& bad :
       std::vector<Params>{{{"state", "x"}, {"code", "c"}},
                           {{"code", "c"}},
                           {{"state", "s"}},
                           {{"state", "s"}, {"code", ""}},
                           {{"state", "s"}, {"code", std::string(5000, 'c')}},
                           {{"state", "s"}, {"code", "c"}, {"iss", "https://evil.example"}},
                           {{"state", "s"}, {"code", "c"}, {"iss", ""}}}) {
    EXPECT_EQ(read_callback(plain, bad, "s").error().code(), Code::protocol);
  }
  EXPECT_FALSE(read_callback(plain, {{"state", ""}, {"code", "c"}}, ""));
}

TEST(Callback, InsistsOnTheIssuerWhenTheProviderPromisedIt) {
  Metadata strict = metadata(R"(,"authorization_response_iss_parameter_supported":true)");
  EXPECT_FALSE(read_callback(strict, {{"state", "s"}, {"code", "c"}}, "s"));
  EXPECT_TRUE(read_callback(strict, {{"state", "s"}, {"code", "c"}, {"iss", "https://idp.example"}}, "s"));
}

TEST(Callback, TellsARefusalFromAFailure) {
  Metadata plain = metadata();
  auto code = [&](const std::string& error) {
    return read_callback(plain, {{"state", "s"}, {"error", error}, {"code", "c"}}, "s").error().code();
  };
  EXPECT_EQ(code("access_denied"), Code::denied);
  EXPECT_EQ(code("login_required"), Code::denied);
  EXPECT_EQ(code("temporarily_unavailable"), Code::unavailable);
  EXPECT_EQ(code("invalid_scope"), Code::protocol);
  EXPECT_EQ(code(""), Code::protocol);
}

TEST(LogoutUrl, CarriesTheHintUnlessItIsTooLong) {
  LogoutRequest logout{"me", "a.b.c", "https://app.example/out", "st"};
  EXPECT_FALSE(logout_url(metadata(), logout));
  Metadata with = metadata(R"(,"end_session_endpoint":"https://idp.example/end?t=1")");
  EXPECT_EQ(*logout_url(with, logout),
            "https://idp.example/end?t=1&id_token_hint=a.b.c&client_id=me"
            "&post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fout&state=st");
  logout.id_token = std::string(5000, 'a');
  logout.redirect_uri = "";
  EXPECT_EQ(*logout_url(with, logout), "https://idp.example/end?t=1&client_id=me");
}

TEST(TokenRequest, AuthenticatesTheWayTheProviderTakes) {
  crypto::Secret secret(std::string_view("p:w d"));
  TokenRequest basic = *token_request(metadata(), "me", secret, "c/1", "https://a/cb", "ver");
  EXPECT_EQ(basic.authorization, "Basic " + base64(as_bytes("me:p%3Aw%20d")));
  EXPECT_EQ(basic.form,
            "grant_type=authorization_code&code=c%2F1&redirect_uri=https%3A%2F%2Fa%2Fcb&code_verifier=ver");
  Metadata post_only = metadata(R"(,"token_endpoint_auth_methods_supported":["client_secret_post"])");
  TokenRequest post = *token_request(post_only, "me", secret, "c", "u", "");
  EXPECT_EQ(post.authorization, "");
  EXPECT_THAT(post.form, HasSubstr("&client_id=me&client_secret=p%3Aw%20d"));
  TokenRequest open = *token_request(post_only, "me", {}, "c", "u", "ver");
  EXPECT_EQ(open.authorization, "");
  EXPECT_THAT(open.form, HasSubstr("&client_id=me"));
  EXPECT_THAT(open.form, Not(HasSubstr("client_secret")));
  Metadata jwt_only = metadata(R"(,"token_endpoint_auth_methods_supported":["private_key_jwt"])");
  EXPECT_EQ(token_request(jwt_only, "me", secret, "c", "u", "").error().side(), Side::config);
}

TEST(TokenResponse, IsReadStrictlyAndItsErrorsAreToldApart) {
  const std::string json = "application/json; charset=utf-8";
  Result<Tokens> good =
      read_token_response(200, json, R"({"access_token":"at","id_token":"it","token_type":"bearer"})");
  ASSERT_TRUE(good) << good.error().message();
  EXPECT_EQ(good->id_token, "it");
  for (const char* bad :
       {"", "[]", "{}", R"({"access_token":"at","id_token":"it"})",
        R"({"access_token":"at","id_token":"it","token_type":"mac"})",
        R"({"access_token":"at","token_type":"Bearer"})", R"({"id_token":"it","token_type":"Bearer"})",
        R"({"access_token":1,"id_token":"it","token_type":"Bearer"})",
        R"({"access_token":"a\r\nX: y","id_token":"it","token_type":"Bearer"})",
        R"({"access_token":"at","access_token":"b","id_token":"it","token_type":"Bearer"})"}) {
    EXPECT_EQ(read_token_response(200, json, bad).error().code(), Code::protocol) << bad;
  }
  EXPECT_FALSE(read_token_response(200, "text/html",
                                   R"({"access_token":"at","id_token":"it","token_type":"bearer"})"));
  Error spent = read_token_response(400, json, R"({"error":"invalid_grant"})").error();
  EXPECT_EQ(spent.code(), Code::invalid);
  EXPECT_EQ(spent.side(), Side::client);
  EXPECT_EQ(read_token_response(401, json, R"({"error":"invalid_client"})").error().side(), Side::config);
  EXPECT_EQ(read_token_response(503, "text/html", "").error().code(), Code::unavailable);
  EXPECT_EQ(read_token_response(429, json, "{}").error().code(), Code::unavailable);
  EXPECT_EQ(read_token_response(302, "text/html", "").error().code(), Code::protocol);
}

TEST(Userinfo, SpeaksOfTheSameSubject) {
  EXPECT_TRUE(read_userinfo(200, "application/json", R"({"sub":"ann","email":"a@b"})", "ann"));
  for (const char* bad :
       {"{}", R"({"sub":"bob"})", R"({"sub":["ann"]})", R"({"sub":"ann","sub":"ann"})", "[]"}) {
    EXPECT_EQ(read_userinfo(200, "application/json", bad, "ann").error().code(), Code::protocol) << bad;
  }
  EXPECT_FALSE(read_userinfo(200, "application/jwt", "e.e.e", "ann"));
  EXPECT_EQ(read_userinfo(401, "application/json", "{}", "ann").error().code(), Code::protocol);
  EXPECT_EQ(read_userinfo(500, "application/json", "{}", "ann").error().code(), Code::unavailable);
}

// A good ID token, of which each case below changes one thing.
struct IdToken {
  std::map<std::string, std::string> claims = {
      {"iss", R"("https://idp.example")"},
      {"aud", R"("me")"},
      {"sub", R"("ann")"},
      {"nonce", R"("no")"},
      {"iat", "1000"},
      {"exp", "1300"},
  };
  std::string typ;
  Result<Subject> check(int64_t now_seconds = 1100) const {
    std::string text;
    for (const auto& [name, value] : claims) text += (text.empty() ? "{\"" : ",\"") + name + "\":" + value;
    jose::Token token;
    token.header.typ = typ;
    token.claims = *jose::parse_strict_object(text + "}", JsonLimits{});
    return check_id_token(token, {"https://idp.example", "me", "no", "at", from_unix_ms(now_seconds * 1000)});
  }
  IdToken with(const std::string& name, const std::string& value) const {
    IdToken other = *this;
    other.claims[name] = value;
    return other;
  }
  IdToken without(const std::string& name) const {
    IdToken other = *this;
    other.claims.erase(name);
    return other;
  }
};

TEST(IdToken, IsAcceptedWhenEveryCheckHolds) {
  IdToken good;
  Result<Subject> subject =
      good.with("sid", "\"s1\"").with("acr", "\"gold\"").with("auth_time", "900").check();
  ASSERT_TRUE(subject) << subject.error().message();
  EXPECT_EQ(subject->subject, "ann");
  EXPECT_EQ(subject->sid, "s1");
  EXPECT_EQ(subject->acr, "gold");
  EXPECT_EQ(unix_ms(subject->authenticated), 900'000);
  EXPECT_EQ(unix_ms(good.check()->authenticated), 1'100'000);
  EXPECT_TRUE(good.with("aud", R"(["me"])").check());
  EXPECT_TRUE(good.with("aud", R"(["me","other"])").with("azp", R"("me")").check());
  EXPECT_TRUE(good.with("at_hash", "\"" + jose::half_hash(jose::Algorithm::rs256, "at") + "\"").check());
  EXPECT_TRUE(good.check(1359));                  // exp + 60 s of skew, not a second more
  EXPECT_TRUE(good.with("iat", "1160").check());  // issued by a clock that is ahead
  EXPECT_TRUE(good.with("nbf", "1160").check());
}

TEST(IdToken, IsRefusedWhenAnyCheckFails) {
  IdToken good;
  std::vector<std::pair<std::string, IdToken>> cases = {
      {"iss missing", good.without("iss")},
      {"iss other", good.with("iss", R"("https://evil.example")")},
      {"iss with slash", good.with("iss", R"("https://idp.example/")")},
      {"iss list", good.with("iss", R"(["https://idp.example"])")},
      {"aud missing", good.without("aud")},
      {"aud other", good.with("aud", R"("other")")},
      {"aud empty list", good.with("aud", "[]")},
      {"aud prefix", good.with("aud", R"("me2")")},
      {"aud with a number", good.with("aud", R"(["me",1])")},
      {"aud many without azp", good.with("aud", R"(["me","other"])")},
      {"azp other", good.with("azp", R"("other")")},
      {"azp number", good.with("azp", "1")},
      {"exp missing", good.without("exp")},
      {"exp text", good.with("exp", R"("1300")")},
      {"exp past", good.with("exp", "1040")},
      {"iat missing", good.without("iat")},
      {"iat future", good.with("iat", "1161")},
      {"nbf future", good.with("nbf", "1161")},
      {"nbf text", good.with("nbf", R"("1")")},
      {"nonce missing", good.without("nonce")},
      {"nonce other", good.with("nonce", R"("on")")},
      {"nonce empty", good.with("nonce", R"("")")},
      {"at_hash other", good.with("at_hash", R"("AAAAAAAAAAAAAAAAAAAAAA")")},
      {"at_hash number", good.with("at_hash", "0")},
      {"sub missing", good.without("sub")},
      {"sub empty", good.with("sub", R"("")")},
      {"sub number", good.with("sub", "7")},
      {"sub long", good.with("sub", "\"" + std::string(256, 'a') + "\"")},
      {"sub with a line break", good.with("sub", R"("a\nb")")},
      {"sub with NUL", good.with("sub", R"("a\u0000b")")},
  };
  for (const auto& [name, token] : cases) {
    Result<Subject> subject = token.check();
    ASSERT_FALSE(subject) << name;
    EXPECT_EQ(subject.error().code(), Code::unauthenticated) << name;
  }
  EXPECT_FALSE(good.check(1360));
}

TEST(IdToken, OfAnotherTypeIsRefused) {
  for (const char* typ : {"logout+jwt", "at+jwt", "JWT2"}) {
    IdToken token;
    token.typ = typ;
    EXPECT_FALSE(token.check()) << typ;
  }
  IdToken token;
  token.typ = "jwt";
  EXPECT_TRUE(token.check());
}

TEST(Claims, AreTextsAndListsAndTheSignedOnesWin) {
  JsonLimits limits;
  json::object signed_ones = *jose::parse_strict_object(
      R"({"sub":"ann","nonce":"n","exp":1,"n":1,"b":true,"o":{"a":[1]},"g":["x",2],"z":null,"e":[]})",
      limits);
  json::object more = *jose::parse_strict_object(R"({"sub":"bob","email":"a@b","nonce":"n"})", limits);
  ClaimMap claims = to_claims(signed_ones, more);
  EXPECT_EQ(claims.at("sub").values, std::vector<std::string>{"ann"});
  EXPECT_EQ(claims.at("email").values, std::vector<std::string>{"a@b"});
  EXPECT_EQ(claims.at("n").values, std::vector<std::string>{"1"});
  EXPECT_EQ(claims.at("b").values, std::vector<std::string>{"true"});
  EXPECT_EQ(claims.at("o").values, std::vector<std::string>{R"({"a":[1]})"});
  EXPECT_EQ(claims.at("g").values, (std::vector<std::string>{"x", "2"}));
  EXPECT_TRUE(claims.at("g").list);
  EXPECT_TRUE(claims.at("e").list);
  EXPECT_TRUE(claims.at("e").values.empty());
  EXPECT_FALSE(claims.contains("nonce"));
  EXPECT_FALSE(claims.contains("exp"));
  EXPECT_FALSE(claims.contains("z"));
}

}  // namespace
}  // namespace kith::identity::oidc
