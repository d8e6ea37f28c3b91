#include "cache/executor.h"

#include <gtest/gtest.h>

#include <random>

namespace kith::cache {
namespace {

using Words = std::vector<std::string_view>;

TEST(Batch, ReadsBackWhatWasPutIn) {
  Batch batch;
  batch.add(0, Words{"get", "a"});
  batch.add(15, Words{"SET", "", std::string_view("\0b", 2)});
  const auto items = Batch::parse(batch.view());
  ASSERT_TRUE(items);
  ASSERT_EQ(items->size(), 2u);
  EXPECT_EQ((*items)[0].command->name, "get");
  EXPECT_EQ((*items)[1].database, 15);
  EXPECT_EQ((*items)[1].args, (Words{"SET", "", std::string_view("\0b", 2)}));
}

TEST(Batch, RefusesWhatNoConnectionWouldHaveTaken) {
  auto parsed = [](int database, Words words) {
    Batch batch;
    batch.add(database, words);
    return Batch::parse(batch.view()).has_value();
  };
  EXPECT_TRUE(parsed(0, {"GET", "a"}));
  EXPECT_FALSE(parsed(16, {"GET", "a"}));
  EXPECT_FALSE(parsed(0, {"GET"}));
  EXPECT_FALSE(parsed(0, {"NOSUCH", "a"}));
  EXPECT_FALSE(parsed(0, {"AUTH", "a"})) << "it is about a connection";
  EXPECT_FALSE(parsed(0, {}));
}

TEST(Batch, RefusesEveryPieceOfItself) {
  Batch batch;
  batch.add(0, Words{"GET", "a"});
  batch.add(1, Words{"SET", "key", "value"});
  const ByteView whole = batch.view();
  Batch first;
  first.add(0, Words{"GET", "a"});
  for (size_t size = 1; size < whole.size(); ++size)
    EXPECT_EQ(Batch::parse(whole.first(size)).has_value(), size == first.view().size()) << size;
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes(whole.begin(), whole.end());
    for (int j = 0; j < 3; ++j) bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    (void)Batch::parse(bytes);
  }
}

TEST(Commands, AreFoundInAnyCaseAndHaveAnArity) {
  ASSERT_NE(find_command("GeT"), nullptr);
  EXPECT_EQ(find_command("GeT"), find_command("get"));
  for (std::string_view name : {"", "ge", "gett", "nosuchcommandofthatname"})
    EXPECT_EQ(find_command(name), nullptr);
  for (const Command& command : all_commands()) {
    EXPECT_EQ(find_command(command.name), &command);
    EXPECT_EQ(command.run == nullptr, command.place == Place::connection) << command.name;
    EXPECT_NE(command.arity, 0);
  }
}

// What decides goes to a key's home, what does not stays here.
TEST(Commands, KnowWhatAsksForTheValueBefore) {
  auto place = [](Words words) { return place_of(*find_command(words[0]), words); };
  EXPECT_EQ(place({"GET", "a"}), Place::read);
  EXPECT_EQ(place({"SET", "a", "1"}), Place::write);
  EXPECT_EQ(place({"SET", "a", "1", "EX", "10"}), Place::write);
  EXPECT_EQ(place({"SET", "a", "1", "nonsense"}), Place::write);
  for (std::string_view option : {"NX", "xx", "GET", "KEEPTTL"})
    EXPECT_EQ(place({"SET", "a", "1", option}), Place::decide);
  EXPECT_EQ(place({"GETEX", "a"}), Place::read);
  EXPECT_EQ(place({"GETEX", "a", "PERSIST"}), Place::decide);
  EXPECT_EQ(place({"INCR", "a"}), Place::decide);
  EXPECT_EQ(place({"MSET", "a", "1"}), Place::write);
}

TEST(Expiry, IsInRedissRange) {
  const WallTime now = from_unix_ms(1'800'000'000'000);
  EXPECT_EQ(expiry(10, {1000, false}, now), now + std::chrono::seconds(10));
  EXPECT_EQ(expiry(10, {1, true}, now), from_unix_ms(10));
  EXPECT_EQ(expiry(-5, {1000, true}, now), from_unix_ms(0));
  EXPECT_EQ(expiry(INT64_MAX, {1000, false}, now), std::nullopt);
  EXPECT_EQ(expiry(INT64_MAX, {1, false}, now), std::nullopt);
  EXPECT_EQ(expiry(INT64_MAX, {1, true}, now), from_unix_ms(store::kMaxTimeMs));
  EXPECT_EQ(expiry(INT64_MIN, {1000, true}, now), std::nullopt);
}

TEST(Numbers, AreStrict) {
  EXPECT_EQ(parse_number("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(parse_number("0"), 0);
  for (std::string_view text : {"", " 1", "1 ", "+1", "01", "-0", "1.0", "9223372036854775808", "-"})
    EXPECT_EQ(parse_number(text), std::nullopt) << text;
}

}  // namespace
}  // namespace kith::cache
