// A cluster of membership cores in the simulated world: the short pump of the real driver over plain
// wires, with no TLS and no coroutines, so that thousands of lives fit into a second.
//
// It plays the driver's part of the contract in membership/core.h (one link per pair, results of dials,
// links that end), and keeps watch: a healthy, reachable member that is declared down while the network
// is whole is a violation.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "membership/core.h"
#include "sim/memo_notary.h"
#include "sim/wire.h"
#include "sim/world.h"

namespace kith::sim {

class MembershipCluster {
 public:
  static constexpr uint16_t kPort = 9450;
  struct Seen {
    MonoTime at;
    membership::MemberDown down;
  };
  struct Connection {
    std::unique_ptr<Wire> wire;
    bool dialled = false;              // by us
    std::optional<Multiaddr> address;  // of our dial, until it has its result
    std::optional<NodeId> peer;        // after its hello
    uint64_t number = 0;
    uint64_t incarnation = 0;  // of the peer
    Bytes partial;             // of a message that is not all here yet
    World::Cancel deadline = std::make_shared<bool>(false);
  };
  // One life of a node: gone with its process.
  struct Life {
    Life(Process& p, membership::Core c) : process(p), core(std::move(c)) {}
    Process& process;
    membership::Core core;
    std::map<uint64_t, Connection> connections;             // by a number of our own
    std::unordered_map<NodeId, Connection*, IdHash> links;  // the one that counts for each peer
    World::Cancel timer;
    MonoTime timer_at = kNever;
    std::vector<Seen> seen;         // who went; a large cluster has too many that come
    uint64_t view_number = 0;       // of the core, when we last looked ...
    std::vector<MonoTime> changes;  // ... and when that had changed
    size_t bytes_sent = 0, messages_sent = 0;
  };
  struct Node {
    size_t index = 0;
    Host* host = nullptr;
    Multiaddr address;
    crypto::SigningKey key;
    std::vector<Multiaddr> seeds;
    uint64_t incarnation = 0;
    MonoTime well_since;  // running, and not disturbed since
    std::unique_ptr<Life> life;
    NodeId node_id;
    const NodeId& id() const { return node_id; }
    bool running() const { return life && life->process.state() == Process::State::running; }
  };

  explicit MembershipCluster(World& world, membership::Config config = {});
  ~MembershipCluster();

  // A host with a node that is not started yet, and the nodes that are its seeds, by index.
  Node& add(const std::vector<size_t>& seeds = {});
  void start(Node& node);  // a new life: a greater incarnation, the same key and address
  void kill(Node& node);
  void lose_power(Node& node);  // as kill, and nobody is told; the machine is up again for the next start
  void leave(Node& node);       // in order: says so, then ends
  void pause(Node& node);
  void resume(Node& node);
  void split(const std::vector<Node*>& one, const std::vector<Node*>& other);
  void heal();
  void disturb(Node& node) {
    node.well_since = world_.now();
  }  // what it sees and suffers soon is no violation

  World& world() { return world_; }
  Node& operator[](size_t index) { return *nodes_[index]; }
  size_t size() const { return nodes_.size(); }
  std::vector<Node*> running();

  // All the sizes of views that any node has seen.
  const std::set<size_t>& sizes_seen() const { return sizes_; }
  // Each of these nodes has exactly these nodes in its view, in their present lives, and equal hashes.
  bool agree(const std::vector<Node*>& nodes) const;
  bool agree() { return agree(running()); }
  // When the node first saw the other go down after a time; nullopt when it did not.
  std::optional<MonoTime> saw_down(const Node& node, const Node& other, MonoTime after) const;

  const std::vector<std::string>& violations() const { return violations_; }
  // What each running node sees, for a failing test.
  std::string describe() const;

 private:
  void pump(Node& node);
  void arm(Node& node);
  void transmit(Life& life, const membership::Transmit& transmit);
  std::optional<IpAddress> resolve(const Multiaddr& address);
  void dial(Node& node, const membership::Dial& dial);
  uint64_t adopt(Node& node, std::unique_ptr<Wire> wire, bool dialled, std::optional<Multiaddr> address);
  void take(Node& node, uint64_t number, ByteView segment);
  bool take_message(Node& node, Connection& connection, uint8_t type, ByteView payload);
  void take_hello(Node& node, uint64_t number, ByteView record);
  void ended(Node& node, uint64_t number, membership::LinkEnd how);
  void dial_failed(Node& node, uint64_t number, membership::DialOutcome outcome);
  void handle(Node& node, const membership::Event& event);
  void watch(Node& node, const membership::MemberDown& down);

  World& world_;
  membership::Config config_;
  std::shared_ptr<MemoNotary> notary_ = std::make_shared<MemoNotary>();
  std::map<NodeId, size_t> by_id_;
  // The last payload as a segment: what goes to many nodes is framed once.
  std::shared_ptr<const Bytes> framed_payload_, framed_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<Life>> past_;  // their processes may still have events
  MonoTime whole_since_;
  uint64_t next_connection_ = 1;
  std::vector<std::string> violations_;
  std::set<size_t> sizes_;
};

}  // namespace kith::sim
