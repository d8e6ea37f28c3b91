#include "sim/membership_cluster.h"

#include <algorithm>

#include "base/check.h"
#include "base/codec.h"

namespace kith::sim {
namespace {

using membership::Core;
using membership::DialOutcome;
using membership::LinkEnd;

constexpr uint8_t kHello = 0;  // the handshake in one segment: a signed record
constexpr uint8_t kGoodbye = 255;
constexpr Duration kLinger = 20ms;  // between the last words and the end of the process
// After a disturbance ends, what it caused may still be found out: hang, decision, redials.
constexpr Duration kAftermath = 4s;
// Who loses more than one segment in ten is faulty, for as long as it does: three losses of one segment in a
// row are 1.4 s of silence, as long as a hang. With less, some of the paths to a node fall silent now and
// then, and others speak for it.
constexpr uint64_t kFaultyLoss = 100;

constexpr size_t kHead = 3;  // of a message: u16 size of the payload, u8 type

Bytes frame(uint8_t type, ByteView payload) {
  Bytes out;
  out.reserve(payload.size() + kHead);
  Writer writer(out);
  writer.u16(static_cast<uint16_t>(payload.size()));
  writer.u8(type);
  writer.raw(payload);
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
  node->node_id = crypto::node_id(node->key.public_key());
  node->index = nodes_.size();
  node->host = &world_.add_host("node" + std::to_string(node->index));
  node->address = Multiaddr::from({node->host->address, kPort});
  by_id_[node->id()] = node->index;
  nodes_.push_back(std::move(node));
  for (size_t index : seeds) nodes_.back()->seeds.push_back(nodes_.at(index)->address);
  return *nodes_.back();
}

void MembershipCluster::start(Node& node) {
  KITH_CHECK(!node.life);
  if (!node.host->up) world_.power_on(*node.host);
  Process& process = world_.start(*node.host);
  node.incarnation =
      std::max(node.incarnation + 1, static_cast<uint64_t>(unix_ms(world_.wall_now(*node.host))));
  membership::NodeRecord self;
  self.key = node.key.public_key();
  self.incarnation = node.incarnation;
  self.name = node.host->name;
  self.membership = node.address;
  self.data = Multiaddr::from({node.host->address, kPort + 1});
  MonoTime now = world_.now(*node.host);
  Core core(config_, node.key, self, world_.random().next(), now, notary_);
  for (const Multiaddr& seed : node.seeds) core.add_seed(seed);
  core.set_state(membership::State::ready, now);
  node.life = std::make_unique<Life>(process, std::move(core));
  node.well_since = world_.now();
  sizes_.insert(1);
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

void MembershipCluster::lose_power(Node& node) {
  if (!node.life) return;
  if (node.life->timer) *node.life->timer = true;
  world_.power_off(*node.host);
  for (auto& [number, connection] : node.life->connections) *connection.deadline = true;
  past_.push_back(std::move(node.life));
}

void MembershipCluster::leave(Node& node) {
  node.life->core.set_state(membership::State::left, world_.now(*node.host));
  pump(node);
  for (auto& [number, connection] : node.life->connections) {
    connection.wire->send(frame(kGoodbye, {}));
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

// Equal hashes are equal views, so one view has to be looked at.
bool MembershipCluster::agree(const std::vector<Node*>& nodes) const {
  if (nodes.empty()) return true;
  const Core& one = nodes[0]->life->core;
  bool equal = std::all_of(nodes.begin(), nodes.end(), [&](const Node* node) {
    const Core& core = node->life->core;
    return core.live_members() == nodes.size() && core.view_hash() == one.view_hash();
  });
  return equal && std::all_of(nodes.begin(), nodes.end(), [&](const Node* node) {
           const membership::NodeRecord* record = one.member(node->id());
           return record != nullptr && record->incarnation == node->incarnation;
         });
}

std::optional<MonoTime> MembershipCluster::saw_down(const Node& node, const Node& other,
                                                    MonoTime after) const {
  for (const Seen& seen : node.life->seen) {
    if (seen.at >= after && seen.down.node == other.id()) return seen.at;
  }
  return std::nullopt;
}

std::string MembershipCluster::describe() const {
  constexpr size_t kMany = 16;  // nodes, above which one cannot read what each sees of each
  std::string out = "seed " + std::to_string(world_.seed()) + " at " +
                    std::to_string(world_.now().time_since_epoch() / 1ms) + " ms\n";
  std::map<std::string, size_t> views;
  for (const auto& node : nodes_) {
    if (!node->life) continue;
    const Core& core = node->life->core;
    std::string hash = ", hash " + std::to_string(core.view_hash() & 0xffff) + "\n";
    if (nodes_.size() > kMany) {
      ++views[std::to_string(core.live_members()) + " members" + hash];
      continue;
    }
    out += node->host->name + (node->running() ? " sees" : " (paused) sees");
    for (const auto& member : core.members()) {
      out += " " + member.record.name;
      if (member.link != membership::Member::Link::alive) out += "?";
    }
    out += hash;
  }
  for (const auto& [view, count] : views) out += std::to_string(count) + " nodes: " + view;
  for (const std::string& violation : violations_) out += violation + "\n";
  return out;
}

// The driver's pump: what the core wants goes out, then the clock is set.
void MembershipCluster::pump(Node& node) {
  Life& life = *node.life;
  bool busy = true;
  while (busy) {
    busy = false;
    while (auto wanted = life.core.poll_transmit()) {
      busy = true;
      transmit(life, *wanted);
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
  if (life.view_number != life.core.view_number()) {
    life.view_number = life.core.view_number();
    life.changes.push_back(world_.now());
    sizes_.insert(life.core.live_members());
  }
  arm(node);
}

void MembershipCluster::transmit(Life& life, const membership::Transmit& wanted) {
  auto link = life.links.find(wanted.to);
  if (link == life.links.end()) return;
  if (framed_payload_ != wanted.payload.shared() || (*framed_)[2] != wanted.type) {
    framed_payload_ = wanted.payload.shared();
    framed_ = std::make_shared<const Bytes>(frame(wanted.type, wanted.payload));
  }
  life.bytes_sent += framed_->size();
  ++life.messages_sent;
  link->second->wire->send(framed_);
}

// A timer that is too early does no harm: it is set anew when it fires, not with each message.
void MembershipCluster::arm(Node& node) {
  Life& life = *node.life;
  MonoTime next = world_.when_it_is(life.core.poll_timeout(), *node.host);
  if (next >= life.timer_at || next == kNever) return;
  if (life.timer) *life.timer = true;
  life.timer = std::make_shared<bool>(false);
  life.timer_at = next;
  world_.at(
      next,
      [this, &node] {
        Life& alive = *node.life;
        alive.timer_at = kNever;
        MonoTime now = world_.now(*node.host);
        if (now < alive.core.poll_timeout()) return arm(node);
        alive.core.handle_timeout(now);
        pump(node);
      },
      &life.process, life.timer);
}

// A name gives one of its addresses, another each time.
std::optional<IpAddress> MembershipCluster::resolve(const Multiaddr& address) {
  if (!address.is_name()) return *IpAddress::parse(address.host);
  auto at = world_.names().find(address.host);
  if (at == world_.names().end() || at->second.empty()) return std::nullopt;
  return at->second[world_.random().below(at->second.size())];
}

void MembershipCluster::dial(Node& node, const membership::Dial& wanted) {
  Node* self = &node;
  Life* life = node.life.get();
  Multiaddr address = wanted.address;
  MonoTime deadline = world_.now() + config_.dial_timeout;
  std::optional<IpAddress> found = resolve(address);
  if (!found) {
    world_.after(
        1ms,
        [this, self, life, address] {
          if (self->life.get() != life) return;
          life->core.dial_result(address, DialOutcome::unreachable, world_.now(*self->host));
          pump(*self);
        },
        &life->process);
    return;
  }
  IpAddress ip = *found;
  world_.wires().connect(
      life->process, {ip, address.port}, deadline,
      [this, self, life, address, deadline](Result<std::unique_ptr<Wire>> wire) {
        if (self->life.get() != life) return;
        if (!wire) {
          DialOutcome outcome = wire.error().code() == Code::refused       ? DialOutcome::refused
                                : wire.error().code() == Code::unreachable ? DialOutcome::unreachable
                                                                           : DialOutcome::timeout;
          life->core.dial_result(address, outcome, world_.now(*self->host));
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
  connection.number = number;
  connection.wire = std::move(wire);
  connection.dialled = dialled;
  connection.address = std::move(address);
  connection.wire->send(frame(kHello, life->core.self_record()));
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
  auto at = node.life->connections.find(number);
  if (at == node.life->connections.end()) return;
  Connection& connection = at->second;
  connection.wire->consumed(segment.size());
  Bytes whole = std::move(connection.partial);
  connection.partial.clear();
  if (!whole.empty()) {
    append(whole, segment);
    segment = whole;
  }
  while (segment.size() >= kHead) {
    Reader head(segment);
    size_t size = head.u16();
    uint8_t type = head.u8();
    if (segment.size() < kHead + size) break;
    if (!take_message(node, connection, type, segment.subspan(kHead, size))) return;
    segment = segment.subspan(kHead + size);
  }
  if (!segment.empty()) connection.partial.assign(segment.begin(), segment.end());
}

// False when the connection is no more.
bool MembershipCluster::take_message(Node& node, Connection& connection, uint8_t type, ByteView payload) {
  Life& life = *node.life;
  uint64_t number = connection.number;
  if (type == kHello) {
    take_hello(node, number, payload);
  } else if (type == kGoodbye) {
    ended(node, number, LinkEnd::goodbye);
  } else if (connection.peer) {
    NodeId peer = *connection.peer;
    auto link = life.links.find(peer);
    if (link == life.links.end() || link->second != &connection) return false;
    Result<void> done = life.core.handle_message(peer, type, payload, world_.now(*node.host));
    if (!done) violations_.push_back("a message of a healthy peer was refused: " + done.error().message());
    pump(node);
  }
  return life.connections.contains(number);
}

void MembershipCluster::take_hello(Node& node, uint64_t number, ByteView bytes) {
  Life& life = *node.life;
  Connection& connection = life.connections.at(number);
  *connection.deadline = true;
  auto signed_record = notary_->record(bytes);
  KITH_CHECK(signed_record.has_value());
  const membership::NodeRecord* record = &(*signed_record)->record;
  std::optional<Multiaddr> dialled = std::exchange(connection.address, std::nullopt);
  auto drop = [&](DialOutcome outcome) {
    life.connections.erase(number);
    if (dialled) life.core.dial_result(*dialled, outcome, world_.now(*node.host), record->id);
    pump(node);
  };
  if (record->id == node.id()) return drop(DialOutcome::self);
  connection.peer = record->id;
  connection.incarnation = record->incarnation;
  auto other = life.links.find(record->id);
  if (other != life.links.end()) {
    Connection& present = *other->second;
    bool we_are_smaller = node.id() < record->id;
    bool keep = present.incarnation > record->incarnation;
    if (present.incarnation == record->incarnation && present.dialled != connection.dialled)
      keep = present.dialled == we_are_smaller;
    if (keep) return drop(DialOutcome::duplicate);
    life.connections.erase(present.number);
  }
  life.links[record->id] = &connection;
  life.core.link_up(record->id, bytes, world_.now(*node.host));
  if (dialled) life.core.dial_result(*dialled, DialOutcome::connected, world_.now(*node.host), record->id);
  pump(node);
}

void MembershipCluster::ended(Node& node, uint64_t number, LinkEnd how) {
  Life& life = *node.life;
  auto at = life.connections.find(number);
  if (at == life.connections.end()) return;
  if (!at->second.peer) return dial_failed(node, number, DialOutcome::rejected);
  NodeId peer = *at->second.peer;
  auto link = life.links.find(peer);
  bool counted = link != life.links.end() && link->second == &at->second;
  life.connections.erase(at);
  if (counted) {
    life.links.erase(link);
    life.core.link_down(peer, how, world_.now(*node.host));
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
  if (address) life.core.dial_result(*address, outcome, world_.now(*node.host));
  pump(node);
}

void MembershipCluster::handle(Node& node, const membership::Event& event) {
  Life& life = *node.life;
  world_.note(event.index() + (node.index << 8));
  if (auto* drop = std::get_if<membership::DropLink>(&event)) {
    auto link = life.links.find(drop->node);
    if (link == life.links.end()) return;
    life.connections.erase(link->second->number);
    life.links.erase(link);
  } else if (auto* down = std::get_if<membership::MemberDown>(&event)) {
    life.seen.push_back({world_.now(), *down});
    watch(node, *down);
  } else if (std::holds_alternative<membership::Outdated>(event)) {
    violations_.push_back(node.host->name + " is told that it is outdated");
  }
}

void MembershipCluster::watch(Node& node, const membership::MemberDown& down) {
  auto other = by_id_.find(down.node);
  if (other == by_id_.end()) return;
  const Node& subject = *nodes_[other->second];
  // It is for the others to remove a faulty node (Rapid's fault of 80 % loss), and it cannot tell itself from
  // them. That it makes two others part is a violation. Two that are alone have nobody to ask: any loss
  // between them may become a hang.
  uint64_t bearable = running().size() > 2 ? kFaultyLoss : 0;
  if (node.host->loss_per_mille > bearable || subject.host->loss_per_mille > bearable) return;
  bool quiet = world_.whole() && world_.now() - whole_since_ > kAftermath && subject.running() &&
               subject.life->core.self().state != membership::State::left &&
               world_.now() - subject.well_since > kAftermath && world_.now() - node.well_since > kAftermath;
  if (!quiet || subject.incarnation != down.replica.incarnation) return;
  violations_.push_back("at " + std::to_string(world_.now().time_since_epoch() / 1ms) + " ms " +
                        node.host->name + " declares " + subject.host->name + " " +
                        std::string(to_string(down.why)) + ", which is well");
}

}  // namespace kith::sim
