// One Redis server, as one loop sees it: a few kept connections, and whether it can be reached at all.
//
// A connection carries one call at a time, so a slow answer holds up nobody else's; a few of them carry what
// one loop needs. A server that could not be reached is left alone for a moment: calls fail at once instead
// of each waiting for it.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "base/log.h"
#include "cache/redis_connection.h"
#include "runtime/sync.h"

namespace kith::cache {

class RedisNode {
 public:
  // ports and config outlive the node.
  RedisNode(runtime::Ports& ports, const RedisConfig& config, const Log& log, RedisAddress address);
  ~RedisNode();  // nobody asks

  // Sends commands, which outlive the call, and gives the last of as many replies; an error reply is a reply.
  // Connects where needed. A kept connection that turns out to be dead is replaced, and the commands
  // sent again: they have to mean the same then. Failures: those of RedisConnection, timeout also while all
  // connections are taken; while the server is down, what was found out when it was last tried.
  runtime::Task<Result<resp::Reply>> ask(ByteView commands, size_t replies, MonoTime deadline);

  const RedisAddress& address() const { return address_; }
  // As it said when it was last connected with; forget_role() lets it say so again before it is next asked.
  bool is_replica() const { return replica_; }
  void forget_role() { drop_kept(); }
  bool in_use() const { return users_ > 0; }
  bool has_connections() const { return open_ > 0; }

 private:
  struct Kept {
    std::unique_ptr<RedisConnection> connection;
    MonoTime since;
  };
  struct Lease {
    std::unique_ptr<RedisConnection> connection;
    bool fresh = true;
  };

  runtime::Task<Result<resp::Reply>> ask_connected(ByteView commands, size_t replies, MonoTime deadline);
  runtime::Task<Result<Lease>> acquire(MonoTime deadline);
  runtime::Task<Result<Lease>> connect(MonoTime deadline);
  std::unique_ptr<RedisConnection> take_kept();
  void release(std::unique_ptr<RedisConnection> connection);
  void drop_kept();
  void note_down(const Error& error);
  void note_up();

  runtime::Ports& ports_;
  const RedisConfig& config_;
  const Log& log_;
  RedisAddress address_;
  std::deque<Kept> kept_;  // the one used last at the end
  size_t open_ = 0;        // connections: kept, used, being made
  size_t users_ = 0;       // calls
  runtime::Event freed_;   // a connection may be had
  bool replica_ = false;
  Duration backoff_{};  // zero: the last attempt to connect succeeded
  MonoTime down_until_{};
  std::optional<Error> why_;  // it is down
};

}  // namespace kith::cache
