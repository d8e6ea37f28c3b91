#include "cache/redis_map.h"

#include <array>
#include <set>

#include "base/net.h"

namespace kith::cache {
namespace {

using resp::Reply;

constexpr std::array<uint16_t, 256> make_table() {
  std::array<uint16_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned value = byte << 8;
    for (int bit = 0; bit < 8; ++bit) value = (value & 0x8000) != 0 ? (value << 1) ^ 0x1021 : value << 1;
    table[byte] = static_cast<uint16_t>(value);
  }
  return table;
}
constexpr std::array<uint16_t, 256> kTable = make_table();

Error senseless(std::string_view what) {
  return Error(Code::protocol, "CLUSTER SLOTS: " + std::string(what), Side::upstream);
}

// What a node says of another is dialled: a host is an address or a name, whatever else it claims.
bool is_host(const std::string& host) { return is_host_name(host) || IpAddress::parse(host).has_value(); }

// [ip, port, id, ...]; null or "?" as ip: not known.
std::optional<RedisAddress> node_in(const Reply& node, const RedisAddress& asked) {
  if (!node.is_list() || node.items.size() < 2 || !node.items[1].is(Reply::Type::integer))
    return std::nullopt;
  const Reply& host = node.items[0];
  if (!host.is_text() && !host.is_null()) return std::nullopt;
  const int64_t port = node.items[1].number;
  if (port < 1 || port > 65535) return std::nullopt;
  const bool known = !host.is_null() && !host.text.empty() && host.text != "?";
  RedisAddress address{known ? host.text : asked.host, static_cast<uint16_t>(port)};
  if (!is_host(address.host)) return std::nullopt;
  return address;
}

std::optional<uint16_t> slot_in(const Reply& number) {
  if (!number.is(Reply::Type::integer) || number.number < 0 || number.number >= static_cast<int64_t>(kSlots))
    return std::nullopt;
  return static_cast<uint16_t>(number.number);
}

}  // namespace

uint16_t slot_of(std::string_view key) {
  const size_t open = key.find('{');
  if (open != std::string_view::npos) {
    const size_t close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1) key = key.substr(open + 1, close - open - 1);
  }
  uint16_t crc = 0;
  for (char c : key)
    crc = static_cast<uint16_t>((crc << 8) ^ kTable[((crc >> 8) ^ static_cast<uint8_t>(c)) & 0xff]);
  return crc % kSlots;
}

Result<std::vector<SlotRange>> parse_slots(const Reply& reply, const RedisAddress& asked) {
  if (!reply.is_list()) return senseless("no list");
  std::vector<SlotRange> ranges;
  std::set<RedisAddress> masters;
  for (const Reply& range : reply.items) {
    if (!range.is_list() || range.items.size() < 3) return senseless("a range without a node");
    const auto first = slot_in(range.items[0]);
    const auto last = slot_in(range.items[1]);
    if (!first || !last || *first > *last) return senseless("a range that is none");
    auto master = node_in(range.items[2], asked);
    if (!master) return senseless("a node without address");
    masters.insert(*master);
    if (masters.size() > kMaxRedisNodes) return senseless("too many nodes");
    ranges.push_back({*first, *last, std::move(*master)});
  }
  return ranges;
}

std::optional<Redirect> parse_redirect(const Reply& reply, const RedisAddress& asked) {
  const std::string_view code = reply.error_code();
  if (code != "MOVED" && code != "ASK") return std::nullopt;
  const auto words = split(reply.text, ' ');
  if (words.size() != 3) return std::nullopt;
  const auto slot = parse_u64(words[1]);
  const size_t colon = words[2].rfind(':');  // an IPv6 address stands there without brackets
  if (!slot || *slot >= kSlots || colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_u64(words[2].substr(colon + 1));
  if (!port || *port < 1 || *port > 65535) return std::nullopt;
  std::string host(words[2].substr(0, colon));
  if (host.empty() || host == "?") host = asked.host;
  if (!is_host(host)) return std::nullopt;
  return Redirect{
      code == "ASK", static_cast<uint16_t>(*slot), {std::move(host), static_cast<uint16_t>(*port)}};
}

}  // namespace kith::cache
