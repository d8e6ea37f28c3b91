// A small world for the replication core and the session table: nodes that are just a core and a
// table, a network with seeded delays that cuts links, and a virtual clock. Everything follows from
// the seed.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "journal/recovery.h"
#include "replication/core.h"
#include "store/tables.h"

namespace kith::scenario {

using replication::Core;
using replication::Key;
using replication::Op;
using replication::Vector;
using store::SessionTable;

struct WorldOptions {
  uint64_t seed = 1;
  size_t nodes = 3;
  Duration max_delay = 200ms;  // of a message, 0..max
  size_t lane_depth = 2;       // messages of a lane on their way; more are not asked for
  size_t max_body = 200;       // of a session
  replication::Config replication;
  Duration busy = 60s;    // how long the nodes write
  Duration quiet = 150s;  // how long they then have to become equal
  bool kills = true;
  bool cuts = true;
  bool insider = false;  // one more member, which lies about the others
  // Each node has a journal, which outlives it; now and then all are killed at once.
  bool journals = false;
  bool damage = false;  // frames of the journals are lost
};

// What a world has seen go wrong; empty = nothing.
using Verdict = std::string;

class World {
 public:
  explicit World(WorldOptions options);
  Verdict run();
  std::string summary() const;

 private:
  struct Write {  // what the ledger knows of a write
    Op op;
    bool acked = false;      // a peer had it, as far as its origin heard
    bool journaled = false;  // it was in its origin's journal, whole
  };
  struct Marked {        // a session that its marking node knew of
    size_t created = 0;  // in ledger_
    Key scope;
    uint64_t hlc = 0;
  };
  struct Node {
    Replica replica;
    bool hears_insider = false;
    std::unique_ptr<store::Tables> tables;
    SessionTable* table = nullptr;        // of the tables
    std::unique_ptr<Core> core;           // null while dead
    uint64_t life = 0;                    // counts starts, so that events of an earlier life are dropped
    std::vector<size_t> waiting;          // own writes not acknowledged yet, as indexes of the ledger
    std::map<size_t, Vector> at_peer_up;  // what each peer had when its link came up
    std::vector<Key> seen_ended;
  };
  struct Journal {
    std::vector<Bytes> frames;
    size_t written = 0;  // frames; the others go with the process
    std::vector<std::pair<size_t, size_t>>
        own;  // frames that there are with a write of the node's, and the write
  };
  struct Link {
    bool up = false;
    uint64_t generation = 0;
    std::array<bool, 2> seen{};                          // whether the lower and the higher end know it is up
    std::map<std::pair<size_t, int>, size_t> in_flight;  // by sender and lane
    std::map<std::pair<size_t, int>, bool> was_full;     // when it was last asked for more
    std::map<std::pair<size_t, int>, MonoTime> last_arrival;
  };
  struct Event {
    MonoTime at;
    uint64_t order = 0;
    std::function<void()> run;
    bool operator<(const Event& other) const { return std::tie(at, order) > std::tie(other.at, other.order); }
  };

  uint64_t random(uint64_t below) { return below == 0 ? 0 : rng_() % below; }
  Duration random(Duration below) { return Duration(random(static_cast<uint64_t>(below.count()) + 1)); }
  void at(Duration delay, std::function<void()> run);
  void run_until(MonoTime end);
  WallTime wall() const {
    return from_unix_ms(1'800'000'000'000) +
           std::chrono::duration_cast<std::chrono::milliseconds>(now_ - MonoTime{});
  }
  WallTime wall_of(size_t node) const {
    return wall() + std::chrono::seconds(static_cast<int>(node) * 7 - 10);
  }

  NodeId id_of(size_t index) const { return crypto::node_id(identities_[index].public_key()); }
  Link& link(size_t a, size_t b) { return links_[{std::min(a, b), std::max(a, b)}]; }
  void start(size_t index, bool founding);
  void kill(size_t index);
  void kill_all();
  void to_journal(size_t index, const Bytes& records);
  void from_journal(size_t index);
  void compact(size_t index);
  void connect(size_t a, size_t b);
  void cut(size_t a, size_t b);
  void notice_down(size_t index, size_t peer, uint64_t generation, uint64_t life);
  void pump(size_t index);
  void send(size_t from, size_t to, replication::Transmit message);
  void deliver(size_t from, size_t to, uint64_t generation, replication::Transmit message);
  void on_event(size_t index, replication::Event event);
  void tick(size_t index, uint64_t life);
  void note_marked(const Node& node, const replication::Op& mark);
  void write();
  void disturb();
  bool may_kill(size_t index);
  bool includes(store::Tables& tables, const Write& write);
  bool includes_in_cache(store::Tables& tables, const Write& write);
  Op write_cache(store::CacheTable& caches, WallTime wall);
  void lie();
  void tell_lie(Node& victim);
  void check_sample();
  void check_caught_up(size_t index);
  void check_end();
  void fail(std::string what) {
    if (verdict_.empty()) verdict_ = std::move(what);
  }

  const WorldOptions options_;
  std::mt19937_64 rng_;
  MonoTime now_{};
  uint64_t order_ = 0;
  std::priority_queue<Event> events_;
  std::vector<crypto::SigningKey> identities_;  // of the nodes, and the insider's
  std::vector<Node> nodes_;
  std::vector<Journal> journals_;
  std::map<std::pair<size_t, size_t>, Link> links_;
  std::vector<Write> ledger_;
  std::vector<Marked> marked_;
  std::vector<Key> keys_;
  bool busy_ = true;
  uint64_t kills_ = 0, full_stops_ = 0, messages_ = 0;
  Verdict verdict_;
};

}  // namespace kith::scenario
