#include "gateway/routes.h"

#include "base/text.h"
#include "gateway/headers.h"

namespace kith::gateway {

namespace {

Result<App> make_app(const AppConfig& config, http::NameSet& injected) {
  auto policies = PolicySet::compile(config.policies);
  if (!policies) return std::move(policies).error().within("app " + config.name);
  App app{.config = config,
          .policies = std::move(*policies),
          .upstream_origin = config.upstream.origin(),
          .upstream_host = config.upstream.authority(),
          .upstream_prefix = config.upstream.target.path};
  while (app.upstream_prefix.ends_with('/')) app.upstream_prefix.pop_back();
  for (const HeaderConfig& header : config.headers) {
    if (!is_injectable(header.name)) {
      return Error(Code::invalid,
                   "app " + config.name + ": a header named " + printable(header.name) + " cannot be set",
                   Side::config);
    }
    injected.add(header.name);
  }
  if (!config.logout_path.empty()) {
    KITH_TRY(app.config.logout_path, clean_prefix(config.logout_path));
  }
  return app;
}

}  // namespace

Result<std::shared_ptr<const Routes>> make_routes(GatewayConfig config) {
  auto routes = std::make_shared<Routes>(Routes{.config = std::move(config),
                                                .apps = {},
                                                .router = {},
                                                .trusted_proxies = {},
                                                .injected = {},
                                                .cookies = CookieJar(CookieConfig{}),
                                                .logout_host = {},
                                                .logout_path = {}});
  const GatewayConfig& from = routes->config;
  routes->cookies = CookieJar(from.session.cookie);
  for (const AppConfig& app_config : from.apps) {
    KITH_TRY(App app, make_app(app_config, routes->injected));
    routes->apps.push_back(std::move(app));
    for (const std::string& pattern : app_config.route_patterns) {
      auto added = routes->router.add(pattern, routes->apps.size() - 1);
      if (!added) return std::move(added).error().within("app " + app_config.name);
    }
  }

  for (const std::string& proxy : from.http.trusted_proxies) {
    auto added = routes->trusted_proxies.add(proxy);
    if (!added) return std::move(added).error().within("http.trustedProxies");
  }
  auto health = clean_prefix(from.health.location);
  if (!health) return std::move(health).error().within("health.location");
  routes->config.health.location = std::move(*health);

  if (!from.single_logout.logout_url.empty()) {
    auto url = http::parse_url(from.single_logout.logout_url);
    if (!url) return std::move(url).error().within("singleLogout.logoutURL");
    routes->logout_host = host_name(url->authority());
    routes->logout_path = url->target.path;
  }
  return std::shared_ptr<const Routes>(std::move(routes));
}

}  // namespace kith::gateway
