#include "once_world.h"

#include <algorithm>

namespace kith::sim {
namespace {

using once::Outcome;

constexpr Duration kLook = 250ms;  // how often the view of the members is renewed
constexpr Duration kMinDelay = 100us;
constexpr Duration kMintPatience = 1s;

template <class IdType>
IdType random_id(Random& random) {
  IdType id;
  for (uint8_t& byte : id.bytes) byte = static_cast<uint8_t>(random.next());
  return id;
}

}  // namespace

OnceWorld::OnceWorld(World& world, size_t count, once::Config config, size_t zones)
    : world_(world), config_(config) {
  for (size_t i = 0; i < count; ++i) {
    auto node = std::make_unique<Node>();
    node->index = i;
    node->host = &world_.add_host("n" + std::to_string(i));
    node->replica.node = random_id<NodeId>(world_.random());
    node->zone = "z" + std::to_string(i % zones);
    nodes_.push_back(std::move(node));
  }
  look_around();
}

OnceWorld::~OnceWorld() {
  for (auto& node : nodes_) kill(*node);
}

void OnceWorld::start(Node& node) {
  node.process = &world_.start(*node.host);
  ++node.replica.incarnation;
  lives_[once::fingerprint_of(node.replica)] = node.replica;
  node.core = std::make_unique<once::Core>(config_, node.replica, world_.random().next());
  pump(node);
}

void OnceWorld::start_all() {
  for (auto& node : nodes_) start(*node);
  world_.run_for(2 * kLook);
}

void OnceWorld::kill(Node& node) {
  if (!node.core) return;
  if (node.timer) *node.timer = true;
  world_.kill(*node.process);
  node.core.reset();
  std::erase_if(open_, [&](const auto& entry) {
    if (entry.first.first != node.index) return false;
    presentations_[entry.second].over = true;
    return true;
  });
}

// ---------------------------------------------------------------- the membership and the links

// Who is reachable both ways; what a node that is stalled misses, the others notice late.
void OnceWorld::look_around() {
  watch_clocks();
  for (auto& node : nodes_) {
    Duration late = world_.random().between(0ms, kLook);
    if (!running(*node)) continue;
    Node* self = node.get();
    Process* life = self->process;
    world_.after(late, [this, self, life] {
      if (running(*self) && self->process == life) look(*self);
    });
  }
  world_.after(kLook, [this] { look_around(); });
}

void OnceWorld::look(Node& node) {
  std::vector<once::Member> view;
  for (auto& other : nodes_) {
    bool seen = other.get() == &node || (running(*other) && world_.reaches(*node.host, *other->host) &&
                                         world_.reaches(*other->host, *node.host));
    if (seen) view.push_back({other->replica, other->zone, true});
  }
  act(node, [&](once::Core& core) { core.set_view(std::move(view), now(node)); });
}

void OnceWorld::pump(Node& node) {
  while (auto message = node.core->poll_transmit()) post(node, *message);
  while (auto event = node.core->poll_event())
    std::visit([&](const auto& one) { on_event(node, one); }, *event);
  if (node.core->records() > config_.max_records || node.core->bytes() > config_.max_bytes ||
      node.core->requests() > 2 * config_.max_requests)
    violations_.push_back(node.host->name + " keeps more than it may");
  if (node.timer) *node.timer = true;
  MonoTime next = node.core->poll_timeout();
  if (next == kNever) return;
  node.timer = std::make_shared<bool>(false);
  Node* self = &node;
  world_.at(
      std::max(world_.now(), world_.when_it_is(next, *node.host)),
      [this, self] { act(*self, [&](once::Core& core) { core.handle_timeout(now(*self)); }); }, node.process,
      node.timer);
}

// A link is between two lives: it carries nothing to another one.
void OnceWorld::post(Node& from, const once::Transmit& message) {
  auto to = std::find_if(nodes_.begin(), nodes_.end(),
                         [&](const auto& one) { return one->core && one->replica == message.to; });
  if (to == nodes_.end() || !world_.reaches(*from.host, *(*to)->host)) return;
  Random& random = world_.random();
  if (random.below(1000) < loss_per_mille) return;
  const int copies = random.below(1000) < doubled_per_mille ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    Node* target = to->get();
    Process* life = target->process;
    world_.after(
        random.between(kMinDelay, max_delay),
        [this, target, life, sender = from.replica, message] {
          if (target->core && target->process == life) deliver(*target, sender, message);
        },
        life);
  }
}

void OnceWorld::deliver(Node& to, const Replica& from, const once::Transmit& message) {
  act(to, [&](once::Core& core) {
    auto done = core.handle_message(from, message.type, message.payload, now(to));
    if (!done) violations_.push_back("a message was refused: " + done.error().message());
  });
}

// ---------------------------------------------------------------- codes and clients

once::ProofHash OnceWorld::new_client() { return random_id<once::ProofHash>(world_.random()); }

std::optional<size_t> OnceWorld::mint(Node& node, Duration lifetime, bool for_one_client) {
  Code code;
  code.id = random_id<once::RecordId>(world_.random());
  code.expires = now(node).wall + std::chrono::duration_cast<std::chrono::milliseconds>(lifetime);
  code.payload = Bytes(1 + world_.random().below(100), static_cast<uint8_t>(world_.random().next()));
  if (for_one_client) code.required = new_client();
  bool minted = false;
  act(node, [&](once::Core& core) {
    auto group = core.mint({code.id, code.expires, code.required, code.payload},
                           now(node).mono + kMintPatience, now(node));
    minted = group.has_value();
    if (!minted) return;
    code.group = *group;
    by_id_[code.id] = codes_.size();
    codes_.push_back(code);
  });
  if (!minted) return std::nullopt;
  return codes_.size() - 1;
}

size_t OnceWorld::present(Node& node, size_t number, once::ProofHash client, Duration patience) {
  watch_clocks();
  Code& code = codes_[number];
  WallTime earliest = WallTime::max();
  for (auto& one : nodes_) earliest = std::min(earliest, world_.wall_now(*one->host));
  code.clients.try_emplace(client, Code::Client{world_.now(), earliest});
  presentations_.push_back({number, client, node.index, code.acknowledged.value_or(false)});
  const size_t index = presentations_.size() - 1;
  act(node, [&](once::Core& core) {
    auto request = core.redeem({code.id, code.group, client}, now(node).mono + patience, now(node));
    if (request) {
      open_[{node.index, *request}] = index;
    } else {
      presentations_[index].over = true;
    }
  });
  return index;
}

void OnceWorld::run_until_all_told(Duration limit) {
  auto is_stalled = [this](const auto& entry) { return !running(*nodes_[entry.first.first]); };
  world_.run_while_not([&] { return std::all_of(open_.begin(), open_.end(), is_stalled); }, limit);
  for (const auto& [key, index] : open_) {
    if (running(*nodes_[key.first])) violation(presentations_[index].code, "a client was never answered");
  }
}

std::vector<OnceWorld::Node*> OnceWorld::group_of(size_t code) {
  std::vector<Node*> out;
  for (const once::Fingerprint& fingerprint : codes_[code].group) {
    auto at = std::find_if(nodes_.begin(), nodes_.end(), [&](const auto& node) {
      return node->core && node->replica == lives_[fingerprint];
    });
    out.push_back(at == nodes_.end() ? nullptr : at->get());
  }
  return out;
}

bool OnceWorld::has_majority_alive(size_t code) {
  std::vector<Node*> group = group_of(code);
  auto alive = std::count_if(group.begin(), group.end(), [](Node* node) { return node != nullptr; });
  return static_cast<size_t>(alive) > group.size() / 2;
}

// ---------------------------------------------------------------- what is told, and whether it is true

void OnceWorld::watch_clocks() {
  WallTime first = WallTime::max(), last = WallTime::min();
  for (auto& node : nodes_) {
    first = std::min(first, world_.wall_now(*node->host));
    last = std::max(last, world_.wall_now(*node->host));
  }
  spread_ = std::max<Duration>(spread_, last - first);
  latest_ = std::max(latest_, last);
}

void OnceWorld::violation(size_t code, const std::string& what) {
  if (violations_.size() < 10) violations_.push_back(what + "\n" + describe(code));
}

void OnceWorld::check_winner(Code& code, const once::ProofHash& winner) {
  if (!code.clients.contains(winner)) violation(by_id_[code.id], "somebody won who never came");
  if (code.winner && *code.winner != winner) violation(by_id_[code.id], "TWO CLIENTS WON ONE CODE");
  code.winner = winner;
}

void OnceWorld::on_event(Node&, const once::Minted& minted) {
  Code& code = codes_[by_id_.at(minted.id)];
  if (code.acknowledged) violation(by_id_[minted.id], "mint told twice");
  code.acknowledged = minted.acknowledged;
}

void OnceWorld::on_event(Node&, const once::Reused& reused) {
  const size_t number = by_id_.at(reused.id);
  Code& code = codes_[number];
  check_winner(code, reused.first);
  if (reused.first != reused.second || clocks_step) return;
  Duration since = world_.now() - code.clients.at(reused.second).since;
  if (since + spread_ < config_.retry_window)
    violation(number, "the rightful client was called a thief within the window");
}

void OnceWorld::on_event(Node& node, const once::Redeemed& redeemed) {
  watch_clocks();
  auto open = open_.find({node.index, redeemed.request});
  if (open == open_.end()) return violations_.push_back("an answer to nobody");
  Presentation& presentation = presentations_[open->second];
  open_.erase(open);
  const size_t number = presentation.code;
  Code& code = codes_[number];
  presentation.over = true;
  presentation.told = redeemed.outcome;
  presentation.again = redeemed.again;
  world_.note(static_cast<uint64_t>(redeemed.outcome) << 32 | number);

  bool is_theirs = !code.required || *code.required == presentation.proof;
  switch (redeemed.outcome) {
    case Outcome::won:
      check_winner(code, presentation.proof);
      if (!redeemed.again && ++code.told_first > 1) violation(number, "two were told to be the first");
      if (redeemed.payload != code.payload) violation(number, "another payload came back");
      if (!is_theirs) violation(number, "a client won with a proof that the record forbids");
      if (!clocks_step && code.clients.at(presentation.proof).earliest >= code.expires)
        violation(number, "a client won that came after the end");
      break;
    case Outcome::unknown:
      if (!clocks_step && presentation.acknowledged && latest_ < code.expires)
        violation(number, "a code that a deputy has is unknown");
      break;
    case Outcome::expired:
      if (!clocks_step && latest_ < code.expires) violation(number, "expired by nobody's clock");
      break;
    case Outcome::wrong_proof:
      if (is_theirs) violation(number, "the right proof was called wrong");
      break;
    case Outcome::used:
      if (!is_theirs) violation(number, "whom the record is not for was told about its winner");
      break;
    case Outcome::no_majority:
    case Outcome::late: break;
  }
}

std::string OnceWorld::describe(size_t number) {
  const Code& code = codes_[number];
  std::string out = "seed " + std::to_string(world_.seed()) + " at " +
                    std::to_string(world_.now().time_since_epoch() / 1ms) + " ms, code " +
                    std::to_string(number) + " of";
  for (Node* node : group_of(number)) out += node ? " " + node->host->name : " (dead)";
  out += code.acknowledged.value_or(false) ? ", acknowledged\n" : ", not acknowledged\n";
  for (const Presentation& one : presentations_) {
    if (one.code != number) continue;
    out += "  " + one.proof.hex().substr(0, 6) + " at n" + std::to_string(one.node) + ": ";
    out += one.told ? to_string(*one.told) : one.over ? "lost" : "open";
    out += one.again ? " again\n" : "\n";
  }
  return out;
}

}  // namespace kith::sim
