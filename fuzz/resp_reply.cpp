// Bytes of a server into the reply parser: split anywhere they mean the same, within the limits, and what was
// understood is written and understood again.
#include <algorithm>

#include "base/check.h"
#include "resp/reply_parser.h"
#include "resp/reply_writer.h"

using namespace kith;
using namespace kith::resp;

namespace {

constexpr ReplyLimits kLimits{.max_elements = 200, .max_depth = 5, .max_bytes = 600};

void write(ReplyWriter& writer, const Reply& reply) {
  using Type = Reply::Type;
  switch (reply.type) {
    case Type::null: return writer.null();
    case Type::simple: return writer.simple(reply.text);
    case Type::error: return writer.error(reply.text);
    case Type::integer: return writer.integer(reply.number);
    case Type::boolean: return writer.boolean(reply.number != 0);
    case Type::real: return writer.real(reply.real);
    case Type::bulk: return writer.bulk(reply.text);
    case Type::big_number: return writer.big_number(reply.text);
    case Type::verbatim: return writer.verbatim("txt", reply.text);
    case Type::array: writer.array(reply.items.size()); break;
    case Type::map: writer.map(reply.items.size() / 2); break;
    case Type::set: writer.set(reply.items.size()); break;
    case Type::push: writer.push(reply.items.size()); break;
  }
  for (const Reply& item : reply.items) write(writer, item);
}

size_t count(const Reply& reply) {
  size_t elements = reply.items.size();
  for (const Reply& item : reply.items) elements += count(item);
  return elements;
}

struct Outcome {
  Bytes replies;  // written again
  std::string error;
  bool operator==(const Outcome&) const = default;
};

Outcome run(ByteView input, size_t step, ReplyLimits limits) {
  ReplyParser parser(limits);
  Outcome outcome;
  ReplyWriter writer(outcome.replies, Protocol::resp3);
  while (!input.empty()) {
    const ByteView piece = input.first(std::min(step, input.size()));
    input = input.subspan(piece.size());
    parser.feed(piece);
    auto state = parser.next();
    for (; state == ReplyParser::State::reply; state = parser.next()) {
      const Reply reply = parser.take();
      KITH_CHECK(count(reply) <= limits.max_elements);
      KITH_CHECK(reply.type != Reply::Type::map || reply.items.size() % 2 == 0);
      write(writer, reply);
    }
    if (state == ReplyParser::State::refused) {
      outcome.error = std::string(parser.error());
      break;
    }
    KITH_CHECK(!parser.space().empty());
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  const Outcome whole = run(input, input.size(), kLimits);
  KITH_CHECK(run(input, data[0] % 16 + 1, kLimits) == whole);
  const Outcome again = run(whole.replies, whole.replies.size(), ReplyLimits{});
  KITH_CHECK(again.error.empty() && again.replies == whole.replies);
  return 0;
}
