#include "gateway/policy.h"

#include <gtest/gtest.h>

#include "fakes.h"
#include "gateway/client_address.h"
#include "gateway/router.h"

namespace kith::gateway::testing {
namespace {

TEST(Pattern, MatchesAsTheTableSays) {
  struct Row {
    std::string_view pattern, text;
    bool matches;
  };
  const Row rows[] = {
      {"\\.(css|js|png)$", "/a/b.css", true},
      {"\\.(css|js|png)$", "/a/b.css/private", false},
      {"\\.(css|js|png)$", "/a/bcss", false},
      {"\\.(css|js|png)", "/a/b.css", true},
      {"\\.(css|js|png)", "/a/b.css/private", false},
      {"[^/]+\\.css", "/a/b.css", true},
      {"/public/.*", "/public/x/y", true},
      {"/public/.*", "/admin/index.php/public/x", false},
      {"/public", "/public/x", false},
      {"/public|/open", "/open", true},
      {"/public|/open", "/open/x", false},
      {"/public|/open", "/x/public", false},
      {".*\\.css", "/a/b.css", true},
      {".*\\.css", "/a/b.css/edit", false},
      {"a*", "/b/a", false},
      {"^admin", "/admin", false},
      {"^/api/v[0-9]+/.*", "/api/v12/x", true},
      {"^/api/v[0-9]+/.*", "/x/api/v12/x", false},
      {"^/api/v[0-9]+/", "/api/v12/x", false},
      {"^/a{2,3}$", "/aa", true},
      {"^/a{2,3}$", "/aaaa", false},
      {"^/a{2,}$", "/aaaaaa", true},
      {"^/(?:x|y)?z$", "/z", true},
      {"^/[^/]+/edit$", "/42/edit", true},
      {"^/[^/]+/edit$", "/4/2/edit", false},
      {"(?i)^/ADMIN", "/admin", true},
      {"(?i)\\.CSS", "/a.css", true},
      {"^/[\\w.-]+$", "/a.b-c_d", true},
      {"^$", "", true},
      {"", "/anything", false},
      {"(a*)*b", "/aaaa", false},
      {"^/[]x]$", "/]", true},
  };
  for (const Row& row : rows) {
    auto pattern = Pattern::compile(row.pattern);
    ASSERT_TRUE(pattern) << row.pattern;
    EXPECT_EQ(pattern->matches(row.text), row.matches) << row.pattern << " on " << row.text;
  }
}

TEST(Pattern, RefusesWhatItDoesNotSupportOrCannotBound) {
  std::string deep(100, '(');
  for (std::string_view bad : std::initializer_list<std::string_view>{
           "(", ")", "[a", "a{2", "a{3,2}", "a{999}", "*a", "a**", "(?=x)", "\\1", "\\b", "a\\",
           "((((a{255}){255}){255}){255})", "((((){255}){255}){255}){255}", "[z-a]", deep}) {
    EXPECT_FALSE(Pattern::compile(bad)) << bad;
  }
}

TEST(Pattern, IsNotSlowOnTextsMadeToBeSlow) {
  auto pattern = Pattern::compile("^(a|aa|a*)*$");
  ASSERT_TRUE(pattern);
  EXPECT_FALSE(pattern->matches(std::string(30'000, 'a') + "b"));  // ends at all
}

TEST(Router, PrefersExactHostsThenLongerPathsOnSegmentBorders) {
  Router router;
  const std::string_view patterns[] = {"/",    "/x", "/x/y/", "app.test", "app.test/x", "other.test:8443",
                                       "[::1]"};
  for (size_t i = 0; i < std::size(patterns); ++i) ASSERT_TRUE(router.add(patterns[i], i)) << patterns[i];
  struct Row {
    std::string_view host, path;
    size_t app;
  };
  const Row rows[] = {
      {"any.test", "/", 0},    {"any.test", "/xy", 0},
      {"any.test", "/x", 1},   {"any.test", "/x/z", 1},
      {"any.test", "/x/y", 2}, {"any.test", "/x/y/z", 2},
      {"app.test", "/x/y", 4}, {"app.test:8080", "/q", 3},
      {"app.test", "/xy", 3},  {"other.test:8443", "/x", 5},
      {"other.test", "/x", 1}, {"[::1]:80", "/", 6},
      {"xapp.test", "/z", 0},  {"", "/", 0},
  };
  for (const Row& row : rows) EXPECT_EQ(router.find(row.host, row.path), row.app) << row.host << row.path;
}

TEST(Router, RefusesBadAndDoublePatterns) {
  Router router;
  EXPECT_TRUE(router.add("a.test/x", 0));
  for (std::string_view bad : {"", "a.test/x", "A.test/x/", "*.test", "http://a.test", "a.test.",
                               "a.test.:80/x", "/a/../b", "/a?b", "a b"}) {
    EXPECT_FALSE(router.add(bad, 1)) << bad;
  }
  EXPECT_FALSE(router.find("b.test", "/x"));
}

class Rules : public ::testing::Test {
 protected:
  std::vector<identity::Identity> identities{person("corp", "alice")};
  Claims claims{identities};
  bool check(Condition::Op op, Template left, Template right) {
    return holds(Condition{.op = op, .left = std::move(left), .right = std::move(right)}, claims);
  }
};

TEST_F(Rules, CompareTextsAndLists) {
  using Op = Condition::Op;
  EXPECT_TRUE(check(Op::equals, claim("corp.email"), literal("alice@example.test")));
  EXPECT_FALSE(check(Op::equals, claim("corp.email"), literal("alice@example.tes")));
  EXPECT_TRUE(check(Op::not_equals, claim("corp.email"), literal("bob")));
  EXPECT_TRUE(check(Op::contains, claim("corp.groups"), literal("hr")));
  EXPECT_FALSE(check(Op::contains, claim("corp.groups"), literal("h"))) << "a list holds elements, not parts";
  EXPECT_TRUE(check(Op::contains, claim("corp.email"), literal("@example.test")));
  EXPECT_TRUE(check(Op::not_contains, claim("corp.groups"), literal("root")));
  EXPECT_TRUE(check(Op::equals, claim("corp.authenticated"), literal("true")));
  EXPECT_TRUE(check(Op::equals, claim("corp.sub"), literal("alice")));
}

TEST_F(Rules, LookAtEachValueOfAListByItself) {
  using Op = Condition::Op;
  identities[0].claims["one"] = {.values = {"hr"}, .list = true};
  identities[0].claims["none"] = {.values = {}, .list = true};
  identities[0].claims["banned"] = {.values = {"root", "staff"}, .list = true};
  struct Row {
    Template left, right;
    bool equal, contains;
  };
  const Row rows[] = {
      {claim("corp.groups"), literal("hr"), true, true},
      {claim("corp.groups"), literal("staff"), true, true},
      {claim("corp.groups"), literal("root"), false, false},
      {claim("corp.groups"), literal("hr,staff"), false, false},
      {claim("corp.groups"), literal("h"), false, false},
      {literal("staff"), claim("corp.groups"), true, true},
      {literal("the staff of hr"), claim("corp.groups"), false, true},
      {claim("corp.groups"), claim("corp.banned"), true, true},
      {claim("corp.one"), claim("corp.banned"), false, false},
      {claim("corp.one"), literal("hr"), true, true},
      {claim("corp.none"), literal("hr"), false, false},
  };
  for (const Row& row : rows) {
    const std::string& name = row.left.parts[0].text + " " + row.right.parts[0].text;
    EXPECT_EQ(check(Op::equals, row.left, row.right), row.equal) << name;
    EXPECT_EQ(check(Op::not_equals, row.left, row.right), !row.equal) << name;
    EXPECT_EQ(check(Op::contains, row.left, row.right), row.contains) << name;
    EXPECT_EQ(check(Op::not_contains, row.left, row.right), !row.contains) << name;
  }
  Template inside = literal("in ");
  inside.parts.push_back(claim("corp.groups").parts[0]);
  EXPECT_TRUE(check(Op::equals, inside, literal("in hr,staff"))) << "within a text it is joined";
}

TEST_F(Rules, AMissingClaimMakesEveryOperatorFalse) {
  using Op = Condition::Op;
  for (Op op : {Op::equals, Op::not_equals, Op::contains, Op::not_contains}) {
    EXPECT_FALSE(check(op, claim("corp.nothing"), literal("")));
    EXPECT_FALSE(check(op, claim("other.email"), claim("other.email")));
    EXPECT_FALSE(check(op, literal("x"), claim("corp.nothing")));
  }
}

TEST_F(Rules, AnEmptyTextIsPartOfNothing) {
  EXPECT_FALSE(check(Condition::Op::contains, claim("corp.email"), literal("")));
  EXPECT_FALSE(check(Condition::Op::not_contains, claim("corp.email"), literal("")));
  identities[0].claims["empty"] = {.values = {"", ""}, .list = true};
  EXPECT_FALSE(check(Condition::Op::contains, claim("corp.email"), claim("corp.empty")));
  EXPECT_FALSE(check(Condition::Op::not_contains, claim("corp.email"), claim("corp.empty")));
}

TEST_F(Rules, WithoutConditionsHoldForNobody) {
  EXPECT_FALSE(holds(Rule{.join = Rule::Join::all, .conditions = {}}, claims));
  EXPECT_FALSE(holds(Rule{.join = Rule::Join::any, .conditions = {}}, claims));
}

Decision judge(PolicyConfig policy, const Claims& claims) {
  auto set = PolicySet::compile({std::move(policy)});
  KITH_CHECK(set.has_value());
  return set->judge("/x", claims).decision;
}

TEST_F(Rules, AggregateAsConfigured) {
  Rule yes{
      .join = Rule::Join::all,
      .conditions = {{.op = Condition::Op::contains, .left = claim("corp.groups"), .right = literal("hr")}}};
  Rule no = yes;
  no.conditions[0].right = literal("root");
  PolicyConfig policy;
  policy.idps = {"corp"};
  policy.rules = {yes, no};
  policy.aggregation = Rule::Join::all;
  EXPECT_EQ(judge(policy, claims), Decision::deny);
  policy.aggregation = Rule::Join::any;
  EXPECT_EQ(judge(policy, claims), Decision::allow);
  policy.rules = {no};
  EXPECT_EQ(judge(policy, claims), Decision::deny);
}

TEST_F(Rules, DenyWhatNothingAllows) {
  EXPECT_EQ(Verdict{}.decision, Decision::deny);
  EXPECT_EQ(Decision{}, Decision::deny);
  PolicyConfig policy;
  EXPECT_EQ(judge(policy, claims), Decision::deny) << "no way to log in, no public access";
  policy.idps = {"corp"};
  EXPECT_EQ(judge(policy, claims), Decision::deny) << "no rules";
  policy.allow_all = true;
  EXPECT_EQ(judge(policy, claims), Decision::allow);
  EXPECT_EQ(judge(policy, Claims()), Decision::login);
  policy.idps = {"other"};
  EXPECT_EQ(judge(policy, claims), Decision::login) << "another connector's identity is none";
  policy.allow_unauthenticated = true;
  EXPECT_EQ(judge(policy, Claims()), Decision::allow);
  auto none = PolicySet::compile({});
  EXPECT_EQ(none->judge("/", claims).decision, Decision::deny);
}

TEST(Policies, TheMostSpecificLocationJudges) {
  auto at = [](std::string location, std::string name) {
    PolicyConfig policy;
    policy.location = std::move(location);
    policy.idps = {std::move(name)};
    return policy;
  };
  auto set = PolicySet::compile(
      {at("/", "root"), at("/a", "a"), at("~ \\.css$", "css"), at("/a/b/", "ab"), at("~ ^/a/b/c", "abc")});
  ASSERT_TRUE(set);
  auto name = [&](std::string_view path) { return set->find(path)->idps.front(); };
  EXPECT_EQ(name("/"), "root");
  EXPECT_EQ(name("/ab"), "root");
  EXPECT_EQ(name("/a"), "a");
  EXPECT_EQ(name("/a/b"), "ab");
  EXPECT_EQ(name("/a/b/x"), "ab");
  EXPECT_EQ(name("/a/x.css"), "css");
  EXPECT_EQ(name("/a/b/c.css"), "css") << "the first regular expression listed";
  EXPECT_EQ(name("/a/b/c"), "abc");
  EXPECT_FALSE(PolicySet::compile({at("~ (", "x")}));
  EXPECT_FALSE(PolicySet::compile({at("relative", "x")}));
}

TEST(TrustedProxies, AreAddressesAndNetworks) {
  TrustedProxies trusted;
  ASSERT_TRUE(trusted.add("10.0.0.0/8"));
  ASSERT_TRUE(trusted.add("192.0.2.1"));
  ASSERT_TRUE(trusted.add("2001:db8::/33"));
  EXPECT_TRUE(trusted.contains(IpAddress::v4(10, 255, 0, 1)));
  EXPECT_FALSE(trusted.contains(IpAddress::v4(11, 0, 0, 1)));
  EXPECT_TRUE(trusted.contains(IpAddress::v4(192, 0, 2, 1)));
  EXPECT_FALSE(trusted.contains(IpAddress::v4(192, 0, 2, 2)));
  EXPECT_TRUE(trusted.contains(*IpAddress::parse("2001:db8:7fff::1")));
  EXPECT_FALSE(trusted.contains(*IpAddress::parse("2001:db8:8000::1")));
  for (std::string_view bad : {"", "10.0.0.0/33", "10.0.0", "x/8", "10.0.0.0/", "::/129"}) {
    EXPECT_FALSE(trusted.add(bad)) << bad;
  }
}

TEST(ClientFacts, BelieveHeadersOfTrustedPeersAlone) {
  TrustedProxies trusted;
  ASSERT_TRUE(trusted.add("10.0.0.0/8"));
  http::RequestHead request;
  request.host = "inner.test:9443";
  request.headers.add("X-Forwarded-For", "198.51.100.1, 203.0.113.5, 10.1.1.1");
  request.headers.add("X-Forwarded-Proto", "https");
  request.headers.add("X-Forwarded-Host", "outer.test");
  http::Origin origin;
  origin.peer.address = IpAddress::v4(10, 2, 2, 2);
  ClientFacts facts = client_facts(request, origin, trusted);
  EXPECT_EQ(facts.address.text(), "203.0.113.5") << "the nearest hop that is not ours";
  EXPECT_EQ(facts.forwarded_for, "198.51.100.1, 203.0.113.5, 10.1.1.1, 10.2.2.2");
  EXPECT_EQ(facts.origin(), "https://outer.test");
  EXPECT_EQ(facts.port, "443");

  origin.peer.address = IpAddress::v4(203, 0, 113, 66);
  facts = client_facts(request, origin, trusted);
  EXPECT_EQ(facts.address.text(), "203.0.113.66");
  EXPECT_EQ(facts.forwarded_for, "203.0.113.66");
  EXPECT_EQ(facts.origin(), "http://inner.test:9443");
  EXPECT_EQ(facts.port, "9443");
}

TEST(ClientFacts, DoNotLookBehindAnUnreadableHop) {
  TrustedProxies trusted;
  ASSERT_TRUE(trusted.add("10.0.0.0/8"));
  http::RequestHead request;
  request.headers.add("X-Forwarded-For", "198.51.100.1, unknown, 203.0.113.5");
  request.headers.add("X-Forwarded-Proto", "https");
  request.headers.add("X-Forwarded-Proto", "http");
  http::Origin origin;
  origin.peer.address = IpAddress::v4(10, 2, 2, 2);
  ClientFacts facts = client_facts(request, origin, trusted);
  EXPECT_EQ(facts.forwarded_for, "203.0.113.5, 10.2.2.2");
  EXPECT_EQ(facts.scheme, "http") << "two values are none";
}

}  // namespace
}  // namespace kith::gateway::testing
