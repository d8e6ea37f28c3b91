// One node of a cluster for bench_state.py: the product's Cluster on the product's loops, sockets and TLS,
// without a gateway in front of it.
//
//   kith-bench-state NAME MEMBERSHIP_PORT DATA_PORT KEY_FILE SOCKET JOURNAL|- [SEED_PORT ...]
//
// It takes commands on the Unix socket, one line each, and answers each with one line of JSON. Times are
// nanoseconds of CLOCK_MONOTONIC, which the processes of one machine share.
//
//   status                        where it stands, what it holds
//   memory                        what has been allocated since its start; not free of cost
//   create FIRST COUNT SIZE RATE LEVEL AT_ONCE REVOKE_EVERY
//                                 sessions with bodies of SIZE bytes, called for on the worker loop as a
//                                 gateway does: RATE a second, whatever has become of those before, or with
//                                 RATE 0 AT_ONCE at a time. Every REVOKE_EVERY-th revokes one of the earlier
//                                 ones instead.
//   writes FILE                   (seq, called, done, 1 = revoked), of all create commands since the last
//   time follow NODE INCARNATION       notes from now on when more of this log is readable here steps FILE
//   (origin, prefix, when), since the last time; origin: the number of its follow read FIRST KNOWN COUNT
//   looks up sessions among KNOWN ones, on the worker loop stop                          leaves the cluster
//   and ends
//
// The files hold 64-bit numbers in the byte order of the machine.
#include <malloc.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <future>
#include <sstream>

#include "cluster/cluster.h"
#include "platform/log_sink.h"
#include "platform/runtime.h"
#include "runtime/scope.h"
#include "runtime/sync.h"

namespace kith::bench {
namespace {

using cluster::AckLevel;

constexpr auto kLife = std::chrono::hours(8);
constexpr Duration kPatience = 20s;     // of a write for its level
constexpr size_t kMostAtOnce = 50000;   // writes at a rate that are not done yet
constexpr uint64_t kRevokeAfter = 300;  // how many writes later a session is revoked

int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }
int64_t cpu_ns(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

// As good as a hash; the same on all nodes.
struct Mixer {
  uint64_t state;
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  void fill(MutableByteView out) {
    for (size_t at = 0; at < out.size(); at += 8) {
      const uint64_t word = next();
      std::memcpy(out.data() + at, &word, std::min<size_t>(8, out.size() - at));
    }
  }
};
cluster::SessionKey key_of(uint64_t number) {
  cluster::SessionKey key;
  Mixer{number}.fill(key.bytes);
  return key;
}
Bytes body_of(uint64_t number, size_t size) {
  Bytes body(size);
  Mixer{~number}.fill(body);
  return body;
}

struct Load {
  uint64_t first = 0, count = 0, size = 0, rate = 0;
  AckLevel level = AckLevel::one;
  uint64_t at_once = 1, revoke_every = 0;
  uint64_t next = 0;  // of those to be called for
  uint64_t running = 0, failed = 0, not_at_level = 0, put_off = 0;
  std::promise<void> done;
};

struct Write {
  uint64_t seq = 0;
  int64_t called = 0, done = 0;
  uint64_t revoked = 0;
};
struct Step {
  uint64_t origin = 0, prefix = 0;
  int64_t when = 0;
};

template <class Record>
void save(std::vector<Record>& records, const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(records.data()),
            static_cast<std::streamsize>(records.size() * sizeof(Record)));
  std::vector<Record>().swap(records);
}

std::string line_of(std::initializer_list<std::pair<const char*, int64_t>> numbers) {
  std::string out;
  for (const auto& [name, value] : numbers)
    out.append(out.empty() ? "{\"" : ", \"").append(name).append("\": ").append(std::to_string(value));
  return out + "}";
}

class Node {
 public:
  explicit Node(platform::Runtime& runtime, std::unique_ptr<cluster::Cluster> cluster)
      : runtime_(runtime), cluster_(std::move(cluster)) {}

  void start() {
    heap_at_start_ = heap_bytes();
    cluster_->start();
    control_scope_.spawn(note_ready());
  }
  // The answer; on a thread of its own, which waits for the loops.
  std::string command(const std::string& line);

 private:
  runtime::Loop& control() { return runtime_.control(); }
  runtime::Loop& worker() { return runtime_.worker(0); }
  template <class Fn>
  auto on(runtime::Loop& loop, Fn fn) {
    auto box = std::make_shared<std::promise<decltype(fn())>>();
    auto result = box->get_future();
    loop.post([box, fn]() mutable {
      if constexpr (std::is_void_v<decltype(fn())>) {
        fn();
        box->set_value();
      } else {
        box->set_value(fn());
      }
    });
    return result.get();
  }

  // What is allocated, as the allocator counts it, which looks at all that is free.
  static int64_t heap_bytes() {
    const struct mallinfo2 info = ::mallinfo2();
    return static_cast<int64_t>(info.uordblks + info.hblkhd);
  }
  std::string status();
  runtime::Task<void> note_ready();
  runtime::Task<void> follow(uint64_t number, Replica origin);
  uint64_t prefix_of(const Replica& origin) const;
  runtime::Task<void> write(Load& load, uint64_t number);
  runtime::Task<void> write_on(Load& load);
  runtime::Task<void> write_at_rate(Load& load);
  void finish(Load& load) {
    if (load.running == 0 && load.next == load.count) load.done.set_value();
  }
  std::string create(std::istream& words);
  std::string read(std::istream& words);
  runtime::Task<void> stop();

  platform::Runtime& runtime_;
  std::unique_ptr<cluster::Cluster> cluster_;
  int64_t heap_at_start_ = 0;
  int64_t ready_at_ = 0;
  runtime::Scope control_scope_, worker_scope_;
  uint64_t followed_ = 0;      // commands, in all
  uint64_t following_ = 0;     // changes when what is followed is not followed any more
  std::vector<Step> steps_;    // of the control loop
  std::vector<Write> writes_;  // of the worker loop
};

// ---------------------------------------------------------------- what it sees

runtime::Task<void> Node::note_ready() {
  while (cluster_->phase() != cluster::Phase::ready) {
    const bool slept = co_await runtime::sleep(control(), 1ms, control_scope_.stop_token());
    if (!slept) co_return;
  }
  ready_at_ = now_ns();
}

std::string Node::status() {
  const replication::Core& core = cluster_->replication();
  const cluster::Journal* journal = cluster_->journal();
  std::string line = line_of({{"incarnation", static_cast<int64_t>(core.self().incarnation)},
                              {"ready_at", ready_at_},
                              {"sessions", static_cast<int64_t>(cluster_->sessions().size())},
                              {"peers", static_cast<int64_t>(core.peers())},
                              {"seq", static_cast<int64_t>(core.own_seq())},
                              {"ring", static_cast<int64_t>(core.bytes_held())},
                              {"written", journal ? static_cast<int64_t>(journal->written()) : 0}});
  line.pop_back();
  return line + ", \"id\": \"" + cluster_->id().hex() + "\"}";
}

uint64_t Node::prefix_of(const Replica& origin) const {
  const replication::Vector& applied = cluster_->replication().applied();
  auto found = applied.find(origin);
  return found == applied.end() ? 0 : found->second.prefix();
}

runtime::Task<void> Node::follow(uint64_t number, Replica origin) {
  uint64_t known = prefix_of(origin);
  const uint64_t since = following_;
  while (following_ == since && cluster_->phase() == cluster::Phase::ready) {
    const Dot next{origin, known + 1};
    (void)co_await cluster_->sessions().catch_up(control(), {}, next, 1s, false, kNever);
    const uint64_t prefix = prefix_of(origin);
    if (prefix > known && following_ == since) steps_.push_back({number, prefix, now_ns()});
    known = std::max(known, prefix);
  }
}

// ---------------------------------------------------------------- what it does

runtime::Task<void> Node::write(Load& load, uint64_t number) {
  cluster::SessionStore& store = cluster_->sessions();
  const bool revokes = load.revoke_every > 0 && number % load.revoke_every == 0 && number > kRevokeAfter;
  const MonoTime deadline = worker().now() + kPatience;
  const WallTime now = worker().wall_now();
  Write note;
  note.revoked = revokes;
  Result<cluster::SessionWrite> made = Error(Code::unavailable, "not called");
  if (revokes) {
    const cluster::SessionKey key = key_of(load.first + number - kRevokeAfter + 1);
    note.called = now_ns();
    made = co_await store.revoke(worker(), key, store::EndReason::logout, now + kLife, load.level, deadline);
  } else {
    const cluster::SessionKey key = key_of(load.first + number);
    cluster::SessionRecord record{body_of(number, load.size), now, now + kLife, now, {}};
    note.called = now_ns();
    made = co_await store.create(worker(), key, std::move(record), load.level, deadline);
  }
  note.done = now_ns();
  if (made) {
    note.seq = made->position.seq;
    if (load.rate > 0) writes_.push_back(note);
    load.not_at_level += made->at_level ? 0 : 1;
  } else {
    ++load.failed;
  }
}

// One of those that are under way all the time; or one write, when there is a rate.
runtime::Task<void> Node::write_on(Load& load) {
  ++load.running;
  while (load.next < load.count) {
    const uint64_t number = load.next++;
    co_await write(load, number);
    if (load.rate > 0) break;
  }
  --load.running;
  finish(load);
}

runtime::Task<void> Node::write_at_rate(Load& load) {
  const MonoTime start = worker().now();
  ++load.running;
  while (load.next < load.count) {
    const auto due = [&](uint64_t number) {
      return start + Duration(static_cast<int64_t>(number * 1'000'000'000 / load.rate));
    };
    const MonoTime now = MonoTime(Duration(now_ns()));
    while (load.next < load.count && due(load.next) <= now) {
      if (load.running > kMostAtOnce) {
        ++load.put_off;
        break;
      }
      worker_scope_.spawn(write_on(load));
    }
    const MonoTime next = std::max<MonoTime>(due(load.next), now + 20us);
    co_await runtime::sleep_until(worker(), next);
  }
  --load.running;
  finish(load);
}

std::string Node::create(std::istream& words) {
  Load load;
  std::string level;
  words >> load.first >> load.count >> load.size >> load.rate >> level >> load.at_once >> load.revoke_every;
  if (!words || load.count == 0)
    return R"({"error": "create FIRST COUNT SIZE RATE LEVEL AT_ONCE REVOKE_EVERY"})";
  load.level = level == "local" ? AckLevel::local : level == "all" ? AckLevel::all : AckLevel::one;
  const int64_t began = now_ns();
  auto done = load.done.get_future();
  worker().post([this, &load] {
    if (load.rate > 0) worker_scope_.spawn(write_at_rate(load));
    for (uint64_t i = 0; load.rate == 0 && i < load.at_once; ++i) worker_scope_.spawn(write_on(load));
  });
  done.get();
  // The loop is past the last use of what is on our stack.
  on(worker(), [] {});
  return line_of({{"ns", now_ns() - began},
                  {"failed", static_cast<int64_t>(load.failed)},
                  {"not_at_level", static_cast<int64_t>(load.not_at_level)},
                  {"put_off", static_cast<int64_t>(load.put_off)}});
}

std::string Node::read(std::istream& words) {
  uint64_t first = 0, known = 0, count = 0;
  words >> first >> known >> count;
  if (!words || known == 0) return R"({"error": "read FIRST KNOWN COUNT"})";
  std::vector<cluster::SessionKey> keys(count);
  Mixer which{count};
  for (cluster::SessionKey& key : keys) key = key_of(first + which.next() % known);
  int64_t cpu = 0, live = 0;
  on(worker(), [&] {
    const WallTime now = worker().wall_now();
    const int64_t before = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    for (const cluster::SessionKey& key : keys)
      live += cluster_->sessions().get(key, now).state == store::SessionState::live ? 1 : 0;
    cpu = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - before;
  });
  return line_of({{"cpu_ns", cpu}, {"live", live}});
}

runtime::Task<void> Node::stop() {
  const MonoTime deadline = control().now() + 5s;
  co_await cluster_->leave(deadline);
  control_scope_.request_stop();
  co_await cluster_->stop();
  runtime_.stop();
}

std::string Node::command(const std::string& line) {
  std::istringstream words(line);
  std::string name, file;
  words >> name;
  if (name == "status") return on(control(), [this] { return status(); });
  if (name == "memory") return line_of({{"heap", heap_bytes() - heap_at_start_}});
  if (name == "create") return create(words);
  if (name == "read") return read(words);
  if (name == "follow") {
    std::string node;
    Replica origin;
    words >> node >> origin.incarnation;
    auto id = NodeId::from(unhex(node).value_or(Bytes{}));
    if (!id) return R"({"error": "follow NODE INCARNATION"})";
    origin.node = *id;
    const uint64_t number = followed_++;
    on(control(), [this, number, origin] { control_scope_.spawn(follow(number, origin)); });
    return line_of({{"number", static_cast<int64_t>(number)}});
  }
  words >> file;
  if (name == "writes") {
    on(worker(), [&] { save(writes_, file); });
  } else if (name == "steps") {
    on(control(), [&] {
      ++following_;
      save(steps_, file);
    });
  } else if (name == "stop") {
    control().post([this] { control_scope_.spawn(stop()); });
  } else {
    return R"({"error": "no such command"})";
  }
  return "{}";
}

// ---------------------------------------------------------------- around it

// Serves one connection after the other until the process ends.
void serve(Node& node, int listener) {
  for (;;) {
    const int connection = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    std::string got;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(connection, buffer, sizeof buffer)) > 0;) {
      got.append(buffer, static_cast<size_t>(n));
      for (size_t end = 0; (end = got.find('\n')) != std::string::npos; got.erase(0, end + 1)) {
        const std::string answer = node.command(got.substr(0, end)) + "\n";
        if (::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) break;
      }
    }
    ::close(connection);
  }
}

int listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return -1;
  std::copy(path.begin(), path.end(), address.sun_path);
  ::unlink(path.c_str());
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool bound = ::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                     ::listen(listener, 8) == 0;
  return bound ? listener : -1;
}

Multiaddr loopback(const std::string& port) {
  return Multiaddr::from({*IpAddress::parse("127.0.0.1"), static_cast<uint16_t>(std::stoul(port))});
}

int run(const std::vector<std::string>& words) {
  platform::Runtime runtime(1);
  cluster::ClusterConfig config;
  config.name = "main";
  config.membership = loopback(words[1]);
  config.data = loopback(words[2]);
  config.node_key_file = words[3];
  for (size_t i = 6; i < words.size(); ++i) config.seeds.push_back(loopback(words[i]));
  config.psks.emplace_back(Bytes(32, 0x42));
  if (words[5] != "-") {
    config.journal.directory = words[5];
    config.journal.key = crypto::Secret(Bytes(32, 0x24));
  }
  cluster::ClusterOptions options;
  options.node_name = words[0];
  options.software = "kith/bench";
  options.disk = &runtime.disk();
  Log log(platform::make_log_sink({}), "cluster");
  auto opened =
      cluster::Cluster::open(std::move(config), std::move(options), runtime.control_ports(), std::move(log));
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().message().c_str());
    return 1;
  }
  const int listener = listen_at(words[4]);
  if (listener < 0) {
    std::perror(words[4].c_str());
    return 1;
  }
  Node node(runtime, std::move(*opened));
  runtime.start();
  runtime.control().post([&node] { node.start(); });
  std::thread([&node, listener] { serve(node, listener); }).detach();
  runtime.control().run();
  runtime.stop();
  runtime.join();
  std::fflush(nullptr);
  std::_Exit(0);  // the thread that serves may be anywhere
}

}  // namespace
}  // namespace kith::bench

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() < 6) {
    std::fprintf(stderr,
                 "usage: %s NAME MEMBERSHIP_PORT DATA_PORT KEY_FILE SOCKET JOURNAL|- [SEED_PORT ...]\n",
                 argv[0]);
    return 2;
  }
  return kith::bench::run(words);
}
