#include "app/node.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "app/heartbeat.h"
#include "app/node_control.h"
#include "app/reload.h"
#include "app/session_control.h"
#include "app/version.h"
#include "cache/endpoint.h"
#include "cluster/cluster.h"
#include "cluster/node_key.h"
#include "gateway/gateway.h"
#include "http/server.h"
#include "identity/connectors.h"
#include "platform/limits.h"
#include "platform/runtime.h"
#include "runtime/dns.h"
#include "runtime/sync.h"

namespace kith::app {
namespace {

// Handing over the last writes and telling the members, after the last request was answered.
constexpr Duration kLeaveTimeout = 3s;

std::string node_name(const NodeConfig& config) {
  if (const char* name = std::getenv("KITH_NODE_NAME"); name != nullptr && *name != '\0') return name;
  if (!config.name.empty()) return config.name;
  char host[256] = {};
  if (::gethostname(host, sizeof host - 1) == 0 && host[0] != '\0') return host;
  return "kith";
}

// One worker loop with what it owns. Made on the main thread before the loop runs; used on the loop.
struct Worker {
  std::unique_ptr<http::Client> client;
  std::unique_ptr<gateway::Gateway> gateway;
  std::unique_ptr<http::Server> server;
  std::unique_ptr<runtime::Listener> listener;
  runtime::Scope scope;
};

class Node final : public gateway::HealthSource {
 public:
  Node(Config config, std::shared_ptr<LogSink> sink, ConfigSource source)
      : config_(std::move(config)),
        log_(std::move(sink), "node"),
        name_(node_name(config_.node)),
        runtime_(std::max(1u, std::thread::hardware_concurrency())),
        reloader_(
            runtime_.control_ports(), std::move(source), [this](const Config& fresh) { apply(fresh); },
            log_.named("reload")) {}
  ~Node() override = default;

  Result<void> build();
  int run();

  gateway::Health health() const override;
  cluster::Standing standing() const override;
  bool fresh() const override;
  bool degraded() const override;

 private:
  Result<void> build_clusters();
  Result<void> build_worker(size_t index, std::shared_ptr<const gateway::Routes> routes,
                            const std::shared_ptr<const cluster::CookieKeys>& cookie_keys);
  Result<void> build_tls();
  Result<void> build_caches();
  Result<void> build_control();
  cluster::Cluster* find_cluster(const std::string& name);
  cluster::SessionStore& sessions() {
    return session_cluster_ != nullptr ? session_cluster_->sessions() : *local_sessions_;
  }
  void start();
  void on_signal(int signal);
  void begin_drain(Log::Fields why);
  void apply(const Config& fresh);
  runtime::Task<void> shut_down();
  runtime::Task<void> drain_on(size_t index, MonoTime deadline);
  runtime::Task<bool> drain_worker(size_t index, MonoTime deadline);

  const Config config_;
  Log log_;
  const std::string name_;
  platform::Runtime runtime_;
  const std::unique_ptr<runtime::Dns> dns_ = runtime_.control().dns();
  Reloader reloader_;
  const std::shared_ptr<cluster::Doorkeeper> doorkeeper_ = std::make_shared<cluster::Doorkeeper>();
  std::vector<std::unique_ptr<cluster::Cluster>> clusters_;
  cluster::Cluster* session_cluster_ = nullptr;  // null: sessions are local
  std::unique_ptr<cluster::SessionStore> local_sessions_;
  cluster::Cluster* routing_cluster_ = nullptr;  // null: nothing is forwarded
  identity::AttemptLimiter attempts_;
  identity::TlsContexts client_tls_;
  identity::TlsContexts server_tls_;                      // of the profiles that something is served with
  std::vector<std::unique_ptr<cache::PubSub>> channels_;  // of each cluster
  std::vector<std::unique_ptr<cache::Endpoint>> endpoints_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Heartbeat> heartbeat_;
  std::unique_ptr<ControlServer> control_;  // null: nobody can ask
  runtime::Scope control_scope_;
  runtime::Scope reload_scope_;
  std::atomic<bool> serving_{false};
  std::atomic<bool> draining_{false};
  int exit_status_ = 0;
};

// ---------------------------------------------------------------- building

cluster::Cluster* Node::find_cluster(const std::string& name) {
  for (auto& cluster : clusters_)
    if (cluster->name() == name) return cluster.get();
  return nullptr;
}

Result<void> Node::build_clusters() {
  if (!config_.clusters_enabled) return {};
  runtime::Ports& ports = runtime_.control_ports();
  KITH_TRY(auto passing_key, cluster::load_node_key("", ports.files, ports.entropy, log_));
  bool several = config_.clusters.size() > 1;
  for (const cluster::ClusterConfig& entry : config_.clusters) {
    if (entry.disabled) continue;
    store::SessionLimits limits;
    limits.idle_timeout = config_.gateway.session.idle_timeout;
    size_t cache_mib = 0;
    for (const cache::CacheConfig& one : config_.caches)
      if (one.cluster == entry.name) cache_mib += one.max_memory_mib;
    cluster::ClusterOptions options{
        .node_name = name_,
        .software = "kith/" + std::string(version()),
        .region = config_.node.region,
        .zone = config_.node.zone,
        .key_without_file = passing_key,
        .dns = dns_.get(),
        .disk = &runtime_.disk(),
        .limits = limits,
        // What others put there is here, too, also when this node has no use for it.
        .cache_limits = cache_mib > 0 ? store::CacheLimits{cache_mib << 20} : store::CacheLimits{},
        .cookie_memory = config_.gateway.session.max_timeout,
        .doorkeeper = doorkeeper_,
    };
    Log log = log_.named(several ? "cluster " + entry.name : "cluster");
    KITH_TRY(auto opened, cluster::Cluster::open(entry, std::move(options), ports, std::move(log)));
    clusters_.push_back(std::move(opened));
  }
  return {};
}

Result<void> Node::build_tls() {
  for (const http::TlsProfileConfig& entry : config_.gateway.tls) {
    auto context = crypto::make_client_context(entry.profile);
    if (!context) return std::move(context).error().within("tls." + entry.name);
    client_tls_[entry.name] = *context;
    bool serves = entry.name == config_.gateway.http.tls;
    for (const cache::CacheConfig& one : config_.caches) serves = serves || one.endpoint.tls == entry.name;
    if (!serves) continue;
    auto server = crypto::make_server_context(entry.profile);
    if (!server) return std::move(server).error().within("tls." + entry.name);
    server_tls_[entry.name] = *server;
  }
  return {};
}

Result<void> Node::build_caches() {
  std::map<std::string, cache::PubSub*> channels;
  for (auto& cluster : clusters_) {
    cache::Executor::serve(cluster->cache());
    channels_.push_back(std::make_unique<cache::PubSub>(cluster->cache()));
    channels[cluster->name()] = channels_.back().get();
  }
  for (const cache::CacheConfig& entry : config_.caches) {
    cluster::Cluster* cluster = find_cluster(entry.cluster);
    if (cluster == nullptr || !entry.has_endpoint) continue;
    auto endpoint = std::make_unique<cache::Endpoint>(
        entry.endpoint, cluster->cache(), entry.name, entry.ack, *channels[entry.cluster],
        entry.endpoint.tls.empty() ? nullptr : server_tls_[entry.endpoint.tls], name_,
        runtime_.control().now(), log_.named("cache " + entry.name));
    for (size_t i = 0; i < runtime_.worker_count(); ++i) {
      auto added =
          endpoint->add_loop(runtime_.worker(i), runtime_.worker_ports(i).network, runtime_.worker_count());
      if (!added) return std::move(added).error().within("caches: " + entry.name + ".endpoint.address");
    }
    endpoints_.push_back(std::move(endpoint));
  }
  return {};
}

// Without the customary place for its socket a node still serves; a place that was chosen has to work.
Result<void> Node::build_control() {
  const ControlConfig& config = config_.control;
  if (!config.enabled || config.socket.empty()) return {};
  auto opened = ControlServer::open(runtime_, config.socket, log_.named("control"));
  if (!opened && !config.is_default) return std::move(opened).error().within("control.socket");
  if (!opened) {
    log_.warn("no control socket: kith members and its like cannot reach this node",
              {{"error", opened.error().message()}});
    return {};
  }
  control_ = std::move(*opened);
  serve_node(*control_, {name_, runtime_.control(), clusters_, *this, [this] {
                           begin_drain({{"asked", "control socket"}});
                         }});
  return {};
}

Result<void> Node::build() {
  KITH_TRY_VOID(build_control());
  KITH_TRY_VOID(build_clusters());
  KITH_TRY_VOID(build_tls());
  KITH_TRY_VOID(build_caches());
  const gateway::SessionConfig& session = config_.gateway.session;
  const http::RoutingConfig& routing = config_.gateway.http.routing;
  std::shared_ptr<const cluster::CookieKeys> cookie_keys;
  if (session.store == gateway::SessionConfig::Store::cluster) {
    session_cluster_ = find_cluster(session.cluster);
    if (session_cluster_ == nullptr)
      return Error(Code::invalid, "session.store.cluster.name: no running cluster '" + session.cluster + "'",
                   Side::config);
    if (routing.enabled) {
      routing_cluster_ = find_cluster(routing.cluster);
      if (routing_cluster_ == nullptr)
        return Error(Code::invalid, "http.routing.cluster.name: no running cluster '" + routing.cluster + "'",
                     Side::config);
    }
    // Whoever may be asked to forward a request has to read its cookie.
    cookie_keys = (routing_cluster_ != nullptr ? routing_cluster_ : session_cluster_)->cookie_keys();
  } else {
    local_sessions_ = cluster::make_local_session_store(session.local_capacity, session.idle_timeout);
    Bytes random(32);
    runtime_.control_ports().entropy.fill(random);
    cookie_keys = std::make_shared<const cluster::CookieKeys>(
        cluster::CookieKeys::List{crypto::Secret(std::move(random))});
  }
  KITH_TRY(auto routes, gateway::make_routes(config_.gateway));
  for (size_t i = 0; i < runtime_.worker_count(); ++i) KITH_TRY_VOID(build_worker(i, routes, cookie_keys));
  if (control_) {
    std::vector<std::string> connectors;
    for (const identity::ConnectorConfig& entry : config_.gateway.connectors)
      connectors.push_back(identity::connector_name(entry));
    serve_sessions(*control_,
                   {.loop = runtime_.control(),
                    .store = sessions(),
                    .cluster = session_cluster_,
                    .cookie_keys = cookie_keys,
                    .connectors = std::move(connectors),
                    .longest = std::chrono::duration_cast<std::chrono::milliseconds>(session.max_timeout),
                    .log = log_.named("sessions")});
  }

  if (session_cluster_ == nullptr) return {};
  std::vector<cluster::Worker> handlers;
  for (size_t i = 0; i < workers_.size(); ++i)
    handlers.push_back({&runtime_.worker(i), workers_[i]->gateway.get(), &workers_[i]->scope});
  // Requests are taken from the members of one cluster; a node that does not route itself still takes them.
  cluster::Cluster* from = routing_cluster_ != nullptr ? routing_cluster_ : session_cluster_;
  from->hub().set_workers(std::move(handlers));
  return {};
}

Result<void> Node::build_worker(size_t index, std::shared_ptr<const gateway::Routes> routes,
                                const std::shared_ptr<const cluster::CookieKeys>& cookie_keys) {
  runtime::Ports& ports = runtime_.worker_ports(index);
  auto worker = std::make_unique<Worker>();
  worker->client = http::make_client(ports, {});

  std::vector<std::unique_ptr<identity::Connector>> connectors;
  for (const identity::ConnectorConfig& entry : config_.gateway.connectors) {
    KITH_TRY(auto connector, identity::make_connector(entry, ports, *worker->client, client_tls_, attempts_,
                                                      log_.named("identity")));
    connectors.push_back(std::move(connector));
  }
  cluster::Cluster* cluster = session_cluster_;
  cluster::Cluster* routing = routing_cluster_;
  std::function<std::optional<NodeId>(const gateway::NodePrefix&)> find_node;
  if (cluster != nullptr)
    find_node = [cluster, routing](const gateway::NodePrefix& prefix) {
      auto found = cluster->find_node(prefix.view());
      return found || routing == nullptr ? found : routing->find_node(prefix.view());
    };
  worker->gateway = std::make_unique<gateway::Gateway>(
      gateway::Services{
          .ports = ports,
          .client = *worker->client,
          .store = sessions(),
          .forwarder = routing != nullptr ? &routing->forwarder() : nullptr,
          .forwards_beyond_store = routing != nullptr && routing != cluster,
          .connectors = std::move(connectors),
          .node_name = name_,
          .cookie_keys = cookie_keys,
          .find_node = std::move(find_node),
          .health = *this,
          .tls = std::make_shared<const gateway::TlsContexts>(client_tls_.begin(), client_tls_.end()),
          .log = log_.named("gateway"),
      },
      std::move(routes));

  const http::HttpConfig& http = config_.gateway.http;
  auto address = IpAddress::parse(http.host.empty() ? "::" : http.host);
  if (!address) return std::move(address).error().within("http.address");
  uint16_t port = workers_.empty() ? http.port : workers_.front()->listener->local_endpoint().port;
  auto listener = ports.network.listen({*address, port}, {.shared = true});
  if (!listener) return std::move(listener).error().within("http.address");
  worker->listener = std::move(*listener);
  // The system spreads connections over the workers, and so is their limit.
  http::ServerOptions options = http.server;
  options.max_connections = std::max<size_t>(1, options.max_connections / runtime_.worker_count());
  worker->server = http::make_server(ports, options, *worker->gateway,
                                     http.tls.empty() ? nullptr : server_tls_[http.tls], log_.named("http"));
  workers_.push_back(std::move(worker));
  return {};
}

// ---------------------------------------------------------------- running

gateway::Health Node::health() const {
  if (draining_) return gateway::Health::draining;
  if (!serving_) return gateway::Health::starting;
  for (const auto& cluster : clusters_) {
    switch (cluster->phase()) {
      case cluster::Phase::syncing: return gateway::Health::syncing;
      case cluster::Phase::ready: break;
      case cluster::Phase::draining:
      case cluster::Phase::left: return gateway::Health::draining;
    }
  }
  switch (standing().kind) {
    case cluster::Standing::Kind::serves: break;
    case cluster::Standing::Kind::standby: return gateway::Health::standby;
    case cluster::Standing::Kind::no_majority: return gateway::Health::no_majority;
  }
  return gateway::Health::up;
}

// The first cluster that does not let this node serve decides. A request can be forwarded to its leader
// only over the session cluster's links.
cluster::Standing Node::standing() const {
  MonoTime now = runtime_.control().now();
  for (const auto& cluster : clusters_) {
    cluster::Standing standing = cluster->standing(now);
    if (standing.kind == cluster::Standing::Kind::serves) continue;
    if (cluster.get() != session_cluster_) standing.leader.reset();
    return standing;
  }
  return {};
}

bool Node::fresh() const {
  return session_cluster_ == nullptr || session_cluster_->fresh(runtime_.control().now());
}

bool Node::degraded() const {
  return std::any_of(clusters_.begin(), clusters_.end(),
                     [](const auto& cluster) { return cluster->degraded(); });
}

void Node::start() {
  for (auto& cluster : clusters_) cluster->start();
  if (control_) control_->start();
  for (size_t i = 0; i < workers_.size(); ++i) {
    Worker* worker = workers_[i].get();
    runtime_.worker(i).post(
        [worker] { worker->scope.spawn(worker->server->serve(std::move(worker->listener))); });
    for (auto& each : endpoints_) {
      cache::Endpoint* endpoint = each.get();
      runtime_.worker(i).post([worker, endpoint, i] { worker->scope.spawn(endpoint->serve(i)); });
    }
  }
  const gateway::HealthConfig& health = config_.gateway.health;
  if (health.heartbeat)
    heartbeat_ =
        std::make_unique<Heartbeat>(runtime_.control(), health.heartbeat_interval, health.heartbeat_level,
                                    name_, std::string(version()), config_.version, log_.named("telemetry"));
  reloader_.watch(reload_scope_);
  serving_ = true;
  const http::HttpConfig& http = config_.gateway.http;
  log_.info("serving", {{"node", name_},
                        {"version", version()},
                        {"address", http.host + ":" + std::to_string(http.port)},
                        {"tls", !http.tls.empty()},
                        {"workers", workers_.size()},
                        {"apps", config_.gateway.apps.size()}});
}

int Node::run() {
  runtime_.control().on_signal({SIGTERM, SIGINT, SIGHUP}, [this](int signal) { on_signal(signal); });
  runtime_.start();
  runtime_.control().post([this] { start(); });
  runtime_.control().run();
  runtime_.stop();
  runtime_.join();
  return exit_status_;
}

void Node::on_signal(int signal) {
  if (signal == SIGHUP) {
    if (!draining_) reloader_.reload(reload_scope_, "SIGHUP");
    return;
  }
  if (draining_) {
    log_.warn("second signal: stopping at once");
    std::_Exit(128 + signal);
  }
  begin_drain({{"signal", signal}});
}

void Node::begin_drain(Log::Fields why) {
  if (draining_.exchange(true)) return;
  log_.info("draining", why);
  control_scope_.spawn(shut_down());
}

runtime::Task<void> Node::drain_on(size_t index, MonoTime deadline) {
  auto drain = [this, index, deadline] { return drain_worker(index, deadline); };
  (void)co_await runtime::run_on<bool>(runtime_.control(), runtime_.worker(index), drain);
}

// Of a new configuration the pre-shared keys and admission take effect.
void Node::apply(const Config& fresh) {
  Config comparable = config_;
  bool news = false;
  for (cluster::ClusterConfig& entry : comparable.clusters) {
    auto same_name = [&](const cluster::ClusterConfig& other) { return other.name == entry.name; };
    auto with = std::find_if(fresh.clusters.begin(), fresh.clusters.end(), same_name);
    if (with == fresh.clusters.end()) continue;
    entry.psks = with->psks;
    entry.admission = with->admission;
    cluster::Cluster* running = find_cluster(entry.name);
    if (running == nullptr) continue;
    if (running->reload_admission(with->admission)) {
      news = true;
      log_.info("admission reloaded", {{"cluster", entry.name}, {"banned", with->admission.banned.size()}});
    }
    auto reloaded = running->reload_keys(with->psks);
    if (!reloaded) {
      log_.error("the new pre-shared keys are refused; the cluster goes on with those it has",
                 {{"cluster", entry.name}, {"error", reloaded.error().message()}});
    } else if (*reloaded) {
      news = true;
      log_.info("pre-shared keys reloaded", {{"cluster", entry.name}, {"keys", with->psks.size()}});
    }
  }
  if (!news) log_.info("reloaded: the pre-shared keys are what they were, and so is admission");
  if (show_config(comparable) != show_config(fresh))
    log_.warn("only pre-shared keys and admission are reloaded: other changes take effect at the next start");
}

runtime::Task<bool> Node::drain_worker(size_t index, MonoTime deadline) {
  Worker& worker = *workers_[index];
  runtime::Scope drains;
  for (auto& endpoint : endpoints_) drains.spawn(endpoint->drain(index, deadline));
  drains.spawn(worker.server->drain(deadline));
  co_await drains.close();
  co_await worker.scope.close();  // forwarded requests among them
  co_await worker.gateway->close();
  worker.server.reset();
  worker.gateway.reset();
  worker.client.reset();
  co_return true;
}

runtime::Task<void> Node::shut_down() {
  runtime::Loop& loop = runtime_.control();
  const http::HttpConfig& http = config_.gateway.http;
  // The status is down already; balancers get a moment to see it before connections are turned away.
  for (auto& cluster : clusters_) cluster->set_draining();
  co_await reload_scope_.close();
  co_await runtime::sleep(loop, http.drain_delay);
  MonoTime deadline = loop.now() + http.drain_timeout;
  runtime::Timer cut = loop.call_at(deadline, [this] {
    for (auto& cluster : clusters_) cluster->hub().reset_all();
  });
  // All at once: none may go on accepting while another waits for its last request.
  runtime::Scope drains;
  for (size_t i = 0; i < workers_.size(); ++i) drains.spawn(drain_on(i, deadline));
  co_await drains.close();
  for (auto& cluster : clusters_) {
    co_await cluster->leave(loop.now() + kLeaveTimeout);
    co_await cluster->stop();
  }
  heartbeat_.reset();
  if (control_) co_await control_->stop(loop.now() + kLeaveTimeout);
  log_.info("stopped");
  runtime_.stop();
}

}  // namespace

int run_node(Config config, std::shared_ptr<LogSink> sink, ConfigSource source) {
  Log log(sink, "node");
  // Strangers may hold cluster::Doorkeeper::kMaxKnocking connections; the rest must be enough for all others.
  if (size_t files = platform::raise_file_limit(); files < 4 * cluster::Doorkeeper::kMaxKnocking)
    log.warn("few connections can be open at a time: raise the limit of open files (LimitNOFILE)",
             {{"files", files}});
  Node node(std::move(config), std::move(sink), std::move(source));
  auto built = node.build();
  if (!built) {
    log.error("cannot start", {{"error", built.error().message()}});
    return 1;
  }
  return node.run();
}

}  // namespace kith::app
