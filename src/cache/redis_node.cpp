#include "cache/redis_node.h"

#include <algorithm>

namespace kith::cache {
namespace {

constexpr Duration kFirstBackoff = 50ms;  // a server that is down is tried again after this, doubled up to
constexpr Duration kMaxBackoff = 1s;      // this: when it is back it is used again soon
constexpr Duration kMaxIdle = 60s;        // of a kept connection, below what firewalls forget
constexpr int kMaxStale = 3;              // dead connections that one call runs into

}  // namespace

RedisNode::RedisNode(runtime::Ports& ports, const RedisConfig& config, const Log& log, RedisAddress address)
    : ports_(ports), config_(config), log_(log), address_(std::move(address)) {}

RedisNode::~RedisNode() { KITH_CHECK(users_ == 0); }

runtime::Task<Result<resp::Reply>> RedisNode::ask(ByteView commands, size_t replies, MonoTime deadline) {
  ++users_;
  auto reply = co_await ask_connected(commands, replies, deadline);
  --users_;
  co_return reply;
}

runtime::Task<Result<resp::Reply>> RedisNode::ask_connected(ByteView commands, size_t replies,
                                                            MonoTime deadline) {
  for (int stale = 0;; ++stale) {
    auto lease = co_await acquire(deadline);
    if (!lease) co_return std::move(lease).error();
    auto reply = co_await lease->connection->exchange(commands, replies, deadline);
    release(std::move(lease->connection));
    if (reply) co_return reply;
    const Code code = reply.error().code();
    if (code == Code::limit || code == Code::protocol) co_return reply;
    drop_kept();  // they are as old as this one, or older
    if (lease->fresh || code == Code::timeout || stale == kMaxStale) co_return reply;
  }
}

runtime::Task<Result<RedisNode::Lease>> RedisNode::acquire(MonoTime deadline) {
  for (;;) {
    Lease lease{.connection = take_kept(), .fresh = false};
    if (lease.connection) co_return lease;
    if (ports_.loop.now() < down_until_ && why_) co_return *why_;
    if (open_ < config_.pool_size) co_return co_await connect(deadline);
    const bool freed = co_await freed_.wait_until(ports_.loop, deadline);
    if (!freed)
      co_return Error(Code::timeout, "redis " + address_.text() + ": all connections are taken",
                      Side::upstream);
  }
}

runtime::Task<Result<RedisNode::Lease>> RedisNode::connect(MonoTime deadline) {
  ++open_;
  const MonoTime own = ports_.loop.now() + config_.connect_timeout;
  auto connection = co_await RedisConnection::open(ports_, config_, address_, std::min(deadline, own));
  if (connection) {
    replica_ = (*connection)->is_replica();
    note_up();
    co_return Lease{std::move(*connection), true};
  }
  --open_;
  // That a caller had no time left says nothing about the server.
  if (connection.error().code() != Code::timeout || own <= deadline) note_down(connection.error());
  freed_.notify_all();
  co_return std::move(connection).error();
}

std::unique_ptr<RedisConnection> RedisNode::take_kept() {
  while (!kept_.empty()) {
    std::unique_ptr<RedisConnection> connection = std::move(kept_.back().connection);
    kept_.pop_back();
    if (connection->fit()) return connection;
    --open_;
  }
  return nullptr;
}

void RedisNode::release(std::unique_ptr<RedisConnection> connection) {
  const MonoTime now = ports_.loop.now();
  if (connection->fit()) {
    connection->rest();
    kept_.push_back({std::move(connection), now});
  } else {
    connection.reset();
    --open_;
  }
  while (!kept_.empty() && now - kept_.front().since >= kMaxIdle) {
    kept_.pop_front();
    --open_;
  }
  freed_.notify_all();
}

void RedisNode::drop_kept() {
  open_ -= kept_.size();
  kept_.clear();
  freed_.notify_all();
}

void RedisNode::note_down(const Error& error) {
  const MonoTime now = ports_.loop.now();
  if (now < down_until_) return;  // the others that tried at the same time count as one
  if (backoff_ == Duration::zero())
    log_.warn("redis cannot be used", {{"address", address_.text()}, {"why", error.message()}});
  backoff_ = std::clamp(2 * backoff_, kFirstBackoff, kMaxBackoff);
  down_until_ = now + backoff_;
  why_ = error;
}

void RedisNode::note_up() {
  if (backoff_ != Duration::zero()) log_.info("redis can be used again", {{"address", address_.text()}});
  backoff_ = Duration::zero();
  down_until_ = MonoTime{};
  why_.reset();
}

}  // namespace kith::cache
