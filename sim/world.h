// A deterministic world in one thread.
//
// Problem: the failures that matter (kills, pauses, partitions, unlucky orders) are rare and cannot be
// repeated on real machines. Idea: one queue of events ordered by (virtual time, sequence), one seeded
// source of randomness, and twins of the runtime's ports on top. The same seed runs the same events in
// the same order, shown by an equal hash; so a failing seed is a bug report.
// Source: tigerbeetle src/vopr.zig, FoundationDB (SIGMOD 2021, section 4).
//
// A Host is a machine: an address, files that outlive processes, a wall clock. A Process is one life of a
// program on it, with its own ports. A killed process becomes a ghost: its peers see it die, its own
// operations fail, and its tasks may run to their end unseen by the world, so that its owner can close
// its scopes and destroy it in order.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/net.h"
#include "base/time.h"
#include "runtime/dns.h"
#include "sim/callback.h"
#include "sim/disk.h"

namespace kith::sim {

class Wires;
class World;

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  uint64_t next() { return engine_(); }
  uint64_t below(uint64_t bound) { return bound == 0 ? 0 : engine_() % bound; }  // 0 for 0
  bool chance(uint64_t in, uint64_t of) { return below(of) < in; }
  Duration between(Duration least, Duration most) {
    return least + Duration(below(static_cast<uint64_t>((most - least).count()) + 1));
  }

 private:
  std::mt19937_64 engine_;
};

struct NetworkOptions {
  Duration min_latency = 100us;  // one way, drawn for each segment; streams stay in order
  Duration max_latency = 500us;
  uint64_t loss_per_mille = 0;     // segments that need a retransmission (200 ms, doubling)
  uint64_t bytes_per_second = 0;   // of each direction of a stream; 0: no limit
  uint64_t partial_per_mille = 0;  // segments that are read in more than one piece
  size_t window = 256 << 10;       // bytes in flight and unread of one direction
};

struct Host {
  std::string name;
  IpAddress address;
  Duration wall_offset{0};  // how far its wall clock is off
  int64_t drift_ppm = 0;    // how much faster both of its clocks run; set before its first process starts
  bool up = true;
  // Its own interface: what is wrong here is wrong with all its paths.
  bool deaf = false;              // nothing comes in
  bool mute = false;              // nothing goes out
  uint64_t loss_per_mille = 0;    // of what comes in and of what goes out
  uint64_t bytes_per_second = 0;  // of each stream that goes out; 0: no limit
  std::map<std::string, std::string> files;
  DiskState disk;
  size_t index = 0;
};

class Process {
 public:
  enum class State : uint8_t { running, paused, dead };
  Host& host() const { return host_; }
  World& world() const { return world_; }
  State state() const { return state_; }
  bool dead() const { return state_ == State::dead; }

 private:
  friend class World;
  Process(World& world, Host& host) : world_(world), host_(host) {}
  World& world_;
  Host& host_;
  State state_ = State::running;
  std::vector<std::pair<Callback, std::shared_ptr<bool>>> deferred_;  // what came due while it was paused
};

class World {
 public:
  explicit World(uint64_t seed, NetworkOptions network = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  uint64_t seed() const { return seed_; }
  Random& random() { return random_; }
  NetworkOptions& network() { return network_; }  // may change while the world runs
  Wires& wires() { return *wires_; }
  MonoTime now() const { return now_; }
  // The clocks of one host, which may drift.
  MonoTime now(const Host& host) const;
  WallTime wall_now(const Host& host) const;
  MonoTime when_it_is(MonoTime local, const Host& host) const;  // the first moment at which it is
  // Differs as soon as two runs differ in what happened, when, or in which order.
  uint64_t hash() const { return hash_; }
  uint64_t events() const { return events_run_; }
  void note(uint64_t value);  // mixes something into the hash

  // At a virtual time, on no process or on one: then it waits while the process is paused.
  using Cancel = std::shared_ptr<bool>;  // set it to true and the event does nothing
  void at(MonoTime when, Callback fn, Process* process = nullptr, Cancel cancel = nullptr);
  void after(Duration delay, Callback fn, Process* process = nullptr) {
    at(now_ + delay, std::move(fn), process);
  }

  bool step();  // false when nothing is left to happen
  void run_until(MonoTime when);
  void run_for(Duration duration) { run_until(now_ + duration); }
  // Until the condition holds, looked at after each event; false when the limit came first.
  bool run_while_not(const std::function<bool()>& condition, Duration limit);

  // 10.0.x.y by order of creation, or the address that is given.
  Host& add_host(std::string name);
  Host& add_host(std::string name, IpAddress address);
  Host* find_host(const IpAddress& address, const Host& asking);             // loopback is the asking host
  std::map<std::string, std::vector<IpAddress>>& names() { return names_; }  // the name service
  // The SRV records of a name, as that host is told; an error with Code::timeout takes the asker's patience.
  using Services = std::function<Result<std::vector<runtime::ServiceRecord>>(const Host& asking)>;
  std::map<std::string, Services>& services() { return services_; }

  Process& start(Host& host);
  void kill(Process& process);    // kill -9: the kernel closes its sockets
  void pause(Process& process);   // SIGSTOP: the kernel goes on
  void resume(Process& process);  // SIGCONT
  void power_off(Host& host);     // nobody is told
  void power_on(Host& host);

  // Silently drops what goes from one host to the other; TCP waits and tries again.
  void block(const Host& from, const Host& to);
  void unblock(const Host& from, const Host& to);
  void set_deaf(Host& host, bool deaf);
  void set_mute(Host& host, bool mute);
  void split(const std::vector<Host*>& one, const std::vector<Host*>& other);  // both ways
  void heal();                                                                 // ends all of the above
  bool reaches(const Host& from, const Host& to) const;                        // and the other is up
  bool whole() const { return blocked_.empty() && impaired_ == 0; }

 private:
  struct Event {
    Callback fn;
    Process* process = nullptr;
    Cancel cancel;
  };
  // The queue is a heap of small keys; the events lie still beside it.
  struct Due {
    MonoTime when;
    uint64_t sequence;
    uint32_t slot;
    bool operator>(const Due& other) const {
      return when != other.when ? when > other.when : sequence > other.sequence;
    }
  };
  void set_impaired(bool& flag, bool value);
  uint64_t seed_;
  bool ended_ = false;
  NetworkOptions network_;
  Random random_;
  MonoTime now_{};
  uint64_t hash_ = 0xcbf29ce484222325;
  uint64_t sequence_ = 0;
  uint64_t events_run_ = 0;
  std::vector<Due> queue_;  // std::push_heap, the earliest first
  std::vector<Event> events_;
  std::vector<uint32_t> free_;  // slots of events_
  std::vector<std::unique_ptr<Host>> hosts_;
  std::map<IpAddress, Host*> by_address_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::map<std::string, std::vector<IpAddress>> names_;
  std::map<std::string, Services> services_;
  std::unordered_set<uint64_t> blocked_;  // by way()
  size_t impaired_ = 0;                   // deaf and mute flags that are set
  std::unique_ptr<Wires> wires_;
};

}  // namespace kith::sim
