#include "lease_world.h"

#include <algorithm>

namespace kith::sim {
namespace {

constexpr Duration kLook = 250ms;  // how often the view of the members is renewed
constexpr Duration kMinDelay = 100us;

}  // namespace

LeaseWorld::LeaseWorld(World& world, size_t count, lease::Config config, size_t zones)
    : world_(world), config_(config) {
  for (size_t i = 0; i < count; ++i) {
    auto node = std::make_unique<Node>();
    node->index = i;
    node->host = &world_.add_host("n" + std::to_string(i));
    for (uint8_t& byte : node->id.bytes) byte = static_cast<uint8_t>(world_.random().next());
    node->zone = "z" + std::to_string(i % zones);
    nodes_.push_back(std::move(node));
  }
  look_around();
}

LeaseWorld::~LeaseWorld() {
  for (auto& node : nodes_) kill(*node);
}

void LeaseWorld::start(Node& node) {
  node.process = &world_.start(*node.host);
  node.ready = true;
  node.core = std::make_unique<lease::Core>(config_, node.id, world_.random().next(), now(node));
  pump(node);
}

void LeaseWorld::kill(Node& node) {
  if (!node.core) return;
  if (node.timer) *node.timer = true;
  world_.kill(*node.process);
  node.core.reset();
}

void LeaseWorld::resign(Node& node) {
  node.ready = false;
  act(node, [&](lease::Core& core) { core.resign(now(node)); });
}

// Who is reachable both ways and ready; what a node that is stalled misses, the others notice late.
void LeaseWorld::look_around() {
  for (auto& node : nodes_) {
    Duration late = world_.random().between(0ms, kLook);
    if (!running(*node)) continue;
    Node* self = node.get();
    Process* life = self->process;
    world_.after(late, [this, self, life] {
      if (!running(*self) || self->process != life) return;
      std::vector<lease::Candidate> view;
      for (auto& other : nodes_) {
        bool seen = other.get() == self || (running(*other) && world_.reaches(*self->host, *other->host) &&
                                            world_.reaches(*other->host, *self->host));
        if (seen) view.push_back({other->id, other->zone, other->ready});
      }
      act(*self, [&](lease::Core& core) { core.set_view(std::move(view), now(*self)); });
    });
  }
  world_.after(kLook, [this] { look_around(); });
}

void LeaseWorld::pump(Node& node) {
  while (auto transmit = node.core->poll_transmit()) {
    auto to = std::find_if(nodes_.begin(), nodes_.end(), [&](auto& one) { return one->id == transmit->to; });
    Node* target = to->get();
    if (!running(*target) && !target->core) continue;
    if (world_.random().below(1000) < loss_per_mille) continue;
    if (!world_.reaches(*node.host, *target->host)) continue;
    Duration delay = world_.random().between(kMinDelay, loss_and_delay);
    Process* life = target->process;
    world_.after(
        delay,
        [this, target, life, from = node.id, message = *transmit] {
          if (target->core && target->process == life) deliver(*target, from, message);
        },
        life);
  }
  while (auto event = node.core->poll_event()) node.told.push_back(*event);
  if (node.timer) *node.timer = true;
  MonoTime next = node.core->poll_timeout();
  if (next == kNever) return;
  node.timer = std::make_shared<bool>(false);
  Node* self = &node;
  world_.at(
      std::max(world_.now(), world_.when_it_is(next, *node.host)),
      [this, self] {
        act(*self, [&](lease::Core& core) { core.handle_timeout(now(*self), world_.wall_now(*self->host)); });
      },
      node.process, node.timer);
}

void LeaseWorld::deliver(Node& to, NodeId from, const lease::Transmit& message) {
  act(to, [&](lease::Core& core) {
    auto done = core.handle_message(from, message.type, message.payload, now(to));
    if (!done) violations_.push_back("a message was refused: " + done.error().message());
  });
}

std::vector<LeaseWorld::Node*> LeaseWorld::leaders() {
  std::vector<Node*> out;
  for (auto& node : nodes_) {
    if (running(*node) && node->core->leads(now(*node))) out.push_back(node.get());
  }
  return out;
}

void LeaseWorld::check() {
  std::vector<Node*> now_leading = leaders();
  if (now_leading.size() > 1 && violations_.size() < 10)
    violations_.push_back("two lead at once, " + now_leading[0]->host->name + " and " +
                          now_leading[1]->host->name + "\n" + describe());
  for (Node* node : now_leading) {
    uint64_t epoch = node->core->epoch();
    auto [led, fresh] = led_by_.emplace(epoch, node->id);
    if (!fresh && led->second != node->id)
      violations_.push_back("two led in the epoch " + std::to_string(epoch));
    if (fresh && !epochs_.empty() && epoch < *epochs_.rbegin())
      violations_.push_back("the epoch went back to " + std::to_string(epoch) + "\n" + describe());
    epochs_.insert(epoch);
  }
}

bool LeaseWorld::run_until_led(Duration limit) {
  return world_.run_while_not([this] { return leaders().size() == 1 && agree(); }, limit);
}

bool LeaseWorld::agree() {
  std::vector<Node*> leading = leaders();
  if (leading.size() != 1) return false;
  return std::all_of(nodes_.begin(), nodes_.end(), [&](auto& node) {
    return !running(*node) || (node->core->leader(now(*node)) == leading[0]->id &&
                               node->core->voters() == leading[0]->core->voters());
  });
}

std::string LeaseWorld::describe() {
  std::string out = "seed " + std::to_string(world_.seed()) + " at " +
                    std::to_string(world_.now().time_since_epoch() / 1ms) + " ms\n";
  for (auto& node : nodes_) {
    if (!node->core) continue;
    out += node->host->name + " " + node->id.hex().substr(0, 6) + (running(*node) ? "" : " (paused)");
    if (node->core->leads(now(*node))) out += " LEADS";
    out += " epoch " + std::to_string(node->core->epoch()) + " greatest " +
           std::to_string(node->core->greatest_epoch());
    auto leader = node->core->leader(now(*node));
    out += " hears " + (leader ? leader->hex().substr(0, 6) : "nobody") + ", voters";
    if (const auto& voters = node->core->voters()) {
      out += " (" + std::to_string(voters->lineage.founded_ms) + ", " + std::to_string(voters->epoch) + ", " +
             std::to_string(voters->version) + ")";
      for (const NodeId& id : voters->nodes) out += " " + id.hex().substr(0, 6);
    }
    out += "\n";
  }
  return out;
}

}  // namespace kith::sim
