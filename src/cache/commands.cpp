#include "cache/commands.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"
#include "resp/scan.h"

namespace kith::cache {
namespace {

namespace c = commands;

constexpr auto kNone = nullptr;

// By name.
constexpr Command kCommands[] = {
    {"append", 3, Place::decide, c::append},
    {"auth", -2, Place::connection, kNone},
    {"client", -2, Place::connection, kNone},
    {"command", -1, Place::connection, kNone},
    {"config", -2, Place::connection, kNone},
    {"dbsize", 1, Place::read, c::dbsize},
    {"decr", 2, Place::decide, c::decr},
    {"decrby", 3, Place::decide, c::decrby},
    {"del", -2, Place::write, c::del},
    {"discard", 1, Place::connection, kNone},
    {"echo", 2, Place::connection, kNone},
    {"exec", 1, Place::connection, kNone},
    {"exists", -2, Place::read, c::exists},
    {"expire", -3, Place::decide, c::expire},
    {"expireat", -3, Place::decide, c::expireat},
    {"expiretime", 2, Place::read, c::expiretime},
    {"flushall", -1, Place::write, c::flushall},
    {"flushdb", -1, Place::write, c::flushdb},
    {"get", 2, Place::read, c::get},
    {"getdel", 2, Place::decide, c::getdel},
    {"getex", -2, Place::decide, c::getex},
    {"getrange", 4, Place::read, c::getrange},
    {"getset", 3, Place::decide, c::getset},
    {"hello", -1, Place::connection, kNone},
    {"incr", 2, Place::decide, c::incr},
    {"incrby", 3, Place::decide, c::incrby},
    {"info", -1, Place::connection, kNone},
    {"keys", 2, Place::read, c::keys},
    {"mget", -2, Place::read, c::mget},
    {"mset", -3, Place::write, c::mset},
    {"multi", 1, Place::connection, kNone},
    {"persist", 2, Place::decide, c::persist},
    {"pexpire", -3, Place::decide, c::pexpire},
    {"pexpireat", -3, Place::decide, c::pexpireat},
    {"pexpiretime", 2, Place::read, c::pexpiretime},
    {"ping", -1, Place::connection, kNone},
    {"psetex", 4, Place::write, c::psetex},
    {"psubscribe", -2, Place::connection, kNone},
    {"pttl", 2, Place::read, c::pttl},
    {"publish", 3, Place::connection, kNone},
    {"pubsub", -2, Place::connection, kNone},
    {"punsubscribe", -1, Place::connection, kNone},
    {"quit", -1, Place::connection, kNone},
    {"randomkey", 1, Place::read, c::randomkey},
    {"reset", 1, Place::connection, kNone},
    {"scan", -2, Place::read, c::scan},
    {"select", 2, Place::connection, kNone},
    {"set", -3, Place::decide, c::set},
    {"setex", 4, Place::write, c::setex},
    {"setnx", 3, Place::decide, c::setnx},
    {"strlen", 2, Place::read, c::strlen},
    {"subscribe", -2, Place::connection, kNone},
    {"substr", 4, Place::read, c::getrange},
    {"touch", -2, Place::read, c::exists},
    {"ttl", 2, Place::read, c::ttl},
    {"type", 2, Place::read, c::type},
    {"unlink", -2, Place::write, c::del},
    {"unsubscribe", -1, Place::connection, kNone},
};
static_assert(std::is_sorted(std::begin(kCommands), std::end(kCommands),
                             [](const Command& a, const Command& b) { return a.name < b.name; }));

}  // namespace

const Command* find_command(std::string_view name) {
  std::array<char, 16> small;  // longer than any name
  if (name.empty() || name.size() > small.size()) return nullptr;
  std::transform(name.begin(), name.end(), small.begin(), [](char each) { return lower(each); });
  const std::string_view wanted(small.data(), name.size());
  auto found =
      std::lower_bound(std::begin(kCommands), std::end(kCommands), wanted,
                       [](const Command& command, std::string_view text) { return command.name < text; });
  return found != std::end(kCommands) && found->name == wanted ? found : nullptr;
}

std::span<const Command> all_commands() { return kCommands; }

bool has_arity(const Command& command, size_t args) {
  const auto count = static_cast<int>(args);
  return command.arity >= 0 ? count == command.arity : count >= -command.arity;
}

Place place_of(const Command& command, Args args) {
  if (command.run == commands::set && commands::is_plain_set(args)) return Place::write;
  if (command.run == commands::getex && args.size() == 2) return Place::read;
  return command.place;
}

bool looks_around(const Command& command) {
  return command.run == commands::keys || command.run == commands::scan ||
         command.run == commands::randomkey || command.run == commands::mget;
}

std::optional<int64_t> parse_number(std::string_view text) { return resp::parse_integer(text); }

std::string shown(std::string_view typed, size_t most) {
  return std::string(typed.substr(0, most).substr(0, typed.find('\0')));
}

std::string error_text(const Error& error) { return "ERR " + error.message(); }

std::optional<WallTime> expiry(int64_t number, ExpiryUnit unit, WallTime now) {
  if (number > INT64_MAX / unit.ms || number < INT64_MIN / unit.ms) return std::nullopt;
  int64_t at = number * unit.ms;
  if (!unit.absolute) {
    if (at > INT64_MAX - unix_ms(now)) return std::nullopt;
    at += unix_ms(now);
  }
  return from_unix_ms(std::clamp<int64_t>(at, 0, store::kMaxTimeMs));
}

}  // namespace kith::cache
