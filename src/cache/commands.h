// The commands of the Redis protocol that are about keys: what each does and replies, as Redis 7 does
// (redis.io, "Commands"), for strings. What is about a connection is in connection.h.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "cache/keyspace.h"
#include "resp/reply_writer.h"

namespace kith::cache {

using Args = std::span<const std::string_view>;  // the name first

// Where a command can be carried out.
enum class Place : uint8_t {
  connection,  // it is not about keys
  read,        // anywhere
  write,       // anywhere, on the control loop: it does not ask what is there
  decide,      // at the key's home, which knows what is there
};

struct Command {
  std::string_view name;  // in lower case
  int arity;              // arguments, the name among them; negative: at least so many
  Place place;            // of its strictest form; see place_of()
  void (*run)(Keyspace& keys, Args args, resp::ReplyWriter& reply);  // null for Place::connection
};

// In any case of letters; null when there is none.
const Command* find_command(std::string_view name);
std::span<const Command> all_commands();
bool has_arity(const Command& command, size_t args);
Place place_of(const Command& command, Args args);
// Whether it looks at many keys: that is kept from the control loop where it can be.
bool looks_around(const Command& command);

// An integer as Redis reads it: no blanks, no plus, no zeros in front.
std::optional<int64_t> parse_number(std::string_view text);
inline constexpr std::string_view kNotAnInteger = "ERR value is not an integer or out of range";
inline constexpr size_t kMaxReply = 16 << 20;  // of one command
inline constexpr std::string_view kReplyTooLarge = "ERR the reply would be larger than 16 MiB";
inline constexpr size_t kMaxKeys = 4096;  // that one command writes
inline constexpr std::string_view kSyntaxError = "ERR syntax error";

// As much of what a client typed as an error repeats: up to a zero byte, as Redis does.
std::string shown(std::string_view typed, size_t most = 128);
// What a write that failed is answered with.
std::string error_text(const Error& error);

// The commands by file.
namespace commands {
using Run = void(Keyspace& keys, Args args, resp::ReplyWriter& reply);
// commands_string.cpp
Run get, set, setex, psetex, setnx, getset, getdel, getex, mget, mset, strlen, append, getrange;
Run incr, incrby, decr, decrby;
bool is_plain_set(Args args);  // no option that asks what is there
// commands_key.cpp
Run del, exists, type, ttl, pttl, expiretime, pexpiretime, expire, pexpire, expireat, pexpireat, persist;
Run scan, keys, dbsize, randomkey, flushdb, flushall;
}  // namespace commands

// Times as the commands take them.
struct ExpiryUnit {
  int64_t ms;     // 1 or 1000
  bool absolute;  // since 1970, else from now
};
// nullopt when the number is not in Redis's range. Later than the year 2262 is that year.
std::optional<WallTime> expiry(int64_t number, ExpiryUnit unit, WallTime now);

}  // namespace kith::cache
