// Replies of a Redis server about who has which keys: what is believed of them names slots that there are and
// hosts that can be dialled.
#include "cache/redis_map.h"
#include "base/check.h"
#include "base/net.h"
#include "resp/reply_parser.h"

using namespace kith;
using namespace kith::cache;

namespace {

void check_address(const RedisAddress& address) {
  KITH_CHECK(address.port != 0);
  KITH_CHECK(is_host_name(address.host) || IpAddress::parse(address.host));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const RedisAddress asked{"127.0.0.1", 6379};
  resp::ReplyParser parser({.max_elements = 1000, .max_bytes = 16 << 10});
  parser.feed(ByteView(data, size));
  while (parser.next() == resp::ReplyParser::State::reply) {
    const resp::Reply reply = parser.take();
    KITH_CHECK(slot_of(reply.text) < kSlots);
    if (auto redirect = parse_redirect(reply, asked)) {
      KITH_CHECK(redirect->slot < kSlots);
      check_address(redirect->to);
    }
    auto ranges = parse_slots(reply, asked);
    if (!ranges) continue;
    for (const SlotRange& range : *ranges) {
      KITH_CHECK(range.first <= range.last && range.last < kSlots);
      check_address(range.master);
    }
  }
  return 0;
}
