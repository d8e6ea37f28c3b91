// Replies: what the writer writes in each protocol, and what the parser makes of it.
#include <gtest/gtest.h>

#include <limits>

#include "resp/reply_parser.h"
#include "resp/reply_writer.h"

namespace kith::resp {
namespace {

using State = ReplyParser::State;
using Type = Reply::Type;

Reply bulk(std::string text) { return {.type = Type::bulk, .text = std::move(text)}; }
Reply number(int64_t value) { return {.type = Type::integer, .number = value}; }
Reply list(Type type, std::vector<Reply> items) { return {.type = type, .items = std::move(items)}; }

struct Parsed {
  std::vector<Reply> replies;
  std::string error;
  bool operator==(const Parsed&) const = default;
};
Parsed parse(std::string_view text, size_t step = std::string_view::npos, ReplyLimits limits = {}) {
  ReplyParser parser(limits);
  Parsed parsed;
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, step);
    text.remove_prefix(piece.size());
    parser.feed(as_bytes(piece));
    State state = parser.next();
    for (; state == State::reply; state = parser.next()) parsed.replies.push_back(parser.take());
    if (state == State::refused) {
      parsed.error = std::string(parser.error());
      break;
    }
  }
  return parsed;
}
// The one reply of a text, however it is cut.
Reply reply_of(std::string_view text) {
  const Parsed whole = parse(text);
  EXPECT_EQ(whole.error, "") << text;
  for (size_t step = 1; step < text.size(); ++step) EXPECT_EQ(parse(text, step), whole) << step;
  EXPECT_EQ(whole.replies.size(), 1u) << text;
  return whole.replies.empty() ? Reply{} : whole.replies[0];
}
bool refused(std::string_view text, ReplyLimits limits = {}) {
  const Parsed whole = parse(text, std::string_view::npos, limits);
  EXPECT_EQ(parse(text, 1, limits), whole) << text;
  return !whole.error.empty();
}

Bytes written(Protocol protocol) {
  Bytes out;
  ReplyWriter writer(out, protocol);
  writer.push(18);
  writer.simple("OK");
  writer.error("ERR no\r\n+OK");
  writer.integer(std::numeric_limits<int64_t>::min());
  writer.bulk("");
  writer.null();
  writer.null_array();
  writer.boolean(true);
  writer.boolean(false);
  writer.real(1.5);
  writer.real(-std::numeric_limits<double>::infinity());
  writer.big_number("-123456789012345678901234567890");
  writer.verbatim("txt", "a\r\nb");
  writer.array(0);
  writer.map(1);
  writer.bulk("k");
  writer.integer(1);
  writer.set(1);
  writer.integer(2);
  writer.array(1);
  writer.array(1);
  writer.bulk(Bytes{0, 255});
  writer.bulk("last");
  writer.real(std::numeric_limits<double>::quiet_NaN());
  return out;
}

TEST(RespReply, IsReadBackInRESP3) {
  Bytes out = written(Protocol::resp3);
  Parsed parsed = parse(as_text(out));
  ASSERT_EQ(parsed.error, "");
  ASSERT_EQ(parsed.replies.size(), 1u);
  Reply& push = parsed.replies[0];
  ASSERT_EQ(push.items.size(), 18u);
  EXPECT_TRUE(std::isnan(push.items.back().real));
  push.items.pop_back();
  const Reply expected =
      list(Type::push, {{.type = Type::simple, .text = "OK"},
                        {.type = Type::error, .text = "ERR no  +OK"},
                        number(std::numeric_limits<int64_t>::min()),
                        bulk(""),
                        {},
                        {},
                        {.type = Type::boolean, .number = 1},
                        {.type = Type::boolean, .number = 0},
                        {.type = Type::real, .real = 1.5},
                        {.type = Type::real, .real = -std::numeric_limits<double>::infinity()},
                        {.type = Type::big_number, .text = "-123456789012345678901234567890"},
                        {.type = Type::verbatim, .text = "a\r\nb"},
                        list(Type::array, {}),
                        list(Type::map, {bulk("k"), number(1)}),
                        list(Type::set, {number(2)}),
                        list(Type::array, {list(Type::array, {bulk(std::string("\0\xff", 2))})}),
                        bulk("last")});
  EXPECT_EQ(push, expected);
}

TEST(RespReply, IsWrittenForRESP2WithItsFewerTypes) {
  const std::string expected =
      std::string(
          "*18\r\n+OK\r\n-ERR no  +OK\r\n:-9223372036854775808\r\n$0\r\n\r\n$-1\r\n*-1\r\n:1\r\n:0\r\n"
          "$3\r\n1.5\r\n$4\r\n-inf\r\n$31\r\n-123456789012345678901234567890\r\n$4\r\na\r\nb\r\n"
          "*0\r\n*2\r\n$1\r\nk\r\n:1\r\n*1\r\n:2\r\n*1\r\n*1\r\n$2\r\n") +
      std::string("\0\xff", 2) + "\r\n$4\r\nlast\r\n$3\r\nnan\r\n";
  EXPECT_EQ(as_text(written(Protocol::resp2)), expected);
  EXPECT_EQ(reply_of(expected).items.size(), 18u);
}

TEST(RespReply, IsReadInWhateverPiecesItComes) {
  EXPECT_EQ(reply_of("$5\r\na\r\nbc\r\n"), bulk("a\r\nbc"));
  EXPECT_EQ(reply_of("!8\r\nERR a\r\nb\r\n"), (Reply{.type = Type::error, .text = "ERR a\r\nb"}));
  EXPECT_EQ(reply_of("*2\r\n%1\r\n+a\r\n:-1\r\n~0\r\n"),
            list(Type::array,
                 {list(Type::map, {{.type = Type::simple, .text = "a"}, number(-1)}), list(Type::set, {})}));
  EXPECT_EQ(reply_of(":+7\r\n"), number(7));
  EXPECT_EQ(reply_of(",+1e3\r\n"), (Reply{.type = Type::real, .real = 1000}));
}

TEST(RespReply, ComesOneAfterTheOther) {
  EXPECT_EQ(parse("+OK\r\n>1\r\n+x\r\n:1\r\n$-1\r\n", 3).replies.size(), 4u);
}

TEST(RespReply, IsReadWithoutItsAttributes) {
  EXPECT_EQ(reply_of("|1\r\n+ttl\r\n*1\r\n:3600\r\n*2\r\n:1\r\n|1\r\n+a\r\n|0\r\n:5\r\n:2\r\n"),
            list(Type::array, {number(1), number(2)}));
  EXPECT_EQ(reply_of("|0\r\n:1\r\n"), number(1));
}

TEST(RespReply, IsRefusedWhenItIsMalformed) {
  for (std::string_view text : {"x\r\n",          "\r\n",         "+a\n\r\n",
                                "+a\rb\r\n",      ":\r\n",        ":1a\r\n",
                                ":01\r\n",        ":--1\r\n",     ":99999999999999999999\r\n",
                                "$-2\r\n",        "$+1\r\n",      "$1\r\nabc",
                                "$?\r\n",         "*?\r\n",       "*-2\r\n",
                                "_x\r\n",         "#x\r\n",       "#\r\n",
                                ",\r\n",          ",1x\r\n",      "(1x\r\n",
                                "(\r\n",          "(-\r\n",       "=3\r\ntxt\r\n",
                                "=4\r\ntxt \r\n", "=-1\r\n",      "!-1\r\n",
                                "%-1\r\n",        "*1\r\n>1\r\n", ";1\r\n",
                                ".\r\n"})
    EXPECT_TRUE(refused(text)) << text;
}

TEST(RespReply, IsRefusedBeforeMemoryIsTakenForWhatItClaims) {
  EXPECT_TRUE(refused("*9223372036854775807\r\n"));
  EXPECT_TRUE(refused("%9223372036854775807\r\n"));
  EXPECT_TRUE(refused("%4611686018427387904\r\n"));
  EXPECT_TRUE(refused("$9223372036854775807\r\n"));
  EXPECT_TRUE(refused("*65536\r\n"));
  EXPECT_FALSE(refused("*65535\r\n"));
  EXPECT_TRUE(
      refused("*2\r\n*40000\r\n"
              ":1\r\n",
              {.max_elements = 40002}));
  EXPECT_TRUE(refused("$10\r\n0123456789\r\n", {.max_bytes = 16}));
  EXPECT_FALSE(refused("$10\r\n0123456789\r\n", {.max_bytes = 17}));
  EXPECT_TRUE(refused("+" + std::string((64 << 10) + 1, 'a')));
  std::string empty_attributes;
  for (int i = 0; i < 100; ++i) empty_attributes += "|0\r\n";
  EXPECT_TRUE(refused(empty_attributes, {.max_elements = 50}));
}

TEST(RespReply, IsRefusedForALimitOrForItsForm) {
  ReplyParser large({.max_bytes = 16});
  large.feed(as_bytes("$10\r\n"));
  EXPECT_EQ(large.next(), State::refused);
  EXPECT_TRUE(large.over_limit());
  ReplyParser malformed;
  malformed.feed(as_bytes("$x\r\n"));
  EXPECT_EQ(malformed.next(), State::refused);
  EXPECT_FALSE(malformed.over_limit());
}

TEST(RespReply, IsRefusedWhenItIsTooDeep) {
  std::string text;
  for (int i = 0; i < 8; ++i) text += "*1\r\n";
  EXPECT_FALSE(refused(text + ":1\r\n"));
  EXPECT_TRUE(refused(text + "*1\r\n"));
}

TEST(RespReply, ShowsItsPartsToWhoeverAsks) {
  EXPECT_EQ(reply_of("-MOVED 1 a:1\r\n").error_code(), "MOVED");
  EXPECT_EQ(reply_of("-ERR\r\n").error_code(), "ERR");
  const Reply pairs = reply_of("*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n");
  ASSERT_NE(pairs.find("b"), nullptr);
  EXPECT_EQ(pairs.find("b")->number, 2);
  EXPECT_EQ(pairs.find("c"), nullptr);
}

}  // namespace
}  // namespace kith::resp
