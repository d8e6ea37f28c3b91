// Bytes of a client into the request parser: split anywhere they mean the same, and what was understood is
// written and understood again.
#include <algorithm>

#include "base/check.h"
#include "resp/request_parser.h"
#include "resp/request_writer.h"

using namespace kith;
using namespace kith::resp;

namespace {

constexpr RequestLimits kLimits{
    .max_args = 20, .max_bulk_bytes = 256, .max_command_bytes = 512, .max_inline_bytes = 300};

struct Outcome {
  Bytes commands;  // written again
  std::string error;
  bool operator==(const Outcome&) const = default;
};

Outcome run(ByteView input, size_t step) {
  RequestParser parser(kLimits);
  Outcome outcome;
  while (!input.empty()) {
    const ByteView piece = input.first(std::min(step, input.size()));
    input = input.subspan(piece.size());
    parser.feed(piece);
    auto state = parser.next();
    for (; state == RequestParser::State::command; state = parser.next()) {
      KITH_CHECK(!parser.args().empty() && parser.args().size() <= kLimits.max_args);
      append_command(outcome.commands, parser.args());
    }
    if (state == RequestParser::State::refused) {
      outcome.error = parser.error();
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
  const Outcome whole = run(input, input.size());
  KITH_CHECK(run(input, data[0] % 16 + 1) == whole);

  // Inline commands grow when they are written as arrays: under wider limits.
  RequestParser again(RequestLimits{});
  again.feed(whole.commands);
  Bytes second;
  while (again.next() == RequestParser::State::command) append_command(second, again.args());
  KITH_CHECK(again.error().empty() && again.idle() && second == whole.commands);
  return 0;
}
