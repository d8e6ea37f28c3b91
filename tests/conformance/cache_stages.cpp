#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "../scenario/cluster_node.h"
#include "../unit/crypto/certificates.h"
#include "cache/cluster_cache.h"
#include "cache/local_cache.h"
#include "cache/redis_cache.h"
#include "cache_stage.h"
#include "real_loops.h"
#include "redis_server.h"

namespace kith::cache {
namespace {

class RealStage : public Stage {
 public:
  ~RealStage() override { stop(); }
  size_t loops() const override { return loops_.count(); }
  void run(std::vector<std::pair<size_t, Make>> tasks) override {
    std::vector<std::future<void>> ends;
    ends.reserve(tasks.size());
    for (auto& [loop, make] : tasks) ends.push_back(loops_.start(loop, std::move(make)));
    for (std::future<void>& end : ends) end.wait();
  }
  void pass(Duration time) override { std::this_thread::sleep_for(time); }

 protected:
  // Before what runs on the loops goes.
  void stop() { loops_.stop(); }
  RealLoops loops_{2};
};

class LocalStage final : public RealStage {
 public:
  Cache& cache() override { return *cache_; }

 private:
  std::unique_ptr<Cache> cache_ = make_local_cache(8 << 20);
};

// The cache of a node of two, so that `one` has somebody to ask; virtual time.
class ClusterStage final : public Stage {
 public:
  ClusterStage() {
    for (ClusterNode* node : {&here_, &there_})
      node->start(
          {Multiaddr::from({here_.host.address, 9450}), Multiaddr::from({there_.host.address, 9450})});
    const auto joined = [](const ClusterNode& node) {
      return node.ready() && node.cluster->replication().peers() == 1;
    };
    EXPECT_TRUE(world_.run_while_not([&] { return joined(here_) && joined(there_); }, 30s));
    cache_ = make_cluster_cache(here_.cluster->cache(), "shared", cluster::AckLevel::one);
  }
  Cache& cache() override { return *cache_; }
  size_t loops() const override { return 1; }
  void run(std::vector<std::pair<size_t, Make>> tasks) override {
    runtime::Scope scope;
    for (auto& [loop, make] : tasks) scope.spawn(make(here_.ports->loop));
    EXPECT_TRUE(world_.run_while_not([&] { return scope.running() == 0; }, 120s));
  }
  void pass(Duration time) override { world_.run_for(time); }

 private:
  sim::World world_{1};
  ClusterNode here_{world_, "here"};
  ClusterNode there_{world_, "there"};
  std::unique_ptr<Cache> cache_;
};

template <class Server, class... Arguments>
Server& shared(Arguments... arguments) {
  static Server server(std::move(arguments)...);
  return server;
}

class RedisStage final : public RealStage {
 public:
  explicit RedisStage(RedisConfig config) {
    config.command_timeout = 20s;  // the machine may be busy
    config.connect_timeout = 10s;
    auto made = make_redis_cache(loops_.ports(), std::move(config), Log());
    EXPECT_TRUE(made);
    cache_ = std::move(*made);
  }
  ~RedisStage() override { stop(); }
  Cache& cache() override { return *cache_; }

 private:
  std::unique_ptr<RedisCache> cache_;
};

RedisConfig sealed(std::vector<RedisAddress> addresses) {
  RedisConfig config;
  config.addresses = std::move(addresses);
  config.encryption.current = crypto::Secret(Bytes(32, 7));
  return config;
}

struct SecuredRedis {
  crypto::TestCertificate authority = crypto::make_test_certificate("Test CA", nullptr, "");
  std::unique_ptr<RedisServer> server;

  SecuredRedis() {
    const auto leaf = crypto::make_test_certificate("redis", &authority, "DNS:redis.example.test");
    std::string name = (std::filesystem::temp_directory_path() / "kith-redis-tls-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    const auto write = [&](const std::string& file, std::string_view text) {
      std::ofstream(folder_ + "/" + file) << text;
      return folder_ + "/" + file;
    };
    server = std::make_unique<RedisServer>(
        std::vector<std::string>{"--port",
                                 "0",
                                 "--tls-port",
                                 "PORT",
                                 "--tls-auth-clients",
                                 "no",
                                 "--tls-cert-file",
                                 write("cert.pem", leaf.certificate_pem),
                                 "--tls-key-file",
                                 write("key.pem", leaf.private_key_pem.reveal_text()),
                                 "--tls-ca-cert-file",
                                 write("ca.pem", authority.certificate_pem),
                                 "--user",
                                 "default",
                                 "off",
                                 "--user",
                                 "kith",
                                 "on",
                                 ">sesame",
                                 "~kith:*",
                                 "+get",
                                 "+set",
                                 "+del"});
  }
  ~SecuredRedis() { std::filesystem::remove_all(folder_); }

 private:
  std::string folder_;
};

}  // namespace

std::unique_ptr<Stage> local_stage() { return std::make_unique<LocalStage>(); }

std::unique_ptr<Stage> cluster_stage() { return std::make_unique<ClusterStage>(); }

std::unique_ptr<Stage> redis_stage() {
  return std::make_unique<RedisStage>(sealed({shared<RedisServer>().address()}));
}

std::unique_ptr<Stage> unsealed_redis_stage() {
  RedisConfig config;
  config.addresses = {shared<RedisServer>().address()};
  config.encryption.disabled = true;
  config.hash_keys = false;
  return std::make_unique<RedisStage>(std::move(config));
}

std::unique_ptr<Stage> secured_redis_stage() {
  SecuredRedis& redis = shared<SecuredRedis>();
  RedisConfig config = sealed({redis.server->address()});
  config.username = "kith";
  config.password = crypto::Secret("sesame");
  config.tls = *crypto::make_client_context({.ca_pem = redis.authority.certificate_pem, .system_cas = false});
  config.server_name = "redis.example.test";
  return std::make_unique<RedisStage>(std::move(config));
}

std::unique_ptr<Stage> old_redis_stage() {
  RedisServer& server = shared<RedisServer>(
      std::vector<std::string>{"--rename-command", "HELLO", "", "--requirepass", "sesame"});
  RedisConfig config = sealed({server.address()});
  config.password = crypto::Secret("sesame");
  return std::make_unique<RedisStage>(std::move(config));
}

std::unique_ptr<Stage> redis_cluster_stage() {
  return std::make_unique<RedisStage>(sealed(shared<RedisCluster>().addresses()));
}

}  // namespace kith::cache
