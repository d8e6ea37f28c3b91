// One node of a whole cluster on a simulated host: the driver that runs on sockets, on virtual time.
#pragma once

#include <gtest/gtest.h>

#include "cluster/cluster.h"
#include "cluster/forward_codec.h"
#include "crypto/hash.h"
#include "sim/ports.h"
#include "sim/world.h"

namespace kith {

inline const crypto::Secret kPsk(Bytes(32, 0x42));

inline cluster::SessionKey key_of(int number) {
  return *cluster::SessionKey::from(crypto::sha256(as_bytes("session " + std::to_string(number))));
}

class KeptLog final : public LogSink {
 public:
  bool enabled(Level level) const override { return level >= Level::info; }
  void write(Level, std::string_view, std::string_view message, std::span<const Field> fields) override {
    std::string line(message);
    for (const Field& field : fields) line.append(" ").append(field.key).append("=").append(field.value());
    lines.push_back(std::move(line));
  }
  // Lines with these words in them.
  size_t count(std::string_view words) const {
    size_t found = 0;
    for (const std::string& line : lines) found += line.find(words) != line.npos ? 1 : 0;
    return found;
  }
  std::vector<std::string> lines;
};

// Answers "name path body" to whatever is forwarded.
class Echo final : public http::Handler {
 public:
  explicit Echo(std::string name) : name_(std::move(name)) {}
  runtime::Task<void> handle(http::Exchange& exchange) override {
    std::string body;
    Bytes buffer(1000);
    for (;;) {
      auto n = co_await exchange.body().read(buffer);
      if (!n || *n == 0) break;
      body += as_text(ByteView(buffer).first(*n));
    }
    ++served;
    http::ResponseHead head;
    head.headers.add("X-By", exchange.origin().forwarded_by);
    const bool too_many = exchange.request().target.path == "/too-many-headers";
    for (size_t i = 0; too_many && i <= cluster::kMaxForwardHeaders; ++i) head.headers.add("X-Many", "1");
    std::string answer = name_ + " " + exchange.request().target.text() + " " + body;
    (void)co_await exchange.respond(std::move(head), answer, "text/plain");
  }
  int served = 0;

 private:
  std::string name_;
};

struct ClusterNode {
  ClusterNode(sim::World& world, std::string node_name)
      : name(std::move(node_name)), host(world.add_host(name)), world_(world) {}
  ~ClusterNode() {
    if (cluster) kill();
  }

  void start(std::vector<Multiaddr> seeds, std::vector<crypto::Secret> psks = {kPsk},
             std::string cluster_name = "main") {
    auto started = try_start(std::move(seeds), std::move(psks), std::move(cluster_name));
    ASSERT_TRUE(started) << started.error().message();
  }
  Result<void> try_start(std::vector<Multiaddr> seeds, std::vector<crypto::Secret> psks = {kPsk},
                         std::string cluster_name = "main") {
    process = &world_.start(host);
    ports_object = std::make_unique<sim::ProcessPorts>(*process);
    ports = std::make_unique<runtime::Ports>(ports_object->ports());
    cluster::ClusterConfig config;
    config.name = std::move(cluster_name);
    config.membership = Multiaddr::from({host.address, 9450});
    config.data = Multiaddr::from({host.address, 9451});
    config.advertise_data = advertise_data;
    config.seeds = std::move(seeds);
    config.psks = std::move(psks);
    config.rotation = rotation;
    config.node_key_file = "/node.key";
    if (customize) customize(config);
    cluster::ClusterOptions options;
    options.node_name = name;
    options.software = "kith/test";
    options.zone = zone;
    options.dns = ports_object.get();
    options.disk = ports_object.get();
    options.limits.idle_timeout = idle_timeout;
    options.max_bulk_queue = max_bulk_queue;
    auto opened =
        cluster::Cluster::open(config, options, *ports, sink ? Log(sink, "cluster") : Log(log, "cluster"));
    if (!opened) {
      world_.kill(*process);
      return std::move(opened).error();
    }
    cluster = std::move(*opened);
    echo = std::make_unique<Echo>(name);
    workers = std::make_unique<runtime::Scope>();
    cluster->hub().set_workers({{&ports->loop, echo.get(), workers.get()}});
    cluster->start();
    return {};
  }

  // The end of a graceful stop.
  void stop() {
    bury();
    world_.kill(*process);
  }
  // kill -9; what is left of it is cleaned up unseen.
  void kill() {
    world_.kill(*process);
    bury();
  }
  // The power fails, and comes back.
  void power_cut() {
    world_.power_off(host);
    bury();
    world_.power_on(host);
  }
  void bury() {
    bool done = false;
    runtime::Scope scope;
    scope.spawn(clean_up(done));
    world_.run_while_not([&] { return done; }, 60s);
    ASSERT_TRUE(done);
    cluster.reset();
    ports.reset();
    ports_object.reset();
  }
  runtime::Task<void> clean_up(bool& done) {
    cluster->hub().reset_all();
    co_await workers->close();
    co_await cluster->stop();
    done = true;
  }

  bool ready() const { return cluster && cluster->phase() == cluster::Phase::ready; }
  cluster::SessionState state_of(int session) {
    return cluster->sessions().get(key_of(session), world_.wall_now(host)).state;
  }
  cluster::SessionRecord record(std::string_view body) {
    WallTime now = world_.wall_now(host);
    return {to_bytes(body), now, now + std::chrono::hours(24), now};
  }

  std::string name;
  Duration idle_timeout = 20min;
  std::string zone;
  std::optional<Multiaddr> advertise_data;
  size_t max_bulk_queue = 256 << 20;
  std::function<void(cluster::ClusterConfig&)> customize;  // before it is opened
  mesh::RotationConfig rotation;
  std::shared_ptr<KeptLog> log = std::make_shared<KeptLog>();
  std::shared_ptr<LogSink> sink;  // in place of log
  sim::Host& host;
  sim::Process* process = nullptr;
  std::unique_ptr<sim::ProcessPorts> ports_object;
  std::unique_ptr<runtime::Ports> ports;
  std::unique_ptr<cluster::Cluster> cluster;
  std::unique_ptr<Echo> echo;
  std::unique_ptr<runtime::Scope> workers;

 private:
  sim::World& world_;
};

}  // namespace kith
