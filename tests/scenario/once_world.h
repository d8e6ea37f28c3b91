// Cores of single use in the simulated world: messages that are late, lost, doubled and out of order, clocks
// that drift and are wrong, processes that stall, die and come back as another replica, splits.
//
// Clients present codes to nodes. Whatever a node tells a client is checked at once against everything that
// was told before: one winner, the same for everybody, and told to be the first only once; a client is not
// called a thief of its own code. Whoever dies with a question leaves it without an answer.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "once/core.h"
#include "sim/world.h"

namespace kith::sim {

class OnceWorld {
 public:
  struct Node {
    size_t index = 0;
    Host* host = nullptr;
    Replica replica;  // of its present life, or of its last one
    std::string zone;
    Process* process = nullptr;
    std::unique_ptr<once::Core> core;
    World::Cancel timer;
  };
  struct Code {
    once::RecordId id;
    std::vector<once::Fingerprint> group;
    WallTime expires;
    std::optional<once::ProofHash> required;
    Bytes payload;
    std::optional<bool> acknowledged;  // once mint has told
    // What clients did and were told.
    struct Client {
      MonoTime since;     // its first presentation
      WallTime earliest;  // by the slowest clock at that moment
    };
    std::map<once::ProofHash, Client> clients;
    std::optional<once::ProofHash> winner;
    size_t told_first = 0;
  };
  struct Presentation {
    size_t code = 0;
    once::ProofHash proof;
    size_t node = 0;
    bool acknowledged = false;  // the code was, when it was presented
    bool over = false;          // told, or lost with its node
    std::optional<once::Outcome> told;
    bool again = false;
  };

  OnceWorld(World& world, size_t nodes, once::Config config = {}, size_t zones = 3);
  ~OnceWorld();

  World& world() { return world_; }
  Node& operator[](size_t index) { return *nodes_[index]; }
  size_t size() const { return nodes_.size(); }

  void start(Node& node);
  void start_all();  // and waits until everybody sees everybody
  void kill(Node& node);
  bool running(const Node& node) const {
    return node.core && node.process->state() == Process::State::running;
  }

  // The number of the code; nothing when the core has no room.
  std::optional<size_t> mint(Node& node, Duration lifetime, bool for_one_client = false);
  // The number of the presentation.
  size_t present(Node& node, size_t code, once::ProofHash client, Duration patience = 3s);
  once::ProofHash new_client();
  void run_until_all_told(Duration limit);  // but for those at nodes that are stalled

  const Code& code(size_t number) const { return codes_[number]; }
  const Presentation& presentation(size_t number) const { return presentations_[number]; }
  size_t codes() const { return codes_.size(); }
  size_t presentations() const { return presentations_.size(); }
  // The present lives that are of the code's group, by their place in it; null: that life is over.
  std::vector<Node*> group_of(size_t code);
  bool has_majority_alive(size_t code);
  bool ends_soon(size_t code) const { return codes_[code].expires < latest_ + 10s; }  // or is over

  // Of each message, on its own.
  Duration max_delay = 2ms;
  uint64_t loss_per_mille = 0;
  uint64_t doubled_per_mille = 0;
  // With clocks that step nothing that depends on them is checked.
  bool clocks_step = false;
  const std::vector<std::string>& violations() const { return violations_; }
  std::string describe(size_t code);

 private:
  once::Now now(const Node& node) const { return {world_.now(*node.host), world_.wall_now(*node.host)}; }
  void look_around();  // the membership, as each sees it
  void look(Node& node);
  void pump(Node& node);
  void post(Node& from, const once::Transmit& message);
  void deliver(Node& to, const Replica& from, const once::Transmit& message);
  void on_event(Node& node, const once::Minted& minted);
  void on_event(Node& node, const once::Redeemed& redeemed);
  void on_event(Node& node, const once::Reused& reused);
  void check_winner(Code& code, const once::ProofHash& winner);
  void watch_clocks();
  void violation(size_t code, const std::string& what);
  template <class Act>
  void act(Node& node, Act act) {
    act(*node.core);
    pump(node);
  }

  World& world_;
  once::Config config_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<Code> codes_;
  std::map<once::RecordId, size_t> by_id_;
  std::vector<Presentation> presentations_;
  std::map<std::pair<size_t, uint64_t>, size_t> open_;  // by node and number of the request
  std::map<once::Fingerprint, Replica> lives_;
  Duration spread_{0};                 // the most that two wall clocks differed
  WallTime latest_ = WallTime::min();  // that any clock showed
  std::vector<std::string> violations_;
};

}  // namespace kith::sim
