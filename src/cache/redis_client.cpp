#include "cache/redis_client.h"

#include <algorithm>
#include <set>

#include "resp/request_writer.h"

namespace kith::cache {
namespace {

using resp::Reply;

constexpr Duration kFirstPause = 20ms;  // before a server that said "later" is asked again, doubled up to
constexpr Duration kMaxPause = 250ms;
constexpr Duration kRefreshPause =
    100ms;  // between two requests for the map: a fault does not flood the nodes
constexpr size_t kQuickRedirections = 5;  // then the nodes disagree, and are given time
constexpr size_t kManyNodes = 2 * kMaxRedisNodes;
constexpr size_t kMaxSteps = 100;  // of one call; its deadline ends it sooner

// The server cannot answer now, and will.
bool says_later(std::string_view code) {
  return code == "TRYAGAIN" || code == "LOADING" || code == "CLUSTERDOWN" || code == "MASTERDOWN";
}

// An error that says where or when to ask, rather than answering.
bool is_direction(const Reply& reply, const RedisAddress& asked) {
  const std::string_view code = reply.error_code();
  return says_later(code) || code == "READONLY" || parse_redirect(reply, asked);
}

Bytes with_asking(ByteView command) {
  Bytes both;
  resp::append_command(both, {"ASKING"});
  append(both, command);
  return both;
}

}  // namespace

RedisClient::RedisClient(runtime::Ports& ports, std::shared_ptr<const RedisConfig> config, Log log)
    : ports_(ports), config_(std::move(config)), log_(std::move(log)) {}

RedisClient::~RedisClient() = default;

// ---------------------------------------------------------------- a call

runtime::Task<Result<Reply>> RedisClient::call(std::string key, Bytes command, MonoTime deadline) {
  Trip trip{.slot = slot_of(key), .deadline = std::min(deadline, loop().now() + config_->command_timeout)};
  if (loop().now() >= trip.deadline)
    co_return Error(Code::timeout, "redis: there is no time left to ask", Side::client);
  if (stale_) {
    const RedisAddress nobody;
    co_await refresh(trip.deadline, nobody);
  }
  RedisNode* node = &node_of(trip.slot);
  Error last(Code::unavailable, "redis: sent from one node to the next without end", Side::upstream);
  for (size_t step = 0; step < kMaxSteps; ++step) {
    const RedisAddress asked = node->address();  // the node may go while others are waited for
    const bool asking = std::exchange(trip.asking, false);
    const Bytes longer = asking ? with_asking(command) : Bytes();
    const ByteView sent = asking ? ByteView(longer) : ByteView(command);
    auto reply = co_await node->ask(sent, asking ? 2 : 1, trip.deadline);
    const bool behind = reply && !is_cluster() && is_replica_of_several(asked);
    if (reply && !behind && !is_direction(*reply, asked)) co_return reply;
    if (!reply && (reply.error().code() == Code::limit || loop().now() >= trip.deadline)) co_return reply;
    if (reply) {
      if (behind || reply->error_code() == "READONLY") node->forget_role();
      const std::string words = behind ? "it is a replica" : printable(reply->text);
      last = Error(Code::unavailable, "redis " + asked.text() + ": " + words, Side::upstream);
      node = co_await after_reply(trip, *reply, asked);
    } else {
      last = reply.error();
      node = co_await after_failure(trip, asked);
    }
    if (node == nullptr) co_return last;
  }
  co_return last;
}

runtime::Task<RedisNode*> RedisClient::after_failure(Trip& trip, RedisAddress failed) {
  if (!is_cluster()) co_return next_address(trip, failed);
  if (trip.refreshed) co_return nullptr;
  trip.refreshed = true;
  stale_ = true;
  co_await refresh(trip.deadline, failed);
  RedisNode& owner = node_of(trip.slot);
  if (owner.address() != failed) co_return &owner;
  // The others know nobody else yet, or may not tell. The next call asks for the map again; where there is
  // none, one of the addresses of the configuration says who has the slot.
  stale_ = true;
  if (is_cluster()) owners_[trip.slot] = nullptr;
  next_address(trip, failed);
  co_return nullptr;
}

runtime::Task<RedisNode*> RedisClient::after_reply(Trip& trip, const Reply& reply, RedisAddress asked) {
  if (const auto redirect = parse_redirect(reply, asked)) {
    RedisNode* named = follow(trip, *redirect);
    if (++trip.redirections <= kQuickRedirections) co_return named;
    trip.asking = false;
    co_return co_await later(trip);
  }
  // A replica.
  if (!says_later(reply.error_code())) co_return co_await after_failure(trip, asked);
  if (is_cluster()) stale_ = true;
  co_return co_await later(trip);
}

RedisNode* RedisClient::follow(Trip& trip, const Redirect& redirect) {
  if (nodes_.size() >= kManyNodes) forget_unused();  // servers name whom they like
  RedisNode& named = node_at(redirect.to);
  trip.asking = redirect.ask;
  if (!redirect.ask) {
    // True of this slot at once; of the others, the next call asks.
    if (!is_cluster()) owners_.resize(kSlots);
    owners_[redirect.slot] = &named;
    stale_ = true;
  }
  return &named;
}

runtime::Task<RedisNode*> RedisClient::later(Trip& trip) {
  trip.pause = std::clamp(2 * trip.pause, kFirstPause, kMaxPause);
  const MonoTime when = loop().now() + trip.pause;
  if (when >= trip.deadline) co_return nullptr;
  (void)co_await runtime::sleep_until(loop(), when);
  co_return &node_of(trip.slot);
}

RedisNode* RedisClient::next_address(Trip& trip, const RedisAddress& failed) {
  const auto& addresses = config_->addresses;
  // Unless another call has moved on already.
  if (addresses[address_] == failed) address_ = (address_ + 1) % addresses.size();
  if (trip.addresses_tried++ >= addresses.size()) return nullptr;
  return &node_at(addresses[address_]);
}

// ---------------------------------------------------------------- the map

RedisNode& RedisClient::node_at(const RedisAddress& address) {
  std::unique_ptr<RedisNode>& node = nodes_[address];
  if (!node) node = std::make_unique<RedisNode>(ports_, *config_, log_, address);
  return *node;
}

// Where several addresses are one data set, only the server that is written to has all of it.
bool RedisClient::is_replica_of_several(const RedisAddress& asked) const {
  const auto node = nodes_.find(asked);
  return config_->addresses.size() > 1 && node != nodes_.end() && node->second->is_replica();
}

RedisNode& RedisClient::node_of(uint16_t slot) {
  if (is_cluster() && owners_[slot] != nullptr) return *owners_[slot];
  return node_at(config_->addresses[address_]);
}

runtime::Task<void> RedisClient::refresh(MonoTime deadline, RedisAddress suspect) {
  if (refreshing_) {
    (void)co_await refreshed_.wait_until(loop(), deadline);
    co_return;
  }
  if (loop().now() < refresh_from_) co_return;
  refreshing_ = true;
  co_await ask_for_map(deadline, suspect);
  refreshing_ = false;
  refresh_from_ = loop().now() + kRefreshPause;
  refreshed_.notify_all();
}

runtime::Task<void> RedisClient::ask_for_map(MonoTime deadline, RedisAddress suspect) {
  Bytes command;
  resp::append_command(command, {"CLUSTER", "SLOTS"});
  const std::vector<RedisAddress> addresses = whom_to_ask(suspect);
  for (const RedisAddress& address : addresses) {
    if (loop().now() >= deadline) co_return;
    const MonoTime share = std::min(deadline, loop().now() + config_->connect_timeout);
    auto reply = co_await node_at(address).ask(command, 1, share);
    if (!reply) continue;
    const bool done = take_map(*reply, address);
    if (done) co_return;
  }
}

bool RedisClient::take_map(const Reply& reply, const RedisAddress& asked) {
  if (reply.is_error()) {
    if (says_later(reply.error_code())) return false;
    // Not a cluster, or one that keeps its map from this user: then MOVED tells where each slot is.
    stale_ = false;
    return true;
  }
  auto ranges = parse_slots(reply, asked);
  if (!ranges) {
    log_.warn("redis: a map of the cluster that makes no sense",
              {{"address", asked.text()}, {"why", ranges.error().message()}});
    return false;
  }
  owners_.assign(kSlots, nullptr);
  for (const SlotRange& range : *ranges) {
    RedisNode& master = node_at(range.master);
    std::fill(owners_.begin() + range.first, owners_.begin() + range.last + 1, &master);
  }
  stale_ = false;
  forget_unused();
  return true;
}

// Who answers soonest first: nodes that we are connected with, then all that were configured or seen.
std::vector<RedisAddress> RedisClient::whom_to_ask(const RedisAddress& suspect) const {
  std::vector<RedisAddress> order;
  for (const auto& [address, node] : nodes_) {
    if (node->has_connections()) order.push_back(address);
  }
  order.insert(order.end(), config_->addresses.begin(), config_->addresses.end());
  for (const auto& [address, node] : nodes_) order.push_back(address);
  std::set<RedisAddress> seen{suspect};
  std::erase_if(order, [&](const RedisAddress& address) { return !seen.insert(address).second; });
  if (!suspect.host.empty()) order.push_back(suspect);
  return order;
}

void RedisClient::forget_unused() {
  const std::set<const RedisNode*> owners(owners_.begin(), owners_.end());
  std::erase_if(nodes_, [&](const auto& each) {
    return !each.second->in_use() && !owners.contains(each.second.get());
  });
}

}  // namespace kith::cache
