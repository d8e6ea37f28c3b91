// Real Redis servers for a test: processes of their own, on free loopback ports, in temporary directories.
// They end with the object that started them, and with this process whatever happens to it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache/redis_config.h"
#include "resp/reply.h"

namespace kith::cache {

class RedisServer {
 public:
  // Starts one and waits until it answers. arguments follow the usual ones: {"--maxmemory", "1mb"}. A server
  // with a password or TLS is waited for until it takes connections.
  explicit RedisServer(std::vector<std::string> arguments = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  RedisAddress address() const { return {"127.0.0.1", port_}; }
  std::string directory() const { return directory_; }
  // As kill -9; connecting is refused. start() begins anew, empty, with the same port and arguments.
  void kill();
  void start();
  // SIGSTOP and SIGCONT.
  void pause(bool on);

  // One command over a connection of its own, without login; the test fails when there is no reply.
  resp::Reply command(const std::vector<std::string>& args) const;

 private:
  friend class RedisCluster;
  bool try_start();
  bool answers() const;

  std::vector<std::string> arguments_;
  std::string directory_;
  uint16_t port_ = 0;
  uint16_t bus_port_ = 0;
  int pid_ = -1;
  int held_ = -1;  // a socket that keeps the port while the server is dead
};

// Three masters with a third of the slots each.
class RedisCluster {
 public:
  RedisCluster();

  RedisServer& master(size_t index) { return *masters_[index]; }
  size_t owner_of(uint16_t slot) const { return slot / kShare < 3 ? slot / kShare : 2; }
  std::vector<RedisAddress> addresses() const;
  // A server that copies from a master; returns when it has what the master has, and all know it.
  std::unique_ptr<RedisServer> add_replica(size_t master);
  std::string id_of(const RedisServer& server) const;

 private:
  static constexpr size_t kShare = 5461;
  std::unique_ptr<RedisServer> start_member();
  void meet(const RedisServer& member);
  // Until CLUSTER SLOTS of every master names as many servers, and the cluster says that it is well.
  void wait_for(size_t servers);

  std::vector<std::unique_ptr<RedisServer>> masters_;
};

}  // namespace kith::cache
