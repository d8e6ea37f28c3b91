#include "resp/request_parser.h"

#include <gtest/gtest.h>

#include "resp/request_writer.h"

namespace kith::resp {
namespace {

using State = RequestParser::State;
using Commands = std::vector<std::vector<std::string>>;

// All commands of a text that arrives in pieces of `step` bytes, and the refusal that ended it, if any.
struct Parsed {
  Commands commands;
  std::string error;
  bool idle = true;
  bool operator==(const Parsed&) const = default;
};
Parsed parse(std::string_view text, size_t step = std::string_view::npos, RequestLimits limits = {}) {
  RequestParser parser(limits);
  Parsed parsed;
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, step);
    text.remove_prefix(piece.size());
    parser.feed(as_bytes(piece));
    State state = parser.next();
    for (; state == State::command; state = parser.next())
      parsed.commands.emplace_back(parser.args().begin(), parser.args().end());
    if (state == State::refused) {
      parsed.error = parser.error();
      break;
    }
  }
  parsed.idle = parser.idle();
  return parsed;
}
std::string error_of(std::string_view text, RequestLimits limits = {}) {
  const Parsed whole = parse(text, std::string_view::npos, limits);
  EXPECT_EQ(parse(text, 1, limits).error, whole.error);
  return whole.error;
}
std::vector<std::string> inline_words(std::string_view line) {
  const Parsed parsed = parse(std::string(line) + "\r\n");
  return parsed.commands.empty() ? std::vector<std::string>{parsed.error} : parsed.commands[0];
}
using Words = std::vector<std::string>;

TEST(RespRequestParser, ReadsAnArrayOfBulkStrings) {
  const Parsed parsed = parse("*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n");
  EXPECT_EQ(parsed.commands, (Commands{{"GET", "a\r\n"}}));
  EXPECT_TRUE(parsed.idle);
}

TEST(RespRequestParser, KnowsThatACommandIsHalfThere) {
  EXPECT_FALSE(parse("*2\r\n$3\r\nGET\r\n$3\r\na").idle);
  EXPECT_TRUE(parse("PING\r\n").idle);
}

TEST(RespRequestParser, ReadsPipelinedCommandsInWhateverPiecesTheyCome) {
  std::string text = "PING\r\n*1\r\n$4\r\nPING\r\n\r\n*0\r\n*-1\r\n*3\r\n$3\r\nSET\r\n$0\r\n\r\n$5\r\n";
  text += std::string("\0\r\n\xff*", 5) + "\r\nget 'a b'\n";
  const Parsed whole = parse(text);
  EXPECT_EQ(whole.commands,
            (Commands{{"PING"}, {"PING"}, {"SET", "", std::string("\0\r\n\xff*", 5)}, {"get", "a b"}}));
  for (size_t step = 1; step < text.size(); ++step) EXPECT_EQ(parse(text, step), whole) << step;
}

TEST(RespRequestParser, ReadsBackWhatAClientWrites) {
  Bytes out;
  append_command(out, {"SET", "key", std::string_view("\0\r\n", 3), ""});
  EXPECT_EQ(parse(as_text(out)).commands, (Commands{{"SET", "key", std::string("\0\r\n", 3), ""}}));
}

TEST(RespRequestParser, ShowsArgumentsWhereTheyWereReceived) {
  RequestParser parser;
  const std::string text = "*2\r\n$3\r\nGET\r\n$3\r\nabc\r\n";
  const MutableByteView room = parser.space();
  ASSERT_GE(room.size(), text.size());
  std::copy(text.begin(), text.end(), room.begin());
  parser.commit(text.size());
  ASSERT_EQ(parser.next(), State::command);
  EXPECT_EQ(static_cast<const void*>(parser.args()[1].data()), room.data() + 17);
}

TEST(RespRequestParser, TakesALargeArgumentInSmallPieces) {
  const std::string value(500 << 10, 'x');
  Bytes out;
  append_command(out, {"SET", "k", value});
  append_command(out, {"PING"});
  const Parsed parsed = parse(as_text(out), 7);
  ASSERT_EQ(parsed.commands.size(), 2u);
  EXPECT_EQ(parsed.commands[0][2], value);
}

TEST(RespRequestParser, SplitsInlineCommandsAsRedis) {
  EXPECT_EQ(inline_words("  set  a\tb  "), (Words{"set", "a", "b"}));
  EXPECT_EQ(inline_words(R"(set "a b" 'c d')"), (Words{"set", "a b", "c d"}));
  EXPECT_EQ(inline_words(R"("\x41\n\r\t\b\a\q\"\\" '\'\n')"), (Words{"A\n\r\t\b\aq\"\\", "'\\n"}));
  EXPECT_EQ(inline_words(R"("\xg1" a"b c" "")"), (Words{"xg1", "ab c", ""}));
  EXPECT_EQ(inline_words(std::string("get a\0 b", 8)), (Words{"get", "a"}));
}

TEST(RespRequestParser, RefusesInlineCommandsWithOpenQuotes) {
  for (std::string_view line : {R"(set "a)", "set 'a", R"(set "a"b)", "set 'a'b", R"(set "a\")", R"(set "\)"})
    EXPECT_EQ(error_of(std::string(line) + "\r\n"), "Protocol error: unbalanced quotes in request") << line;
}

TEST(RespRequestParser, RefusesWithTheWordsOfRedis) {
  EXPECT_EQ(error_of("*x\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(error_of("*01\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(error_of("*99999999999999999999\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(error_of("*1025\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(error_of("*1\rx\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(error_of("*" + std::string(40, '1')), "Protocol error: too big mbulk count string");
  EXPECT_EQ(error_of("*1\r\nx"), "Protocol error: expected '$', got 'x'");
  EXPECT_EQ(error_of("*1\r\n$x\r\n"), "Protocol error: invalid bulk length");
  EXPECT_EQ(error_of("*1\r\n$-1\r\n"), "Protocol error: invalid bulk length");
  EXPECT_EQ(error_of("*1\r\n$524289\r\n"), "Protocol error: invalid bulk length");
  EXPECT_EQ(error_of("*1\r\n$" + std::string(40, '1')), "Protocol error: too big bulk count string");
  EXPECT_EQ(error_of("*1\r\n$1\r\nabc"), "Protocol error: invalid bulk length");
  EXPECT_EQ(error_of(std::string((64 << 10) + 1, 'a')), "Protocol error: too big inline request");
  EXPECT_EQ(error_of(std::string((64 << 10) + 1, 'a') + "\n"), "Protocol error: too big inline request");
}

TEST(RespRequestParser, RefusesACommandWhoseArgumentsAreTooLargeTogether) {
  const std::string bulk = "$400\r\n" + std::string(400, 'x') + "\r\n";
  EXPECT_EQ(error_of("*3\r\n" + bulk + bulk + bulk, {.max_command_bytes = 1000}),
            "Protocol error: invalid bulk length");
}

TEST(RespRequestParser, IsStricterBeforeAuthentication) {
  const RequestLimits limits = RequestLimits::before_auth();
  EXPECT_EQ(error_of("*11\r\n", limits), "Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(error_of("*1\r\n$16385\r\n", limits), "Protocol error: unauthenticated bulk length");
  RequestParser parser(limits);
  parser.feed(as_bytes("PING\r\n*11\r\n"));
  ASSERT_EQ(parser.next(), State::command);
  parser.set_limits({});
  EXPECT_EQ(parser.next(), State::incomplete);
}

TEST(RespRequestParser, StaysRefused) {
  RequestParser parser;
  parser.feed(as_bytes("*x\r\nPING\r\n"));
  EXPECT_EQ(parser.next(), State::refused);
  parser.feed(as_bytes("PING\r\n"));
  EXPECT_EQ(parser.next(), State::refused);
}

}  // namespace
}  // namespace kith::resp
