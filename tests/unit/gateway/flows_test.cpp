// Logging in, being logged in, and logging out, as a browser lives through it.
#include <gtest/gtest.h>

#include "fakes.h"
#include "gateway/session_body.h"

namespace kith::gateway::testing {
namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(Login, SendsABrowserToTheConnectorAndBackToWhereItWas) {
  World world;
  FakeExchange start = world.get("/private/page?x=1");
  EXPECT_EQ(start.answer.status, 302);
  EXPECT_TRUE(world.last_location.starts_with("https://idp.test/auth?state="));
  EXPECT_EQ(start.answer.headers.get("Cache-Control"), "no-store");
  ASSERT_EQ(start.set_cookies().size(), 1u);
  EXPECT_TRUE(start.set_cookies()[0].starts_with("kith_txn_" + world.state().substr(0, 8) + "="));
  EXPECT_TRUE(has(start.set_cookies()[0], "; Max-Age=600; Path=/; HttpOnly; SameSite=Lax"));
  EXPECT_EQ(world.corp->last_origin, "http://app.test");

  FakeExchange back = world.get("/corp/cb?code=c&state=" + world.state());
  EXPECT_EQ(back.answer.status, 303);
  EXPECT_EQ(world.last_location, "/private/page?x=1");
  EXPECT_EQ(world.corp->last_remembered.at("nonce"), "n-corp");
  EXPECT_EQ(world.corp->last_callback.params.at("code"), "c");
  EXPECT_EQ(world.corp->last_callback.client, IpAddress::v4(192, 0, 2, 7));
  EXPECT_EQ(world.cookies.size(), 1u) << "the session's; the transaction's is gone";
  EXPECT_EQ(world.store.records.size(), 1u);
  EXPECT_EQ(world.get("/private/page?x=1").answer.status, 200);
  EXPECT_EQ(world.client.last().head.headers.get("X-User"), "alice@example.test");
  EXPECT_EQ(world.client.last().head.headers.get("X-Groups"), "hr,staff");
  EXPECT_EQ(world.client.last().head.headers.count("Cookie"), 0u);
  EXPECT_GT(world.store.touches, 0);
}

TEST(Login, IsNoRedirectForWhatCannotFollowOne) {
  World world;
  FakeExchange script("/private"), post("/private", "POST", "x"), api("/private"), socket("/private");
  world.run(script.with("Accept", "text/html").with("Sec-Fetch-Mode", "cors"));
  world.run(post.with("Accept", "text/html"));
  world.run(api.with("Accept", "*/*"));
  socket.head.upgrade = "websocket";
  world.run(socket.with("Sec-Fetch-Mode", "websocket"));
  for (const FakeExchange* exchange : {&script, &post, &api, &socket}) {
    EXPECT_EQ(exchange->answer.status, 401);
    EXPECT_EQ(exchange->answer.headers.count("WWW-Authenticate"), 1u);
    EXPECT_TRUE(exchange->set_cookies().empty());
  }
  FakeExchange old_browser("/private");
  EXPECT_EQ(world.run(old_browser.with("Accept", "text/html")).answer.status, 302);
}

TEST(Login, CanBeFinishedOnAnotherNode) {
  World a, b;
  a.get("/private");
  b.cookies = a.cookies;
  EXPECT_EQ(b.get("/corp/cb?state=" + a.state()).answer.status, 303);
  EXPECT_NE(b.session_cookie(), "");
}

TEST(Login, ThatThisBrowserDidNotBeginIsRefused) {
  World world;
  world.get("/private");
  std::string state = world.state();
  auto mine = world.cookies;
  world.cookies.clear();
  EXPECT_EQ(world.get("/corp/cb?code=c&state=" + state).answer.status, 400);
  world.cookies = mine;
  for (std::string bad : {std::string("/corp/cb"), "/corp/cb?state=" + state + "x",
                          "/corp/cb?state=" + state + "&state=" + state, "/other/cb?state=" + state}) {
    EXPECT_EQ(world.get(bad).answer.status, 400) << bad;
  }
  world.loop.advance(11min);
  EXPECT_EQ(world.get("/corp/cb?state=" + state).answer.status, 400);
  EXPECT_TRUE(world.store.records.empty());
  EXPECT_EQ(world.session_cookie(), "");
}

TEST(Login, TakesAFormPostAndRefusesOtherBodies) {
  World world;
  world.get("/private");
  FakeExchange large("/corp/cb", "POST", std::string(70'000, 'a'));
  EXPECT_EQ(world.run(large.with("Content-Type", "application/x-www-form-urlencoded")).answer.status, 413);
  FakeExchange json("/corp/cb", "POST", "{}");
  EXPECT_EQ(world.run(json.with("Content-Type", "application/json")).answer.status, 400);
  FakeExchange put("/corp/cb", "PUT", "state=x");
  EXPECT_EQ(world.run(put).answer.status, 400);
  world.get("/private");
  FakeExchange form("/corp/cb", "POST", "user=alice&state=" + world.state());
  EXPECT_EQ(
      world.run(form.with("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")).answer.status,
      303);
  EXPECT_EQ(world.corp->last_callback.params.at("user"), "alice");
}

TEST(Login, MayShowAPageWhichKeepsItOpen) {
  World world;
  world.get("/private");
  std::string state = world.state();
  world.corp->page = identity::Page{.status = 401, .html = "<p>again</p>"};
  FakeExchange page = world.get("/corp/cb?state=" + state);
  EXPECT_EQ(page.answer.status, 401);
  EXPECT_EQ(page.text, "<p>again</p>");
  EXPECT_EQ(page.answer.headers.get("Cache-Control"), "no-store");
  EXPECT_EQ(page.answer.headers.get("X-Content-Type-Options"), "nosniff");
  std::string policy(page.answer.headers.get("Content-Security-Policy"));
  EXPECT_TRUE(has(policy, "default-src 'none'") && has(policy, "frame-ancestors 'none'")) << policy;
  EXPECT_FALSE(has(policy, "script-src"));
  world.corp->page.reset();
  EXPECT_EQ(world.get("/corp/cb?state=" + state).answer.status, 303);
}

TEST(Login, ThatFailsSaysSoWithoutDetails) {
  World world;
  struct Row {
    Error error;
    int status;
  };
  const Row rows[] = {{Error(Code::denied, "secret detail", Side::upstream), 403},
                      {Error(Code::protocol, "secret detail", Side::upstream), 502},
                      {Error(Code::invalid, "secret detail", Side::client), 400},
                      {Error(Code::unavailable, "secret detail", Side::upstream), 503},
                      {Error(Code::timeout, "secret detail", Side::upstream), 504}};
  for (const Row& row : rows) {
    world.corp->failure.reset();
    world.get("/private");
    world.corp->failure = row.error;
    FakeExchange answer = world.get("/corp/cb?state=" + world.state());
    EXPECT_EQ(answer.answer.status, row.status);
    EXPECT_FALSE(has(answer.text, "secret detail"));
  }
  EXPECT_EQ(world.get("/private").answer.status, 504) << "nor does a login begin";
  EXPECT_TRUE(world.store.records.empty());
}

TEST(Login, IsAnsweredInTimeEvenWhenTheConnectorIsNot) {
  World world;
  runtime::OneShot<bool> gate;
  world.corp->hang = &gate;
  FakeExchange exchange("/private");
  exchange.browser();
  runtime::Scope scope;
  scope.spawn(world.gateway->handle(exchange));
  world.loop.advance(14s);
  EXPECT_FALSE(exchange.started());
  world.loop.advance(2s);
  EXPECT_EQ(exchange.answer.status, 504);
  EXPECT_EQ(scope.running(), 0u);
  gate.set(true);  // the call ends after its request did
}

TEST(Login, FailsWhenTheSessionCannotBeStored) {
  World world;
  world.get("/private");
  world.store.refuse = true;
  EXPECT_EQ(world.get("/corp/cb?state=" + world.state()).answer.status, 503);
  EXPECT_EQ(world.session_cookie(), "");
}

TEST(Login, NotAcknowledgedInTimeStandsAndIsLogged) {
  World world;
  world.store.at_level = false;
  EXPECT_EQ(world.log_in().answer.status, 303);
  EXPECT_EQ(world.gateway->counters().sessions_not_at_level.value(), 1u);
}

TEST(Login, WithStrictCookiesGoesOnByAPageOfOurs) {
  GatewayConfig config = test_config();
  config.session.cookie.same_site = CookieConfig::SameSite::strict;
  World world(config);
  FakeExchange back = world.log_in();
  EXPECT_EQ(back.answer.status, 200);
  EXPECT_TRUE(has(back.text, "content=\"0;url=/private/page?x=1\""));
}

TEST(Sessions, GetANewIdAtEachLoginAndTheOldOneEnds) {
  World world;
  world.log_in();
  std::string first = world.session_cookie();
  auto first_key = world.store.records.begin()->first;
  world.get("/private");
  FakeExchange direct = world.log_in("other");
  EXPECT_EQ(direct.answer.status, 303);
  EXPECT_NE(world.session_cookie(), first);
  EXPECT_TRUE(world.store.ended.count(first_key));
  EXPECT_EQ(world.store.records.size(), 1u);
  EXPECT_EQ(world.get("/private").answer.status, 200) << "the first identity came along";
  EXPECT_EQ(world.get("/second/page").answer.status, 200);
  std::string now = std::exchange(world.cookies["kith_session"], first);
  EXPECT_EQ(world.get("/private").answer.status, 302) << "the old id is dead";
}

TEST(Sessions, OfAnotherPersonTakeNothingOver) {
  World world;
  world.log_in("other");
  world.log_in();
  world.other->identity.subject = "mallory";
  // "other" says somebody else now: what "corp" proved was not about her.
  auto cookie = world.session_cookie();
  world.cookies.erase("kith_session");
  world.get("/second/page");
  world.cookies["kith_session"] = cookie;
  EXPECT_EQ(world.get("/other/cb?state=" + world.state()).answer.status, 303);
  EXPECT_EQ(world.get("/second/page").answer.status, 200);
  EXPECT_EQ(world.get("/private").answer.status, 302);
}

TEST(Sessions, EndedWhileTheNextLoginComesBackAreNotTakenOver) {
  World world;
  world.log_in();
  world.get("/second/page");
  runtime::OneShot<bool> gate;
  world.other->hang_at_the_end = &gate;
  FakeExchange back("/other/cb?state=" + world.state());
  std::string cookies;
  for (const auto& [name, value] : world.cookies)
    cookies.append(cookies.empty() ? "" : "; ").append(name + "=" + value);
  back.browser().with("Cookie", cookies);
  runtime::Scope scope;
  scope.spawn(world.gateway->handle(back));
  EXPECT_FALSE(back.started());
  for (auto& [key, record] : world.store.records) world.store.ended[key] = cluster::EndReason::administrator;
  world.store.records.clear();
  gate.set(true);
  world.loop.advance(1s);
  EXPECT_EQ(back.answer.status, 303);
  ASSERT_EQ(world.store.records.size(), 1u);
  auto kept = decode_session_body(world.store.records.begin()->second.body);
  ASSERT_TRUE(kept);
  ASSERT_EQ(kept->size(), 1u);
  EXPECT_EQ(kept->front().connector, "other");
}

TEST(Sessions, TakenOverDoNotLiveLonger) {
  World world;
  world.log_in();
  WallTime expires = world.store.records.begin()->second.expires;
  world.loop.advance(5h);
  world.log_in("other");
  EXPECT_EQ(world.store.records.begin()->second.expires, expires);
}

TEST(Sessions, ThatTheStoreCallsEndedAreNobodys) {
  World world;
  world.log_in();
  EXPECT_EQ(world.get("/private").answer.status, 200);
  for (auto& [key, record] : world.store.records) world.store.ended[key] = cluster::EndReason::logout;
  EXPECT_EQ(world.get("/private").answer.status, 302);
}

TEST(Sessions, OfADuplicatedOrChangedCookieAreNobodys) {
  World world;
  world.log_in();
  std::string good = world.session_cookie();
  world.cookies["kith_session"] = good.substr(0, good.size() - 1) + (good.back() == 'A' ? "B" : "A");
  EXPECT_EQ(world.get("/private").answer.status, 302);
  world.cookies["kith_session"] = good + "; kith_session=" + good;
  EXPECT_EQ(world.get("/private").answer.status, 302);
  world.cookies["kith_session"] = good;
  EXPECT_EQ(world.get("/private").answer.status, 200);
}

TEST(Sessions, SetACookieOnlyWhenTheirStateChanged) {
  World world;
  world.log_in();
  EXPECT_TRUE(world.get("/private").set_cookies().empty());
}

TEST(Sessions, FollowTheKeysThroughAnyNumberOfRotations) {
  World world;
  world.log_in();
  const auto key = [](int number) { return crypto::Secret("key number " + std::to_string(number)); };
  world.cookie_keys->set({crypto::Secret(std::string_view("a key of thirty-two bytes length")), key(1)});
  EXPECT_TRUE(world.get("/private").set_cookies().empty()) << "the first key signs, as before";
  world.cookie_keys->set({key(1), crypto::Secret(std::string_view("a key of thirty-two bytes length"))});
  for (int i = 2; i < 50; ++i) {
    std::string before = world.session_cookie();
    FakeExchange answer = world.get("/private");
    EXPECT_EQ(answer.answer.status, 200) << i;
    EXPECT_EQ(answer.set_cookies().size(), 1u);
    EXPECT_EQ(answer.answer.headers.get("Cache-Control"), "no-store");
    EXPECT_NE(world.session_cookie(), before);
    EXPECT_EQ(world.session_cookie().substr(0, 45), before.substr(0, 45)) << "the same session";
    EXPECT_TRUE(world.get("/private").set_cookies().empty()) << "once";
    world.cookie_keys->set({key(i), key(i - 1)});
  }
  world.cookie_keys->set({key(1000)});
  EXPECT_EQ(world.get("/private").answer.status, 302) << "a key that is forgotten verifies nothing";
}

TEST(Sessions, AreFinishedWithTheNewKeyWhenTheirLoginBeganWithTheOldOne) {
  World world;
  world.get("/private/page?x=1");
  world.cookie_keys->set({crypto::Secret(std::string_view("the new key")),
                          crypto::Secret(std::string_view("a key of thirty-two bytes length"))});
  EXPECT_EQ(world.get("/corp/cb?code=c&state=" + world.state()).answer.status, 303);
  EXPECT_EQ(world.get("/private").answer.status, 200);
}

TEST(Sessions, StoreNoBearerValue) {
  World world;
  world.log_in();
  auto id = unbase64url(world.session_cookie().substr(2, 43));
  ASSERT_TRUE(id);
  EXPECT_NE(
      Bytes(world.store.records.begin()->first.bytes.begin(), world.store.records.begin()->first.bytes.end()),
      *id);
}

struct Logout : ::testing::Test {
  World world;
  FakeExchange from_here(std::string target) {
    FakeExchange exchange(std::move(target));
    world.run(exchange.browser().with("Sec-Fetch-Site", "same-origin"));
    return exchange;
  }
};

TEST_F(Logout, EndsTheSessionBeforeTheBrowserIsAtTheLastProvider) {
  world.log_in();
  FakeExchange out = from_here("/logout");
  EXPECT_EQ(out.answer.status, 303);
  EXPECT_TRUE(world.last_location.starts_with("https://idp.test/corp/end?state="));
  EXPECT_TRUE(world.store.records.empty());
  EXPECT_EQ(world.session_cookie(), "");
  FakeExchange back = world.get("/corp/out?state=" + world.state());
  EXPECT_EQ(back.answer.status, 200);
  EXPECT_TRUE(has(back.text, "You have been logged out."));
  EXPECT_TRUE(world.cookies.empty());
}

TEST_F(Logout, VisitsEachProviderInTurn) {
  world.log_in();
  world.log_in("other");
  from_here("/logout");
  EXPECT_TRUE(has(world.last_location, "/corp/end"));
  EXPECT_EQ(world.store.records.size(), 1u);
  world.get("/corp/out?state=" + world.state());
  EXPECT_TRUE(has(world.last_location, "/other/end"));
  EXPECT_TRUE(world.store.records.empty());
  EXPECT_EQ(world.get("/other/out?state=" + world.state()).answer.status, 200);
}

TEST_F(Logout, NeedsNoProvider) {
  world.corp->logs_out = false;
  world.log_in();
  EXPECT_TRUE(has(from_here("/logout").text, "You have been logged out."));
  EXPECT_TRUE(world.store.records.empty());
  EXPECT_TRUE(world.cookies.empty());
}

TEST_F(Logout, AsksWhenAnotherSiteMayHaveSentTheBrowser) {
  world.corp->logs_out = false;
  world.log_in();
  for (std::string_view site : {"cross-site", "same-site", ""}) {
    FakeExchange exchange("/logout");
    if (!site.empty()) exchange.with("Sec-Fetch-Site", std::string(site));
    world.run(exchange.browser());
    EXPECT_EQ(exchange.answer.status, 200);
    EXPECT_TRUE(has(exchange.text, "<form method=\"post\">"));
    EXPECT_EQ(world.store.records.size(), 1u) << site;
  }
  FakeExchange foreign("/logout", "POST", "x=1");
  world.run(foreign.with("Origin", "https://evil.test"));
  EXPECT_EQ(world.store.records.size(), 1u);
  FakeExchange own("/logout", "POST", "x=1");
  world.run(own.with("Origin", "http://app.test"));
  EXPECT_TRUE(world.store.records.empty());
  FakeExchange other_method("/logout", "DELETE");
  EXPECT_EQ(world.run(other_method).answer.status, 405);
}

TEST_F(Logout, DoesNotHappenByAStrayCallback) {
  world.log_in();
  EXPECT_EQ(world.get("/corp/out?state=x").answer.status, 400);
  EXPECT_EQ(world.get("/private").answer.status, 200);
}

TEST_F(Logout, OfAnEarlierSessionDoesNotEndALaterOne) {
  world.log_in();
  from_here("/logout");
  const std::string state = world.state();
  const std::string name = world.routes->cookies.logout_name();
  const std::string left = world.cookies.at(name);
  world.log_in();
  EXPECT_EQ(world.cookies.count(name), 0u) << "a login ends what is left of a logout";
  world.cookies[name] = left;
  EXPECT_EQ(world.get("/corp/out?state=" + state).answer.status, 400);
  EXPECT_EQ(world.get("/corp/out").answer.status, 400);
  EXPECT_EQ(world.get("/private").answer.status, 200);
}

TEST_F(Logout, SaysSoWhenItDidNotWork) {
  world.corp->logs_out = false;
  world.log_in();
  world.store.refuse = true;
  EXPECT_EQ(from_here("/logout").answer.status, 503);
  EXPECT_NE(world.session_cookie(), "");
}

TEST_F(Logout, RevokesASessionThatThisNodeDoesNotKnow) {
  world.corp->logs_out = false;
  world.log_in();
  auto key = world.store.records.begin()->first;
  world.store.records.clear();
  from_here("/logout");
  EXPECT_TRUE(world.store.ended.count(key));
}

TEST(LogoutConfiguration, MayNameAnAppsPathAndAPageAfterwards) {
  GatewayConfig config = test_config();
  config.apps[0].logout_path = "/app/bye";
  config.single_logout.post_logout_redirect_url = "https://www.test/bye";
  World world(config);
  world.corp->logs_out = false;
  world.log_in();
  FakeExchange exchange("/app/bye");
  world.run(exchange.browser().with("Sec-Fetch-Site", "none"));
  EXPECT_EQ(exchange.answer.status, 303);
  EXPECT_EQ(world.last_location, "https://www.test/bye");
  EXPECT_TRUE(world.store.records.empty());
}

TEST(Configuration, ThatCannotBeServedIsRefused) {
  auto refuses = [](auto change) {
    GatewayConfig config = test_config();
    change(config);
    return !make_routes(std::move(config));
  };
  EXPECT_FALSE(refuses([](GatewayConfig&) {}));
  EXPECT_TRUE(refuses([](GatewayConfig& c) { c.apps[0].route_patterns = {"a b"}; }));
  EXPECT_TRUE(refuses([](GatewayConfig& c) { c.apps[0].headers[0].name = "Host"; }));
  EXPECT_TRUE(refuses([](GatewayConfig& c) { c.apps[0].policies[0].location = "~ ("; }));
  EXPECT_TRUE(refuses([](GatewayConfig& c) { c.apps[0].logout_path = "bye"; }));
  EXPECT_TRUE(refuses([](GatewayConfig& c) { c.http.trusted_proxies = {"everybody"}; }));
  EXPECT_TRUE(refuses([](GatewayConfig& c) { c.health.location = "status"; }));
  EXPECT_TRUE(refuses([](GatewayConfig& c) { c.single_logout.logout_url = "/logout"; }));
  EXPECT_TRUE(refuses([](GatewayConfig& c) { c.apps.push_back(c.apps[0]); }));
}

}  // namespace
}  // namespace kith::gateway::testing
