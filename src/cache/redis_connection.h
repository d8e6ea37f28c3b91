// One connection to one Redis server, logged in. Used by one call at a time; replies come in order.
#pragma once

#include <memory>

#include "cache/redis_config.h"
#include "resp/reply_parser.h"
#include "runtime/ports.h"

namespace kith::cache {

class RedisConnection {
 public:
  // Connects, with TLS where configured, and logs in: HELLO 3, or AUTH where a server is older than Redis 6.
  // ports and config outlive the call. Failures: those of the stream and TLS; unauthenticated, side config,
  // when the server does not take the login. Messages name the server.
  static runtime::Task<Result<std::unique_ptr<RedisConnection>>> open(runtime::Ports& ports,
                                                                      const RedisConfig& config,
                                                                      RedisAddress address,
                                                                      MonoTime deadline);

  // Sends commands, which outlive the call, and gives the last of as many replies. An error reply is a
  // reply. After a failure the connection is not fit() any more: limit when a reply was larger than we take,
  // protocol, and those of the stream; the commands may have been done or not.
  runtime::Task<Result<resp::Reply>> exchange(ByteView commands, size_t replies, MonoTime deadline);

  // Whether it can be used again: nothing is pending, and nothing came that nobody asked for.
  bool fit() const { return fit_ && parser_.idle() && stream_->quiet(); }
  // Whether the server said at login that it copies from another: it takes no writes, and may be behind.
  bool is_replica() const { return replica_; }
  // Gives memory back before it is kept.
  void rest() { parser_.shrink(); }

 private:
  RedisConnection(std::unique_ptr<runtime::Stream> stream, std::string name)
      : stream_(std::move(stream)), name_(std::move(name)) {}

  runtime::Task<Result<void>> log_in(const RedisConfig& config, MonoTime deadline);
  runtime::Task<Result<void>> log_in_old(const RedisConfig& config, MonoTime deadline);
  Error failed(const Error& cause, std::string_view doing) const;

  std::unique_ptr<runtime::Stream> stream_;
  std::string name_;  // of the server, for messages
  resp::ReplyParser parser_;
  bool fit_ = true;
  bool replica_ = false;
};

}  // namespace kith::cache
