// Commands about keys, whatever their values.

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <random>
#include <vector>

#include "base/text.h"
#include "cache/commands.h"
#include "cache/glob.h"

namespace kith::cache::commands {
namespace {

using resp::ReplyWriter;
constexpr size_t kShards = store::CacheTable::kShards;

constexpr int64_t kNoKey = -2, kNoExpiry = -1;

// At which the key ends, in Unix milliseconds.
int64_t end_of(Keyspace& keys, std::string_view key) {
  const auto view = keys.get(key);
  if (!view) return kNoKey;
  return view.expires ? unix_ms(*view.expires) : kNoExpiry;
}
int64_t left_of(Keyspace& keys, std::string_view key) {
  const int64_t end = end_of(keys, key);
  return end < 0 ? end : std::max<int64_t>(0, end - unix_ms(keys.now()));
}
int64_t to_seconds(int64_t ms) { return ms < 0 ? ms : (ms + 500) / 1000; }

struct Conditions {
  bool none = false, some = false, greater = false, less = false;  // NX XX GT LT
};

// False, and the error is written, when they do not go together.
bool parse_conditions(Args args, Conditions& out, ReplyWriter& reply) {
  for (std::string_view word : args) {
    if (iequals(word, "NX")) {
      out.none = true;
    } else if (iequals(word, "XX")) {
      out.some = true;
    } else if (iequals(word, "GT")) {
      out.greater = true;
    } else if (iequals(word, "LT")) {
      out.less = true;
    } else {
      reply.error("ERR Unsupported option " + shown(word));
      return false;
    }
  }
  if (out.none && (out.some || out.greater || out.less)) {
    reply.error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return false;
  }
  if (out.greater && out.less) {
    reply.error("ERR GT and LT options at the same time are not compatible");
    return false;
  }
  return true;
}

// Without an expiry a key lives for ever, which is longer than anything.
bool allowed(const Conditions& conditions, std::optional<WallTime> now_ends, WallTime would_end) {
  if (conditions.none && now_ends) return false;
  if (conditions.some && !now_ends) return false;
  if (conditions.greater && (!now_ends || would_end <= *now_ends)) return false;
  return !(conditions.less && now_ends && would_end >= *now_ends);
}

void expire_generic(Keyspace& keys, Args args, ExpiryUnit unit, std::string_view name, ReplyWriter& reply) {
  Conditions conditions;
  if (!parse_conditions(args.subspan(3), conditions, reply)) return;
  auto number = parse_number(args[2]);
  if (!number) return reply.error(kNotAnInteger);
  auto at = expiry(*number, unit, keys.now());
  if (!at) return reply.error("ERR invalid expire time in '" + std::string(name) + "' command");
  const auto view = keys.get(args[1]);
  if (!view || !allowed(conditions, view.expires, *at)) return reply.integer(0);
  auto written = keys.set(args[1], view.value->data, *at);
  written ? reply.integer(1) : reply.error(error_text(written.error()));
}

void flush(Keyspace& keys, Args args, bool all, ReplyWriter& reply) {
  const bool good =
      args.size() == 1 || (args.size() == 2 && (iequals(args[1], "ASYNC") || iequals(args[1], "SYNC")));
  if (!good) return reply.error(kSyntaxError);
  auto cleared = keys.clear(all);
  cleared ? reply.simple("OK") : reply.error(error_text(cleared.error()));
}

constexpr int64_t kMaxScan = 10'000;  // keys looked at in one SCAN, about; COUNT is a hint

struct Scan {
  uint64_t cursor = 0;
  size_t count = 10;
  std::string_view pattern = "*";
  bool strings = true;  // whether they are asked for
};

// False, and the error is written.
bool parse_scan(Args args, Scan& out, ReplyWriter& reply) {
  // As strtoul reads it: nothing is 0, and there may be a sign.
  const std::string cursor(args[1]);
  char* end = nullptr;
  errno = 0;
  out.cursor = std::strtoull(cursor.c_str(), &end, 10);
  if (errno == ERANGE || *end != '\0' ||
      (!cursor.empty() && std::isspace(static_cast<unsigned char>(cursor[0])))) {
    reply.error("ERR invalid cursor");
    return false;
  }
  for (size_t i = 2; i < args.size(); i += 2) {
    const bool has_value = i + 1 < args.size();
    if (has_value && iequals(args[i], "COUNT")) {
      auto count = parse_number(args[i + 1]);
      if (!count || *count < 1) {
        reply.error(count ? kSyntaxError : kNotAnInteger);
        return false;
      }
      out.count = static_cast<size_t>(std::min<int64_t>(*count, kMaxScan));
    } else if (has_value && iequals(args[i], "MATCH")) {
      out.pattern = args[i + 1];
    } else if (has_value && iequals(args[i], "TYPE")) {
      out.strings = iequals(args[i + 1], "string");
    } else {
      reply.error(kSyntaxError);
      return false;
    }
  }
  return true;
}

}  // namespace

void del(Keyspace& keys, Args args, ReplyWriter& reply) {
  if (args.size() > kMaxKeys + 1) return reply.error("ERR more than 4096 keys at a time");
  int64_t count = 0;
  for (std::string_view key : args.subspan(1)) {
    auto removed = keys.remove(key);
    if (!removed) return reply.error(error_text(removed.error()));
    count += *removed ? 1 : 0;
  }
  reply.integer(count);
}

void exists(Keyspace& keys, Args args, ReplyWriter& reply) {
  reply.integer(
      std::count_if(args.begin() + 1, args.end(), [&](std::string_view key) { return keys.exists(key); }));
}

void type(Keyspace& keys, Args args, ReplyWriter& reply) {
  reply.simple(keys.exists(args[1]) ? "string" : "none");
}

void ttl(Keyspace& keys, Args args, ReplyWriter& reply) { reply.integer(to_seconds(left_of(keys, args[1]))); }
void pttl(Keyspace& keys, Args args, ReplyWriter& reply) { reply.integer(left_of(keys, args[1])); }
void expiretime(Keyspace& keys, Args args, ReplyWriter& reply) {
  const int64_t end = end_of(keys, args[1]);
  reply.integer(end < 0 ? end : (end + 500) / 1000);
}
void pexpiretime(Keyspace& keys, Args args, ReplyWriter& reply) { reply.integer(end_of(keys, args[1])); }

void expire(Keyspace& keys, Args args, ReplyWriter& reply) {
  expire_generic(keys, args, {1000, false}, "expire", reply);
}
void pexpire(Keyspace& keys, Args args, ReplyWriter& reply) {
  expire_generic(keys, args, {1, false}, "pexpire", reply);
}
void expireat(Keyspace& keys, Args args, ReplyWriter& reply) {
  expire_generic(keys, args, {1000, true}, "expireat", reply);
}
void pexpireat(Keyspace& keys, Args args, ReplyWriter& reply) {
  expire_generic(keys, args, {1, true}, "pexpireat", reply);
}

void persist(Keyspace& keys, Args args, ReplyWriter& reply) {
  const auto view = keys.get(args[1]);
  if (!view || !view.expires) return reply.integer(0);
  auto written = keys.set(args[1], view.value->data, std::nullopt);
  written ? reply.integer(1) : reply.error(error_text(written.error()));
}

// The cursor is the number of the next shard: what is there during the whole walk is given once. A shard is
// given whole, so that there may be more than COUNT.
void scan(Keyspace& keys, Args args, ReplyWriter& reply) {
  Scan wanted;
  if (!parse_scan(args, wanted, reply)) return;
  std::vector<std::string> found;
  size_t seen = 0;
  size_t shard = static_cast<size_t>(std::min<uint64_t>(wanted.cursor, kShards));
  for (; shard < kShards && seen < wanted.count; ++shard) {
    keys.visit(shard, [&](const std::string& key) {
      ++seen;
      if (wanted.strings && key_matches(wanted.pattern, key)) found.push_back(key);
    });
  }
  reply.array(2);
  reply.bulk(std::to_string(shard < kShards ? shard : 0));
  reply.array(found.size());
  for (const std::string& key : found) reply.bulk(key);
}

void keys(Keyspace& keys, Args args, ReplyWriter& reply) {
  std::vector<std::string> found;
  size_t bytes = 0;
  for (size_t shard = 0; shard < kShards && bytes <= kMaxReply; ++shard)
    keys.visit(shard, [&](const std::string& key) {
      if (bytes > kMaxReply || !key_matches(args[1], key)) return;
      bytes += key.size() + 16;
      found.push_back(key);
    });
  if (bytes > kMaxReply) return reply.error(kReplyTooLarge);
  reply.array(found.size());
  for (const std::string& key : found) reply.bulk(key);
}

void dbsize(Keyspace& keys, Args, ReplyWriter& reply) { reply.integer(static_cast<int64_t>(keys.size())); }

// Of the first shard that has any, after one that the clock chooses: nobody's secret hangs on it.
void randomkey(Keyspace& keys, Args, ReplyWriter& reply) {
  if (keys.size() == 0) return reply.null();
  std::minstd_rand random(static_cast<uint32_t>(unix_ms(keys.now())));
  const size_t first = random() % kShards;
  for (size_t i = 0; i < kShards; ++i) {
    std::vector<std::string> found;
    keys.visit((first + i) % kShards, [&](const std::string& key) { found.push_back(key); });
    if (!found.empty()) return reply.bulk(found[random() % found.size()]);
  }
  reply.null();
}

void flushdb(Keyspace& keys, Args args, ReplyWriter& reply) { flush(keys, args, false, reply); }
void flushall(Keyspace& keys, Args args, ReplyWriter& reply) { flush(keys, args, true, reply); }

}  // namespace kith::cache::commands
