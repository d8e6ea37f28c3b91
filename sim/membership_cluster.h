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
#include <string>
#include <vector>

#include "membership/core.h"
#include "sim/wire.h"
#include "sim/world.h"

namespace kith::sim {

class MembershipCluster {
 public:
  struct Seen {
    MonoTime at;
    membership::Event event;
  };
  struct Connection {
    std::unique_ptr<Wire> wire;
    bool dialled = false;              // by us
    std::optional<Multiaddr> address;  // of our dial, until it has its result
    std::optional<NodeId> peer;        // after its hello
    uint64_t incarnation = 0;          // of the peer
    World::Cancel deadline = std::make_shared<bool>(false);
  };
  // One life of a node: gone with its process.
  struct Life {
    Life(Process& p, membership::Core c) : process(p), core(std::move(c)) {}
    Process& process;
    membership::Core core;
    std::map<uint64_t, Connection> connections;  // by a number of our own
    std::map<NodeId, uint64_t> links;            // the one that counts for each peer
    World::Cancel timer;
    std::vector<Seen> seen;
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
    NodeId id() const { return crypto::node_id(key.public_key()); }
    bool running() const { return life && life->process.state() == Process::State::running; }
  };

  explicit MembershipCluster(World& world, membership::Config config = {});
  ~MembershipCluster();

  // A host with a node that is not started yet, and the nodes that are its seeds, by index.
  Node& add(const std::vector<size_t>& seeds = {});
  void start(Node& node);  // a new life: a greater incarnation, the same key and address
  void kill(Node& node);
  void leave(Node& node);  // in order: says so, then ends
  void pause(Node& node);
  void resume(Node& node);
  void split(const std::vector<Node*>& one, const std::vector<Node*>& other);
  void heal();

  World& world() { return world_; }
  Node& operator[](size_t index) { return *nodes_[index]; }
  size_t size() const { return nodes_.size(); }
  std::vector<Node*> running();

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
  void dial(Node& node, const membership::Dial& dial);
  uint64_t adopt(Node& node, std::unique_ptr<Wire> wire, bool dialled, std::optional<Multiaddr> address);
  void take(Node& node, uint64_t number, ByteView segment);
  void take_hello(Node& node, uint64_t number, ByteView record);
  void ended(Node& node, uint64_t number, membership::LinkEnd how);
  void dial_failed(Node& node, uint64_t number, membership::DialOutcome outcome);
  void handle(Node& node, const membership::Event& event);
  void watch(Node& node, const membership::MemberDown& down);

  World& world_;
  membership::Config config_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<Life>> past_;  // their processes may still have events
  MonoTime whole_since_;
  uint64_t next_connection_ = 1;
  std::vector<std::string> violations_;
};

}  // namespace kith::sim
