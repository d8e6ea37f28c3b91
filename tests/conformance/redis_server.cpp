#include "redis_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <thread>

#include "resp/reply_parser.h"
#include "resp/request_writer.h"

namespace kith::cache {
namespace {

constexpr auto kPatience = std::chrono::seconds(30);  // for a server on a machine that is busy

bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// A socket that closes itself.
class Socket {
 public:
  Socket() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  bool connect(uint16_t port) const {
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in to = loopback(port);
    return ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  uint16_t bind_anywhere() const {
    sockaddr_in at = loopback(0);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size), 0);
    return ntohs(at.sin_port);
  }
  // Also where connections of a server that was killed are not quite over.
  bool bind(uint16_t port) const {
    const int on = 1;
    ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in at = loopback(port);
    return ::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0;
  }
  int fd() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::optional<resp::Reply> exchange(uint16_t port, const std::vector<std::string>& args) {
  Socket socket;
  if (!socket.connect(port)) return std::nullopt;
  Bytes request;
  const std::vector<std::string_view> views(args.begin(), args.end());
  resp::append_command(request, views);
  for (size_t sent = 0; sent < request.size();) {
    const ssize_t n = ::send(socket.fd(), request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return std::nullopt;
    sent += static_cast<size_t>(n);
  }
  resp::ReplyParser parser;
  while (parser.next() == resp::ReplyParser::State::incomplete) {
    const MutableByteView room = parser.space();
    const ssize_t n = ::recv(socket.fd(), room.data(), room.size(), 0);
    if (n <= 0) return std::nullopt;
    parser.commit(static_cast<size_t>(n));
  }
  return parser.take();
}

// What runs in the child between fork and exec may only make system calls.
int spawn(const std::vector<std::string>& arguments, const std::string& directory) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::chdir(directory.c_str()) != 0) ::_exit(126);
  const int log = ::open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(log, 1);
  ::dup2(log, 2);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

}  // namespace

RedisServer::RedisServer(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {
  std::string name = (std::filesystem::temp_directory_path() / "kith-redis-XXXXXX").string();
  EXPECT_NE(::mkdtemp(name.data()), nullptr);
  directory_ = name;
  // A port that was free a moment ago may be somebody's by now.
  for (int attempt = 0; attempt < 5; ++attempt) {
    {
      const Socket clients, bus;  // both held at once, so that they differ
      port_ = clients.bind_anywhere();
      bus_port_ = bus.bind_anywhere();
    }
    if (try_start()) return;
  }
  ADD_FAILURE() << "redis-server does not start: " << directory_ << "/log";
}

RedisServer::~RedisServer() {
  kill();
  if (held_ >= 0) ::close(held_);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void RedisServer::start() { ASSERT_TRUE(try_start()) << "redis-server does not start again"; }

bool RedisServer::try_start() {
  if (held_ >= 0) ::close(std::exchange(held_, -1));
  std::vector<std::string> all{"redis-server",
                               "--port",
                               std::to_string(port_),
                               "--bind",
                               "127.0.0.1",
                               "--save",
                               "",
                               "--appendonly",
                               "no",
                               "--daemonize",
                               "no",
                               "--loglevel",
                               "notice",
                               "--repl-diskless-sync-delay",
                               "0"};
  for (std::string argument : arguments_) {
    if (argument == "PORT") argument = std::to_string(port_);
    if (argument == "BUS_PORT") argument = std::to_string(bus_port_);
    all.push_back(std::move(argument));
  }
  pid_ = spawn(all, directory_);
  bool ended = false;
  const bool settled = eventually([&] {
    ended = ::waitpid(pid_, nullptr, WNOHANG) == pid_;
    return ended || answers();
  });
  if (ended) pid_ = -1;
  return settled && !ended;
}

bool RedisServer::answers() const {
  if (std::find(arguments_.begin(), arguments_.end(), "--tls-port") == arguments_.end())
    return exchange(port_, {"PING"}).has_value();
  return Socket().connect(port_);
}

void RedisServer::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
  // Nobody listens there, and nobody else comes to.
  Socket place;
  EXPECT_TRUE(place.bind(port_));
  held_ = place.release();
}

void RedisServer::pause(bool on) { ::kill(pid_, on ? SIGSTOP : SIGCONT); }

resp::Reply RedisServer::command(const std::vector<std::string>& args) const {
  auto reply = exchange(port_, args);
  EXPECT_TRUE(reply) << "no reply to " << args[0];
  return reply.value_or(resp::Reply{});
}

// ---------------------------------------------------------------- clusters

RedisCluster::RedisCluster() {
  for (size_t i = 0; i < 3; ++i) {
    masters_.push_back(start_member());
    const size_t first = i * kShare, last = i == 2 ? 16383 : first + kShare - 1;
    const auto added =
        masters_[i]->command({"CLUSTER", "ADDSLOTSRANGE", std::to_string(first), std::to_string(last)});
    EXPECT_EQ(added.text, "OK");
    EXPECT_EQ(masters_[i]->command({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)}).text, "OK");
    if (i > 0) meet(*masters_[i]);
  }
  wait_for(3);
}

std::unique_ptr<RedisServer> RedisCluster::start_member() {
  return std::make_unique<RedisServer>(std::vector<std::string>{
      "--cluster-enabled", "yes", "--cluster-port", "BUS_PORT", "--cluster-node-timeout", "1000",
      // A replica is named once it has heard a ping.
      "--repl-ping-replica-period", "1"});
}

void RedisCluster::meet(const RedisServer& member) {
  const auto met = masters_[0]->command(
      {"CLUSTER", "MEET", "127.0.0.1", std::to_string(member.port_), std::to_string(member.bus_port_)});
  EXPECT_EQ(met.text, "OK");
}

void RedisCluster::wait_for(size_t servers) {
  for (const auto& master : masters_) {
    EXPECT_TRUE(eventually([&] {
      size_t named = 0;
      for (const resp::Reply& range : master->command({"CLUSTER", "SLOTS"}).items)
        named += range.items.size() - 2;
      const std::string info = master->command({"CLUSTER", "INFO"}).text;
      return named >= servers && info.find("cluster_state:ok") != std::string::npos;
    }));
  }
}

std::vector<RedisAddress> RedisCluster::addresses() const {
  std::vector<RedisAddress> all;
  for (const auto& master : masters_) all.push_back(master->address());
  return all;
}

std::string RedisCluster::id_of(const RedisServer& server) const {
  return server.command({"CLUSTER", "MYID"}).text;
}

std::unique_ptr<RedisServer> RedisCluster::add_replica(size_t index) {
  auto replica = start_member();
  meet(*replica);
  const std::string id = id_of(*masters_[index]);
  EXPECT_TRUE(eventually([&] { return replica->command({"CLUSTER", "REPLICATE", id}).text == "OK"; }));
  wait_for(4);
  EXPECT_TRUE(eventually([&] {
    return replica->command({"INFO", "replication"}).text.find("master_link_status:up") != std::string::npos;
  }));
  return replica;
}

}  // namespace kith::cache
