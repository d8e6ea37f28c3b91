#include "fakes.h"

#include "gateway/cookies.h"

namespace kith::gateway::testing {

namespace {

std::unique_ptr<FakeConnector> make_connector(const std::string& name, FakeConnector*& seen) {
  auto connector = std::make_unique<FakeConnector>(name);
  connector->identity = person(name, "alice@" + name);
  seen = connector.get();
  return connector;
}

}  // namespace

Template claim(std::string name) { return {.parts = {{.is_claim = true, .text = std::move(name)}}}; }
Template literal(std::string text) { return {.parts = {{.is_claim = false, .text = std::move(text)}}}; }

identity::Identity person(std::string connector, std::string subject) {
  identity::Identity identity;
  identity.connector = std::move(connector);
  identity.issuer = "https://idp.test";
  identity.subject = std::move(subject);
  identity.claims["email"] = {.values = {"alice@example.test"}, .list = false};
  identity.claims["groups"] = {.values = {"hr", "staff"}, .list = true};
  return identity;
}

GatewayConfig test_config() {
  GatewayConfig config;
  config.session.cookie.disable_secure = true;
  config.single_logout.logout_url = "http://app.test/logout";
  config.http.routing.enabled = true;
  AppConfig app;
  app.name = "main";
  app.route_patterns = {"/"};
  app.upstream = *http::parse_url("http://10.0.0.9:8000/base");
  app.headers = {{.name = "X-User", .value = claim("corp.email")},
                 {.name = "X-Groups", .value = claim("corp.groups")}};
  PolicyConfig open;
  open.location = "/public";
  open.allow_unauthenticated = true;
  open.allow_all = true;
  PolicyConfig inside;
  inside.idps = {"corp"};
  inside.allow_all = true;
  PolicyConfig second = inside;
  second.location = "/second";
  second.idps = {"other"};
  PolicyConfig admin = inside;
  admin.location = "/admin";
  admin.allow_all = false;
  admin.rules = {
      {.join = Rule::Join::all,
       .conditions = {
           {.op = Condition::Op::contains, .left = claim("corp.groups"), .right = literal("root")}}}};
  app.policies = {open, inside, second, admin};
  config.apps = {app};
  return config;
}

World::World(GatewayConfig config, bool forwards_beyond_store) {
  auto made = make_routes(std::move(config));
  KITH_CHECK(made.has_value());
  routes = *made;
  std::vector<std::unique_ptr<identity::Connector>> connectors;
  connectors.push_back(make_connector("corp", corp));
  connectors.push_back(make_connector("other", other));
  NodeId known = store.node;
  gateway = std::make_unique<Gateway>(
      Services{.ports = ports,
               .client = client,
               .store = store,
               .forwarder = &forwarder,
               .forwards_beyond_store = forwards_beyond_store,
               .connectors = std::move(connectors),
               .node_name = "a",
               .cookie_keys = cookie_keys,
               .find_node = [known](const NodePrefix&) { return std::optional<NodeId>(known); },
               .health = health,
               .tls = nullptr,
               .log = Log(log, "test")},
      routes);
}

World::~World() {
  runtime::Scope scope;
  scope.spawn(gateway->close());
}

FakeExchange& World::run(FakeExchange& exchange) {
  std::string text;
  for (const auto& [name, value] : cookies) text.append(text.empty() ? "" : "; ").append(name + "=" + value);
  if (!text.empty()) exchange.with("Cookie", text);
  runtime::Scope scope;
  scope.spawn(gateway->handle(exchange));
  KITH_CHECK(scope.running() == 0);
  for (const std::string& cookie : exchange.set_cookies()) {
    std::string name = cookie.substr(0, cookie.find('='));
    std::string value = cookie.substr(name.size() + 1, cookie.find(';') - name.size() - 1);
    if (cookie.find("Max-Age=0") == std::string::npos) {
      cookies[name] = value;
    } else {
      cookies.erase(name);
    }
  }
  last_location = exchange.answer.headers.get("Location");
  return exchange;
}

FakeExchange World::get(std::string target) {
  FakeExchange exchange(std::move(target));
  run(exchange.browser());
  return exchange;
}

std::string World::state() const { return last_location.substr(last_location.find("state=") + 6); }

FakeExchange World::log_in(std::string connector) {
  get(connector == "corp" ? "/private/page?x=1" : "/second/page");
  return get("/" + connector + "/cb?code=c&state=" + state());
}

std::string World::session_cookie() const {
  auto found = cookies.find(routes->cookies.session_name());
  return found == cookies.end() ? "" : found->second;
}

}  // namespace kith::gateway::testing
