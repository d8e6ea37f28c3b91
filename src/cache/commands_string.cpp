// Commands that read and write strings.

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "cache/commands.h"

namespace kith::cache::commands {
namespace {

using resp::ReplyWriter;

constexpr ExpiryUnit kSeconds{1000, false}, kMillis{1, false}, kUnixSeconds{1000, true}, kUnixMillis{1, true};

void reply_value(const store::CacheTable::View& view, ReplyWriter& reply) {
  view ? reply.bulk(view.value->data) : reply.null();
}

std::string invalid_expiry(std::string_view command) {
  return "ERR invalid expire time in '" + std::string(command) + "' command";
}

// A number of EX and its like, which has to be in the future but for the absolute ones. False, and the error
// is written, when it is not one.
bool read_expiry(std::string_view text, ExpiryUnit unit, std::string_view command, WallTime now,
                 WallTime& out, ReplyWriter& reply) {
  auto number = parse_number(text);
  if (!number) {
    reply.error(kNotAnInteger);
    return false;
  }
  auto at = *number > 0 ? expiry(*number, unit, now) : std::nullopt;
  if (!at) {
    reply.error(invalid_expiry(command));
    return false;
  }
  out = *at;
  return true;
}

// Options that SET and GETEX share.
struct Options {
  bool only_absent = false, only_present = false, keep_ttl = false, old_value = false, persist = false;
  std::optional<ExpiryUnit> unit;
  std::string_view number;
};

std::optional<ExpiryUnit> unit_of(std::string_view option) {
  if (iequals(option, "EX")) return kSeconds;
  if (iequals(option, "PX")) return kMillis;
  if (iequals(option, "EXAT")) return kUnixSeconds;
  if (iequals(option, "PXAT")) return kUnixMillis;
  return std::nullopt;
}
bool same(ExpiryUnit a, ExpiryUnit b) { return a.ms == b.ms && a.absolute == b.absolute; }

// nullopt: a syntax error.
std::optional<Options> parse_options(Args args, bool of_set) {
  Options out;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string_view word = args[i];
    if (of_set && iequals(word, "NX") && !out.only_present) {
      out.only_absent = true;
    } else if (of_set && iequals(word, "XX") && !out.only_absent) {
      out.only_present = true;
    } else if (of_set && iequals(word, "GET")) {
      out.old_value = true;
    } else if (of_set && iequals(word, "KEEPTTL") && !out.unit) {
      out.keep_ttl = true;
    } else if (!of_set && iequals(word, "PERSIST") && !out.unit) {
      out.persist = true;
    } else if (auto unit = unit_of(word); unit && i + 1 < args.size() && !out.keep_ttl && !out.persist &&
                                          (!out.unit || same(*out.unit, *unit))) {
      out.unit = unit;
      out.number = args[++i];
    } else {
      return std::nullopt;
    }
  }
  return out;
}

// True when it was set; else the error is written.
bool write(Keyspace& keys, std::string_view key, ByteView data, std::optional<WallTime> expires,
           ReplyWriter& reply) {
  auto written = keys.set(key, data, expires);
  if (!written) reply.error(error_text(written.error()));
  return written.has_value();
}

void set_with_expiry(Keyspace& keys, Args args, ExpiryUnit unit, std::string_view name, ReplyWriter& reply) {
  WallTime expires;
  if (!read_expiry(args[2], unit, name, keys.now(), expires, reply)) return;
  if (write(keys, args[1], as_bytes(args[3]), expires, reply)) reply.simple("OK");
}

void add(Keyspace& keys, std::string_view key, int64_t by, ReplyWriter& reply) {
  auto view = keys.get(key);
  int64_t value = 0;
  if (view) {
    auto number = parse_number(as_text(view.value->data));
    if (!number) return reply.error(kNotAnInteger);
    value = *number;
  }
  if (__builtin_add_overflow(value, by, &value))
    return reply.error("ERR increment or decrement would overflow");
  if (write(keys, key, as_bytes(std::to_string(value)), view.expires, reply)) reply.integer(value);
}

}  // namespace

void get(Keyspace& keys, Args args, ReplyWriter& reply) { reply_value(keys.get(args[1]), reply); }

bool is_plain_set(Args args) {
  auto options = parse_options(args.subspan(std::min<size_t>(3, args.size())), true);
  return !options ||
         !(options->only_absent || options->only_present || options->keep_ttl || options->old_value);
}

void set(Keyspace& keys, Args args, ReplyWriter& reply) {
  const auto options = parse_options(args.subspan(3), true);
  if (!options) return reply.error(kSyntaxError);
  std::optional<WallTime> expires;
  if (options->unit) {
    WallTime at;
    if (!read_expiry(options->number, *options->unit, "set", keys.now(), at, reply)) return;
    expires = at;
  }
  const bool asks = options->only_absent || options->only_present || options->keep_ttl || options->old_value;
  const auto old = asks ? keys.get(args[1]) : store::CacheTable::View{};
  if (options->keep_ttl) expires = old.expires;
  if ((options->only_absent && old) || (options->only_present && !old))
    return options->old_value ? reply_value(old, reply) : reply.null();
  if (!write(keys, args[1], as_bytes(args[2]), expires, reply)) return;
  options->old_value ? reply_value(old, reply) : reply.simple("OK");
}

void setex(Keyspace& keys, Args args, ReplyWriter& reply) {
  set_with_expiry(keys, args, kSeconds, "setex", reply);
}
void psetex(Keyspace& keys, Args args, ReplyWriter& reply) {
  set_with_expiry(keys, args, kMillis, "psetex", reply);
}

void setnx(Keyspace& keys, Args args, ReplyWriter& reply) {
  if (keys.exists(args[1])) return reply.integer(0);
  if (write(keys, args[1], as_bytes(args[2]), std::nullopt, reply)) reply.integer(1);
}

void getset(Keyspace& keys, Args args, ReplyWriter& reply) {
  const auto old = keys.get(args[1]);
  if (write(keys, args[1], as_bytes(args[2]), std::nullopt, reply)) reply_value(old, reply);
}

void getdel(Keyspace& keys, Args args, ReplyWriter& reply) {
  const auto old = keys.get(args[1]);
  if (!old) return reply.null();
  auto removed = keys.remove(args[1]);
  removed ? reply_value(old, reply) : reply.error(error_text(removed.error()));
}

void getex(Keyspace& keys, Args args, ReplyWriter& reply) {
  const auto options = parse_options(args.subspan(2), false);
  if (!options) return reply.error(kSyntaxError);
  const auto view = keys.get(args[1]);
  if (!view) return reply.null();
  std::optional<WallTime> expires;
  if (options->unit) {
    WallTime at;
    if (!read_expiry(options->number, *options->unit, "getex", keys.now(), at, reply)) return;
    expires = at;
  }
  const bool changes = options->unit || (options->persist && view.expires);
  if (changes && !write(keys, args[1], view.value->data, expires, reply)) return;
  reply_value(view, reply);
}

void mget(Keyspace& keys, Args args, ReplyWriter& reply) {
  size_t bytes = 0;
  for (std::string_view key : args.subspan(1))
    if (const auto view = keys.get(key)) bytes += view.value->data.size();
  if (bytes > kMaxReply) return reply.error(kReplyTooLarge);
  reply.array(args.size() - 1);
  for (std::string_view key : args.subspan(1)) reply_value(keys.get(key), reply);
}

void mset(Keyspace& keys, Args args, ReplyWriter& reply) {
  if (args.size() / 2 > kMaxKeys) return reply.error("ERR more than 4096 keys at a time");
  if (args.size() % 2 == 0) return reply.error("ERR wrong number of arguments for 'mset' command");
  // All or nothing.
  for (size_t i = 1; i < args.size(); i += 2)
    if (auto good = Keyspace::check(args[i], args[i + 1]); !good)
      return reply.error(error_text(good.error()));
  for (size_t i = 1; i < args.size(); i += 2)
    if (!write(keys, args[i], as_bytes(args[i + 1]), std::nullopt, reply)) return;
  reply.simple("OK");
}

void strlen(Keyspace& keys, Args args, ReplyWriter& reply) {
  const auto view = keys.get(args[1]);
  reply.integer(view ? static_cast<int64_t>(view.value->data.size()) : 0);
}

void append(Keyspace& keys, Args args, ReplyWriter& reply) {
  const auto view = keys.get(args[1]);
  Bytes data = view ? view.value->data : Bytes{};
  kith::append(data, args[2]);
  if (write(keys, args[1], data, view.expires, reply)) reply.integer(static_cast<int64_t>(data.size()));
}

void getrange(Keyspace& keys, Args args, ReplyWriter& reply) {
  auto first = parse_number(args[2]), last = parse_number(args[3]);
  if (!first || !last) return reply.error(kNotAnInteger);
  const auto view = keys.get(args[1]);
  const auto size = view ? static_cast<int64_t>(view.value->data.size()) : 0;
  // From the end when negative; what is outside is cut. Both before the beginning, in the wrong order:
  // nothing.
  if (*first < 0 && *last < 0 && *first > *last) return reply.bulk(std::string_view());
  const int64_t from = *first < 0 ? std::max<int64_t>(0, *first + size) : *first;
  const int64_t to = std::min(*last < 0 ? std::max<int64_t>(0, *last + size) : *last, size - 1);
  if (size == 0 || from > to) return reply.bulk(std::string_view());
  reply.bulk(
      ByteView(view.value->data).subspan(static_cast<size_t>(from), static_cast<size_t>(to - from + 1)));
}

void incr(Keyspace& keys, Args args, ReplyWriter& reply) { add(keys, args[1], 1, reply); }
void decr(Keyspace& keys, Args args, ReplyWriter& reply) { add(keys, args[1], -1, reply); }
void incrby(Keyspace& keys, Args args, ReplyWriter& reply) {
  auto by = parse_number(args[2]);
  by ? add(keys, args[1], *by, reply) : reply.error(kNotAnInteger);
}
void decrby(Keyspace& keys, Args args, ReplyWriter& reply) {
  auto by = parse_number(args[2]);
  if (!by) return reply.error(kNotAnInteger);
  if (*by == INT64_MIN) return reply.error("ERR decrement would overflow");
  add(keys, args[1], -*by, reply);
}

}  // namespace kith::cache::commands
