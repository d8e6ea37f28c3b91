#include "gateway/gateway.h"

#include <gtest/gtest.h>

#include "fakes.h"

namespace kith::gateway::testing {
namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(Health, IsAnsweredBeforeEverythingElseAndByNothingAClientSends) {
  World world;
  for (auto [health, status, word] :
       {std::tuple(Health::up, 200, "up"), std::tuple(Health::starting, 503, "starting"),
        std::tuple(Health::syncing, 503, "syncing"), std::tuple(Health::draining, 503, "draining"),
        std::tuple(Health::standby, 503, "standby"), std::tuple(Health::no_majority, 503, "no_majority")}) {
    world.health.now = health;
    FakeExchange answer = world.get("/status?x=1");
    EXPECT_EQ(answer.answer.status, status);
    EXPECT_EQ(answer.text, std::string("{\"status\":\"") + word + "\"}");
  }
  world.health.now = Health::up;
  world.health.flawed = true;
  FakeExchange degraded = world.get("/status");
  EXPECT_EQ(degraded.answer.status, 200);
  EXPECT_EQ(degraded.text, "{\"status\":\"up\",\"degraded\":true}");
  FakeExchange post("/status", "POST");
  EXPECT_EQ(world.run(post).answer.status, 405);
  EXPECT_EQ(world.get("/status/x").answer.status, 302) << "only the path itself";
  EXPECT_TRUE(world.store.asked.empty());
}

TEST(Readiness, ANodeThatHasNotCaughtUpSendsRequestsElsewhereAndADrainingOneServesOn) {
  World world;
  for (Health health : {Health::starting, Health::syncing}) {
    world.health.now = health;
    for (std::string path : {"/public", "/private", "/corp/cb?state=x", "/logout"}) {
      FakeExchange answer = world.get(path);
      EXPECT_EQ(answer.answer.status, 503) << path;
      EXPECT_EQ(answer.answer.headers.get("Retry-After"), "1");
    }
    EXPECT_TRUE(world.client.sent.empty());
    EXPECT_TRUE(has(world.log->lines.back(), "decision=unready"));
    FakeExchange forwarded("/public");
    forwarded.origin_facts.forwarded_by = "b";
    EXPECT_EQ(world.run(forwarded).answer.status, 200) << "another member has chosen this node";
    world.client.sent.clear();
  }
  world.health.now = Health::draining;
  EXPECT_EQ(world.get("/public").answer.status, 200);
}

TEST(Requests, ToOpenPathsReachTheUpstreamCanonicalAndWithTheBasePath) {
  World world;
  FakeExchange exchange("/public/%7Ea?q=%20");
  exchange.with("X-User", "spoofed").with("X-Test", "kept");
  world.run(exchange);
  EXPECT_EQ(exchange.answer.status, 200);
  EXPECT_EQ(exchange.text, "hello");
  EXPECT_TRUE(exchange.finished);
  EXPECT_EQ(exchange.answer.headers.get("X-Kith-Node"), "a");
  EXPECT_EQ(exchange.answer.headers.count("X-Request-Id"), 1u);
  const http::ClientRequest& sent = world.client.last();
  EXPECT_EQ(sent.url.text(), "http://10.0.0.9:8000/base/public/~a?q=%20");
  EXPECT_EQ(sent.host_header, "10.0.0.9:8000");
  EXPECT_EQ(sent.head.headers.count("X-User"), 0u);
  EXPECT_EQ(sent.head.headers.get("X-Test"), "kept");
}

TEST(Requests, WithABodyAreStreamedOn) {
  World world;
  FakeExchange exchange("/public", "POST",
                        "a body longer than one read of the fake client, which takes 64 bytes");
  world.run(exchange);
  EXPECT_EQ(world.client.body, "a body longer than one read of the fake client, which takes 64 bytes");
  EXPECT_EQ(world.client.last().head.content_length, world.client.body.size());
}

TEST(Requests, KeepTheHostWhenConfigured) {
  GatewayConfig config = test_config();
  config.apps[0].preserve_host = true;
  World world(config);
  world.get("/public");
  EXPECT_EQ(world.client.last().host_header, "app.test");
}

TEST(Requests, WithoutARouteAreNotFound) {
  GatewayConfig config = test_config();
  config.apps[0].route_patterns = {"other.test"};
  World world(config);
  EXPECT_EQ(world.get("/public").answer.status, 404);
  EXPECT_TRUE(world.client.sent.empty());
}

TEST(Requests, AreDeniedWhereNoRuleAllows) {
  World world;
  world.log_in();
  FakeExchange answer = world.get("/admin/x");
  EXPECT_EQ(answer.answer.status, 403);
  EXPECT_TRUE(world.client.sent.empty());
  EXPECT_TRUE(has(world.log->lines.back(), "decision=deny"));
}

TEST(Requests, KeepTheRequestIdOfATrustedPeerAlone) {
  GatewayConfig config = test_config();
  config.http.trusted_proxies = {"192.0.2.7"};
  World trusting(config), plain;
  FakeExchange one("/public"), two("/public"), bad("/public");
  trusting.run(one.with("X-Request-Id", "abc-1"));
  EXPECT_EQ(one.answer.headers.get("X-Request-Id"), "abc-1");
  plain.run(two.with("X-Request-Id", "abc-1"));
  EXPECT_NE(two.answer.headers.get("X-Request-Id"), "abc-1");
  trusting.run(bad.with("X-Request-Id", "a b<script>"));
  EXPECT_EQ(bad.answer.headers.get("X-Request-Id").size(), 24u);
}

TEST(Upstreams, ThatFailAreABadGatewayOrATimeout) {
  World world;
  world.client.failure = Error(Code::refused, "connection refused by 10.0.0.9", Side::upstream);
  FakeExchange answer("/public");
  world.run(answer);
  EXPECT_EQ(answer.answer.status, 502);
  EXPECT_EQ(answer.answer.headers.get("Content-Type"), "application/problem+json");
  EXPECT_FALSE(has(answer.text, "10.0.0.9")) << "details go to the log";
  world.client.failure = Error(Code::timeout, "no head", Side::upstream);
  FakeExchange html = world.get("/public/<x>");
  EXPECT_EQ(html.answer.status, 504);
  EXPECT_TRUE(has(html.text, "<!doctype html>"));
  EXPECT_FALSE(has(html.text, "<x>"));
  world.client.failure = std::nullopt;
  world.client.broken = true;
  EXPECT_TRUE(world.get("/public").aborted) << "a broken body must not look whole";
}

TEST(Upstreams, DoNotGetTraceOrForeignUpgrades) {
  World world;
  FakeExchange trace("/public", "TRACE");
  EXPECT_EQ(world.run(trace).answer.status, 405);
  FakeExchange h2c("/public");
  h2c.head.upgrade = "h2c";
  world.run(h2c.with("Upgrade", "h2c").with("HTTP2-Settings", "AAMAAABk"));
  EXPECT_EQ(world.client.last().head.upgrade, "");
  EXPECT_EQ(world.client.last().head.headers.count("HTTP2-Settings"), 0u);
  world.client.answer.status = 101;
  FakeExchange unasked("/public");
  EXPECT_EQ(world.run(unasked).answer.status, 502);
}

TEST(Upstreams, AndBrowsersTalkThroughAWebSocket) {
  World world;
  world.client.answer.status = 101;
  FakeExchange exchange("/public/ws");
  exchange.head.upgrade = "websocket";
  exchange.stream_input = "from browser";
  world.run(exchange);
  EXPECT_EQ(exchange.answer.status, 101);
  EXPECT_EQ(exchange.stream_output, "from upstream");
  EXPECT_EQ(world.client.stream_output, "from browser");
}

// A person who is logged in, with an event stream and a WebSocket open.
struct OpenStreams {
  explicit OpenStreams(GatewayConfig config = test_config()) : world(std::move(config)) {
    world.log_in();
    world.loop.defer = true;
    world.client.endless = true;
    const std::string cookie = world.routes->cookies.session_name() + "=" + world.session_cookie();
    for (FakeExchange* each : {&events, &socket}) each->with("Cookie", cookie);
    scope.spawn(world.gateway->handle(events));
    world.client.answer.status = 101;
    socket.head.upgrade = "websocket";
    socket.stream_endless = true;
    scope.spawn(world.gateway->handle(socket));
    world.client.answer.status = 200;
    world.client.endless = false;
  }
  void log_out() {
    FakeExchange exchange("/logout");
    world.run(exchange.browser().with("Sec-Fetch-Site", "same-origin"));
  }
  size_t lines_with(std::string_view text) const {
    return static_cast<size_t>(std::count_if(world.log->lines.begin(), world.log->lines.end(),
                                             [&](const std::string& line) { return has(line, text); }));
  }
  World world;
  FakeExchange events{"/private/events"}, socket{"/private/ws"};
  runtime::Scope scope;
};

TEST(Streams, AreCutWhenTheSessionEnds) {
  OpenStreams open;
  open.world.loop.advance(1min);
  EXPECT_EQ(open.scope.running(), 2u);
  EXPECT_EQ(open.events.text, "hello");
  open.log_out();
  open.world.loop.advance(1s);
  EXPECT_EQ(open.scope.running(), 0u);
  EXPECT_TRUE(open.events.aborted);
  EXPECT_FALSE(open.events.finished) << "it must not look whole";
  EXPECT_EQ(open.lines_with("reason=session ended"), 2u);
}

TEST(Streams, AreCutWhenTheSessionExpires) {
  GatewayConfig config = test_config();
  config.session.max_timeout = 30min;
  OpenStreams open(config);
  open.world.loop.advance(30min - 2s);
  EXPECT_EQ(open.scope.running(), 2u);
  open.world.loop.advance(5s);
  EXPECT_EQ(open.scope.running(), 0u);
}

TEST(Streams, OfOthersGoOn) {
  OpenStreams open;
  World& world = open.world;
  world.cookies.clear();
  world.log_in();
  open.log_out();
  world.loop.advance(1min);
  EXPECT_EQ(open.scope.running(), 2u);
  ASSERT_EQ(world.store.records.size(), 1u);
  world.store.watches().ended(world.store.records.begin()->first);
  world.loop.advance(1s);
}

TEST(Upstreams, WithAnUnknownTlsProfileAreNotAsked) {
  GatewayConfig config = test_config();
  config.apps[0].tls = "nowhere";
  World world(config);
  EXPECT_EQ(world.get("/public").answer.status, 502);
  EXPECT_TRUE(world.client.sent.empty());
}

TEST(AccessLog, SaysWhoWhatAndWhereButNoSecret) {
  World world;
  world.log_in();
  std::string cookie = world.session_cookie();
  world.get("/private/page?token=very-secret");
  const std::string& line = world.log->lines.back();
  for (std::string_view part :
       {"access request", "method=GET", "host=app.test", "path=/private/page ", "status=200", "route=main",
        "served_by=a", "user_id=alice@corp", "session_ref=", "decision=allow", "client_ip=192.0.2.7",
        "upstream=http://10.0.0.9:8000", "bytes_out=5"}) {
    EXPECT_TRUE(has(line, part)) << part << " in " << line;
  }
  std::string key = world.store.records.begin()->first.hex();
  for (const std::string& any : world.log->lines) {
    EXPECT_FALSE(has(any, "very-secret")) << any;
    EXPECT_FALSE(has(any, cookie.substr(2, 20))) << any;
    EXPECT_FALSE(has(any, key.substr(0, 16))) << any;
  }
}

// ---- behind the user: the decision matrix

struct Behind : ::testing::Test {
  using Kind = cluster::CatchUp::Kind;
  NodeId there{.bytes = {9}};
  GatewayConfig config = test_config();
  std::unique_ptr<World> world;

  void start(bool forwards_beyond_store = false) {
    world = std::make_unique<World>(config, forwards_beyond_store);
    world->log_in();
    world->store.applied = 0;  // from now on this node has not seen the login
  }
  FakeExchange ask(std::deque<cluster::CatchUp> outcomes) {
    world->store.outcomes = std::move(outcomes);
    return world->get("/private");
  }
};

TEST_F(Behind, PullsFirstAndServesHereWhenItCameIn) {
  start();
  EXPECT_EQ(ask({{Kind::here, {}}}).answer.status, 200);
  EXPECT_EQ(world->store.pulls, std::vector<bool>{true});
  EXPECT_TRUE(world->forwarder.targets.empty());
  EXPECT_EQ(world->store.asked.back().origin.node, world->store.node) << "the prefix was completed";
}

TEST_F(Behind, ForwardsOneHopWhenTheStateIsElsewhere) {
  start();
  FakeExchange answer = ask({{Kind::elsewhere, there}});
  EXPECT_EQ(world->forwarder.targets, std::vector<NodeId>{there});
  EXPECT_TRUE(world->client.sent.empty());
  EXPECT_EQ(answer.answer.headers.get("X-Kith-Node"), "b") << "the other node's own header stays";
  EXPECT_EQ(world->forwarder.seen.headers.count("X-Request-Id"), 1u);
  EXPECT_EQ(world->gateway->counters().requests_forwarded_out.value(), 1u);
  EXPECT_TRUE(has(world->log->lines.back(), "forwarded_to=b"));
}

TEST_F(Behind, ASessionOfAnotherClusterIsServedByTheNodeOfItsLastWrite) {
  start(true);
  ask({{Kind::lost, {}}});
  EXPECT_EQ(world->forwarder.targets, std::vector<NodeId>{world->store.node});
  world->forwarder.failure = Error(Code::unreachable, "no link");
  EXPECT_EQ(ask({{Kind::lost, {}}}).answer.status, 302) << "that node is gone: log in again";
  EXPECT_EQ(world->forwarder.targets.size(), 2u);
}

TEST_F(Behind, PrefersForwardingWhenConfigured) {
  config.http.routing.prefer = http::RoutingConfig::Prefer::forward;
  start();
  ask({{Kind::elsewhere, there}});
  EXPECT_EQ(world->store.pulls, std::vector<bool>{false});
  EXPECT_EQ(world->forwarder.targets.size(), 1u);
}

TEST_F(Behind, PullsAfterAllWhenForwardingFails) {
  config.http.routing.prefer = http::RoutingConfig::Prefer::forward;
  start();
  world->forwarder.failure = Error(Code::unreachable, "no link");
  EXPECT_EQ(ask({{Kind::elsewhere, there}, {Kind::here, {}}}).answer.status, 200);
  EXPECT_EQ(world->store.pulls, (std::vector<bool>{false, true}));
  EXPECT_EQ(world->gateway->counters().forward_failures.value(), 1u);
}

TEST_F(Behind, DoesNotRepeatWhatTheOtherNodeMayHaveDone) {
  start();
  world->forwarder.failure = Error(Code::timeout, "no head");
  world->store.outcomes = {{Kind::elsewhere, there}};
  FakeExchange post("/private", "POST", "x");
  EXPECT_EQ(world->run(post).answer.status, 504);
  EXPECT_TRUE(world->client.sent.empty());
}

TEST_F(Behind, AStandbyHandsEverythingButItsStatusToTheLeader) {
  start();
  world->health.stands = {cluster::Standing::Kind::standby, there};
  FakeExchange page("/private");
  EXPECT_EQ(world->run(page).answer.status, 200);
  EXPECT_EQ(world->forwarder.targets, std::vector<NodeId>{there});
  EXPECT_TRUE(world->client.sent.empty());
  world->health.now = Health::standby;
  FakeExchange status("/status");
  EXPECT_EQ(world->run(status).answer.status, 503);
  EXPECT_EQ(status.text, R"({"status":"standby"})");
  EXPECT_EQ(world->forwarder.targets.size(), 1u);
}

TEST_F(Behind, ANodeThatDoesNotHearTheClusterRefusesWhatFailsClosedAndNothingElse) {
  auto& policies = config.apps[0].policies;
  PolicyConfig closed = *std::find_if(policies.begin(), policies.end(),
                                      [](const PolicyConfig& one) { return one.location == "/"; });
  closed.location = "/closed";
  closed.fail_closed = true;
  policies.push_back(closed);
  World one(config);
  one.log_in();
  one.health.hears = false;
  EXPECT_EQ(one.get("/private").answer.status, 200);
  FakeExchange refused = one.get("/closed");
  EXPECT_EQ(refused.answer.status, 503);
  EXPECT_EQ(refused.answer.headers.get("Retry-After"), "1");
  one.health.hears = true;
  EXPECT_EQ(one.get("/closed").answer.status, 200);
}

TEST_F(Behind, AStandbyThatCannotForwardSaysSo) {
  start();
  world->health.stands = {cluster::Standing::Kind::standby, std::nullopt};
  FakeExchange leaderless("/private");
  EXPECT_EQ(world->run(leaderless).answer.status, 503);
  EXPECT_EQ(leaderless.answer.headers.get("Retry-After"), "1");
  world->health.stands.leader = there;
  FakeExchange forwarded("/private");
  forwarded.origin_facts.forwarded_by = "b";  // the leader has changed meanwhile
  EXPECT_EQ(world->run(forwarded).answer.status, 503);
  EXPECT_TRUE(world->forwarder.targets.empty());
  world->forwarder.failure = Error(Code::timeout, "no head");
  FakeExchange post("/private", "POST", "x");
  EXPECT_EQ(world->run(post).answer.status, 504) << "it may have been done";
}

TEST_F(Behind, AStandbyInvitesToTryAgainOnlyWhatTheLeaderHasNotDone) {
  start();
  world->health.stands = {cluster::Standing::Kind::standby, there};
  auto status_after = [&](Code code, const char* method) {
    world->forwarder.failure = Error(code, "no answer");
    FakeExchange exchange("/private", method);
    return world->run(exchange).answer.status;
  };
  EXPECT_EQ(status_after(Code::closed, "DELETE"), 502) << "it was lost with the request";
  EXPECT_EQ(status_after(Code::closed, "GET"), 503);
  for (Code code : {Code::unreachable, Code::unavailable, Code::limit})
    EXPECT_EQ(status_after(code, "DELETE"), 503) << "not taken";
}

TEST_F(Behind, DoesNotRepeatWhatTheOtherNodeTookWhenItIsLost) {
  config.http.routing.prefer = http::RoutingConfig::Prefer::forward;
  start();
  world->forwarder.failure = Error(Code::closed, "the other node was lost");
  world->store.outcomes = {{Kind::elsewhere, there}, {Kind::here, {}}};
  FakeExchange bodiless("/private", "DELETE");
  EXPECT_EQ(world->run(bodiless).answer.status, 502);
  EXPECT_TRUE(world->client.sent.empty());
  EXPECT_EQ(ask({{Kind::elsewhere, there}, {Kind::here, {}}}).answer.status, 200);  // a GET is
}

TEST_F(Behind, NeverForwardsWhatWasForwarded) {
  start();
  FakeExchange exchange("/private");
  exchange.origin_facts.forwarded_by = "b";
  exchange.with("X-Request-Id", "from-b");
  world->run(exchange.browser());
  EXPECT_EQ(exchange.answer.status, 200) << "it answers with what it knows";
  EXPECT_TRUE(world->forwarder.targets.empty());
  EXPECT_TRUE(world->store.pulls.empty());
  EXPECT_EQ(world->gateway->counters().forwarded_twice_refused.value(), 1u);
  EXPECT_EQ(world->gateway->counters().requests_forwarded_in.value(), 1u);
  EXPECT_EQ(exchange.answer.headers.get("X-Kith-Forwarded-By"), "b");
  EXPECT_EQ(exchange.answer.headers.get("X-Request-Id"), "from-b");
  EXPECT_EQ(world->client.last().head.headers.get("X-Kith-Forwarded-By"), "b");
}

TEST_F(Behind, AClientCannotSayThatItWasForwarded) {
  start();
  FakeExchange exchange("/private");
  exchange.with("X-Kith-Forwarded-By", "b");
  world->store.outcomes = {{Kind::elsewhere, there}};
  world->run(exchange.browser());
  EXPECT_EQ(world->forwarder.targets.size(), 1u);
}

TEST_F(Behind, OnlyPullsWithoutRouting) {
  config.http.routing.enabled = false;
  start();
  EXPECT_EQ(ask({{Kind::elsewhere, there}}).answer.status, 302) << "not to be had here: log in again";
  EXPECT_TRUE(world->forwarder.targets.empty());
}

TEST_F(Behind, DoesAsConfiguredWhenTheStateIsLost) {
  start();
  EXPECT_EQ(ask({{Kind::lost, {}}}).answer.status, 302) << "reauth is the default";
  EXPECT_EQ(world->gateway->counters().catch_up_lost.value(), 1u);
  config.http.routing.lost = http::RoutingConfig::Lost::stale;
  start();
  EXPECT_EQ(ask({{Kind::lost, {}}}).answer.status, 200);
  config.http.routing.lost = http::RoutingConfig::Lost::fail;
  start();
  FakeExchange answer = ask({{Kind::lost, {}}});
  EXPECT_EQ(answer.answer.status, 503);
  EXPECT_EQ(answer.answer.headers.get("Retry-After"), "1");
}

TEST_F(Behind, DoesNotWaitForASessionThatHasEndedHere) {
  start();
  world->store.ended[world->store.records.begin()->first] = cluster::EndReason::logout;
  EXPECT_EQ(world->get("/private").answer.status, 302);
  EXPECT_TRUE(world->store.pulls.empty());
}

}  // namespace
}  // namespace kith::gateway::testing
