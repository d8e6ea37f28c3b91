#include "sim/membership_cluster.h"

#include <algorithm>

#include "base/check.h"

namespace kith::sim {
namespace {

using membership::Core;
using membership::DialOutcome;
using membership::LinkEnd;

constexpr uint8_t kHello = 0;  // the handshake in one segment: a signed record
constexpr uint8_t kGoodbye = 255;
constexpr uint16_t kPort = 9450;
constexpr Duration kLinger = 20ms;  // between the last words and the end of the process
// After a disturbance ends, what it caused may still be found out: hang, decision, redials.
constexpr Duration kAftermath = 4s;

Bytes segment_of(uint8_t type, ByteView payload) {
  Bytes out;
  out.reserve(payload.size() + 1);
  out.push_back(type);
  append(out, payload);
  return out;
}

}  // namespace

MembershipCluster::MembershipCluster(World& world, membership::Config config)
    : world_(world), config_(config), whole_since_(world.now()) {}

MembershipCluster::~MembershipCluster() {
  for (auto& node : nodes_) {
    if (node->life) kill(*node);
  }
}

MembershipCluster::Node& MembershipCluster::add(const std::vector<size_t>& seeds) {
  Bytes seed(32);
  for (uint8_t& byte : seed) byte = static_cast<uint8_t>(world_.random().next());
  auto node = std::unique_ptr<Node>(new Node{.key = crypto::SigningKey::from_seed(seed)});
  node->index = nodes_.size();
  node->host = &world_.add_host("node" + std::to_string(node->index));
  node->address = Multiaddr::from({node->host->address, kPort});
  nodes_.push_back(std::move(node));
  for (size_t index : seeds) nodes_.back()->seeds.push_back(nodes_.at(index)->address);
  return *nodes_.back();
}

void MembershipCluster::start(Node& node) {
  KITH_CHECK(!node.life);
  Process& process = world_.start(*node.host);
  node.incarnation =
      std::max(node.incarnation + 1, static_cast<uint64_t>(unix_ms(world_.wall_now(*node.host))));
  membership::NodeRecord self;
  self.key = node.key.public_key();
  self.incarnation = node.incarnation;
  self.name = node.host->name;
  self.membership = node.address;
  self.data = Multiaddr::from({node.host->address, kPort + 1});
  Core core(config_, node.key, self, world_.random().next(), world_.now());
  for (const Multiaddr& seed : node.seeds) core.add_seed(seed);
  core.set_state(membership::State::ready, world_.now());
  node.life = std::make_unique<Life>(process, std::move(core));
  node.well_since = world_.now();
  Node* self_node = &node;
  auto at = world_.wires().listen(process, {node.host->address, kPort},
                                  [this, self_node, life = node.life.get()](std::unique_ptr<Wire> wire) {
                                    if (self_node->life.get() == life)
                                      adopt(*self_node, std::move(wire), false, std::nullopt);
                                  });
  KITH_CHECK(at.has_value());
  pump(node);
}

void MembershipCluster::kill(Node& node) {
  if (!node.life) return;
  if (node.life->timer) *node.life->timer = true;
  world_.kill(node.life->process);
  for (auto& [number, connection] : node.life->connections) *connection.deadline = true;
  past_.push_back(std::move(node.life));
}

void MembershipCluster::leave(Node& node) {
  node.life->core.set_state(membership::State::left, world_.now());
  pump(node);
  for (auto& [number, connection] : node.life->connections) {
    connection.wire->send({kGoodbye});
    connection.wire->shutdown();  // not close: an RST could overtake the words
  }
  world_.after(kLinger, [this, &node, life = node.life.get()] {
    if (node.life.get() == life) kill(node);
  });
}

void MembershipCluster::pause(Node& node) {
  if (node.life) world_.pause(node.life->process);
}

void MembershipCluster::resume(Node& node) {
  if (!node.life) return;
  world_.resume(node.life->process);
  node.well_since = world_.now();
}

void MembershipCluster::split(const std::vector<Node*>& one, const std::vector<Node*>& other) {
  std::vector<Host*> a, b;
  for (Node* node : one) a.push_back(node->host);
  for (Node* node : other) b.push_back(node->host);
  world_.split(a, b);
}

void MembershipCluster::heal() {
  world_.heal();
  whole_since_ = world_.now();
}

std::vector<MembershipCluster::Node*> MembershipCluster::running() {
  std::vector<Node*> out;
  for (auto& node : nodes_) {
    if (node->running()) out.push_back(node.get());
  }
  return out;
}

bool MembershipCluster::agree(const std::vector<Node*>& nodes) const {
  return std::all_of(nodes.begin(), nodes.end(), [&](const Node* node) {
    const Core& core = node->life->core;
    if (core.live_members() != nodes.size() || core.view_hash() != nodes[0]->life->core.view_hash())
      return false;
    return std::all_of(nodes.begin(), nodes.end(), [&](const Node* other) {
      const membership::NodeRecord* record = core.member(other->id());
      return record != nullptr && record->incarnation == other->incarnation;
    });
  });
}

std::optional<MonoTime> MembershipCluster::saw_down(const Node& node, const Node& other,
                                                    MonoTime after) const {
  for (const Seen& seen : node.life->seen) {
    auto* down = std::get_if<membership::MemberDown>(&seen.event);
    if (seen.at >= after && down != nullptr && down->node == other.id()) return seen.at;
  }
  return std::nullopt;
}

std::string MembershipCluster::describe() const {
  std::string out = "seed " + std::to_string(world_.seed()) + " at " +
                    std::to_string(world_.now().time_since_epoch() / 1ms) + " ms\n";
  for (const auto& node : nodes_) {
    if (!node->life) continue;
    out += node->host->name + (node->running() ? " sees" : " (paused) sees");
    for (const auto& member : node->life->core.members()) {
      out += " " + member.record.name;
      if (member.link != membership::Member::Link::alive) out += "?";
    }
    out += ", hash " + std::to_string(node->life->core.view_hash() & 0xffff) + "\n";
  }
  for (const std::string& violation : violations_) out += violation + "\n";
  return out;
}

// The driver's pump: what the core wants goes out, then the clock is set.
void MembershipCluster::pump(Node& node) {
  Life& life = *node.life;
  bool busy = true;
  while (busy) {
    busy = false;
    while (auto transmit = life.core.poll_transmit()) {
      busy = true;
      auto link = life.links.find(transmit->to);
      if (link != life.links.end())
        life.connections.at(link->second).wire->send(segment_of(transmit->type, transmit->payload));
    }
    while (auto event = life.core.poll_event()) {
      busy = true;
      handle(node, *event);
    }
    while (auto wanted = life.core.poll_dial()) {
      busy = true;
      dial(node, *wanted);
    }
  }
  if (life.timer) *life.timer = true;
  MonoTime next = life.core.poll_timeout();
  if (next == kNever) return;
  life.timer = std::make_shared<bool>(false);
  Node* self = &node;
  world_.at(
      next,
      [this, self] {
        self->life->core.handle_timeout(world_.now());
        pump(*self);
      },
      &life.process, life.timer);
}

void MembershipCluster::dial(Node& node, const membership::Dial& wanted) {
  Node* self = &node;
  Life* life = node.life.get();
  Multiaddr address = wanted.address;
  IpAddress ip = *IpAddress::parse(address.host);
  MonoTime deadline = world_.now() + config_.dial_timeout;
  world_.wires().connect(
      life->process, {ip, address.port}, deadline,
      [this, self, life, address, deadline](Result<std::unique_ptr<Wire>> wire) {
        if (self->life.get() != life) return;
        if (!wire) {
          DialOutcome outcome = wire.error().code() == Code::refused       ? DialOutcome::refused
                                : wire.error().code() == Code::unreachable ? DialOutcome::unreachable
                                                                           : DialOutcome::timeout;
          life->core.dial_result(address, outcome, world_.now());
          return pump(*self);
        }
        uint64_t number = adopt(*self, *std::move(wire), true, address);
        auto at = life->connections.find(number);
        if (at == life->connections.end()) return;
        world_.at(
            deadline, [this, self, number] { dial_failed(*self, number, DialOutcome::timeout); },
            &life->process, at->second.deadline);
      });
}

uint64_t MembershipCluster::adopt(Node& node, std::unique_ptr<Wire> wire, bool dialled,
                                  std::optional<Multiaddr> address) {
  uint64_t number = next_connection_++;
  Life* life = node.life.get();
  Node* self = &node;
  Connection& connection = life->connections[number];
  connection.wire = std::move(wire);
  connection.dialled = dialled;
  connection.address = std::move(address);
  connection.wire->send(segment_of(kHello, life->core.self_record()));
  Wire::Handlers handlers;
  handlers.on_data = [this, self, life, number](ByteView segment) {
    if (self->life.get() == life) take(*self, number, segment);
  };
  handlers.on_end = [this, self, life, number](WireEnd) {
    if (self->life.get() == life) ended(*self, number, LinkEnd::closed);
  };
  connection.wire->handle(std::move(handlers));
  return number;
}

void MembershipCluster::take(Node& node, uint64_t number, ByteView segment) {
  Life& life = *node.life;
  auto at = life.connections.find(number);
  if (at == life.connections.end()) return;
  at->second.wire->consumed(segment.size());
  ByteView payload = segment.subspan(1);
  if (segment[0] == kHello) return take_hello(node, number, payload);
  if (segment[0] == kGoodbye) return ended(node, number, LinkEnd::goodbye);
  if (!at->second.peer) return;
  auto link = life.links.find(*at->second.peer);
  if (link == life.links.end() || link->second != number) return;
  Result<void> done = life.core.handle_message(*at->second.peer, segment[0], payload, world_.now());
  if (!done) violations_.push_back("a message of a healthy peer was refused: " + done.error().message());
  pump(node);
}

void MembershipCluster::take_hello(Node& node, uint64_t number, ByteView bytes) {
  Life& life = *node.life;
  Connection& connection = life.connections.at(number);
  *connection.deadline = true;
  auto record = membership::NodeRecord::decode(bytes);
  KITH_CHECK(record.has_value());
  std::optional<Multiaddr> dialled = std::exchange(connection.address, std::nullopt);
  auto drop = [&](DialOutcome outcome) {
    life.connections.erase(number);
    if (dialled) life.core.dial_result(*dialled, outcome, world_.now(), record->id);
    pump(node);
  };
  if (record->id == node.id()) return drop(DialOutcome::self);
  connection.peer = record->id;
  connection.incarnation = record->incarnation;
  auto other = life.links.find(record->id);
  if (other != life.links.end()) {
    Connection& present = life.connections.at(other->second);
    bool we_are_smaller = node.id() < record->id;
    bool keep = present.incarnation > record->incarnation;
    if (present.incarnation == record->incarnation && present.dialled != connection.dialled)
      keep = present.dialled == we_are_smaller;
    if (keep) return drop(DialOutcome::duplicate);
    life.connections.erase(other->second);
  }
  life.links[record->id] = number;
  life.core.link_up(record->id, bytes, world_.now());
  if (dialled) life.core.dial_result(*dialled, DialOutcome::connected, world_.now(), record->id);
  pump(node);
}

void MembershipCluster::ended(Node& node, uint64_t number, LinkEnd how) {
  Life& life = *node.life;
  auto at = life.connections.find(number);
  if (at == life.connections.end()) return;
  if (!at->second.peer) return dial_failed(node, number, DialOutcome::rejected);
  NodeId peer = *at->second.peer;
  life.connections.erase(at);
  auto link = life.links.find(peer);
  if (link != life.links.end() && link->second == number) {
    life.links.erase(link);
    life.core.link_down(peer, how, world_.now());
  }
  pump(node);
}

// Also the end of a connection that was accepted and said nothing.
void MembershipCluster::dial_failed(Node& node, uint64_t number, DialOutcome outcome) {
  Life& life = *node.life;
  auto at = life.connections.find(number);
  if (at == life.connections.end()) return;
  *at->second.deadline = true;
  std::optional<Multiaddr> address = at->second.address;
  life.connections.erase(at);
  if (address) life.core.dial_result(*address, outcome, world_.now());
  pump(node);
}

void MembershipCluster::handle(Node& node, const membership::Event& event) {
  Life& life = *node.life;
  world_.note(event.index() + (node.index << 8));
  life.seen.push_back({world_.now(), event});
  if (auto* drop = std::get_if<membership::DropLink>(&event)) {
    auto link = life.links.find(drop->node);
    if (link == life.links.end()) return;
    life.connections.erase(link->second);
    life.links.erase(link);
  } else if (auto* down = std::get_if<membership::MemberDown>(&event)) {
    watch(node, *down);
  } else if (std::holds_alternative<membership::Outdated>(event)) {
    violations_.push_back(node.host->name + " is told that it is outdated");
  }
}

void MembershipCluster::watch(Node& node, const membership::MemberDown& down) {
  auto other = std::find_if(nodes_.begin(), nodes_.end(), [&](auto& n) { return n->id() == down.node; });
  if (other == nodes_.end()) return;
  const Node& subject = **other;
  bool quiet = world_.whole() && world_.now() - whole_since_ > kAftermath && subject.running() &&
               subject.life->core.self().state != membership::State::left &&
               world_.now() - subject.well_since > kAftermath && world_.now() - node.well_since > kAftermath;
  if (!quiet || subject.incarnation != down.replica.incarnation) return;
  violations_.push_back("at " + std::to_string(world_.now().time_since_epoch() / 1ms) + " ms " +
                        node.host->name + " declares " + subject.host->name + " " +
                        std::string(to_string(down.why)) + ", which is well");
}

}  // namespace kith::sim
