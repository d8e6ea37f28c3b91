#include "mesh/rotation.h"

#include <gtest/gtest.h>

namespace kith::mesh {
namespace {

crypto::Secret psk(uint8_t number) { return crypto::Secret(Bytes(kPskSize, number)); }
KeyId name(uint8_t number) { return MeshKey::derive(psk(number)).id; }
NodeId node(uint8_t number) {
  NodeId id;
  id.bytes.fill(number);
  return id;
}
constexpr MonoTime kStart{Duration(1h)};
constexpr RotationConfig kConfig{.grace = 10s, .patience = 0ns};

// What happened, in words.
std::vector<std::string> story(Rotation& rotation) {
  std::vector<std::string> out;
  while (auto event = rotation.poll_event()) {
    if (auto* offered = std::get_if<Rotation::Offered>(&*event))
      out.push_back((offered->forced ? "forced " : "offered ") + offered->key.hex());
    if (auto* retired = std::get_if<Rotation::Retired>(&*event))
      out.push_back("retired " + retired->key.hex());
    if (auto* waiting = std::get_if<Rotation::Waiting>(&*event))
      out.push_back("waiting " + waiting->key.hex() + " " + std::to_string(waiting->without.size()));
  }
  return out;
}
using Story = std::vector<std::string>;

TEST(Rotation, OffersTheFirstKeyAndHoldsAll) {
  Rotation rotation(kConfig, {psk(1), psk(2)}, kStart);
  EXPECT_EQ(rotation.held(), (KeyNames{name(1), name(2)}));
  EXPECT_EQ(rotation.keyring()->offered().id, name(1));
  EXPECT_EQ(rotation.poll_timeout(), kNever);
  EXPECT_TRUE(story(rotation).empty());
}

TEST(Rotation, OffersTheNewKeyWhenTheLastMemberHoldsItAndRetiresTheOldOneAfterTheGrace) {
  Rotation rotation(kConfig, {psk(1)}, kStart);
  rotation.member(node(2), {name(1)}, kStart);
  rotation.member(node(3), {name(1)}, kStart);
  ASSERT_TRUE(rotation.reload({psk(2)}, kStart).value());
  EXPECT_EQ(rotation.held(), (KeyNames{name(1), name(2)}));  // the old one is offered and accepted still
  EXPECT_EQ(story(rotation), (Story{"waiting " + name(2).hex() + " 2"}));
  rotation.member(node(2), {name(1), name(2)}, kStart + 1s);
  EXPECT_EQ(story(rotation), (Story{"waiting " + name(2).hex() + " 1"}));
  rotation.member(node(3), {name(1), name(2)}, kStart + 2s);
  EXPECT_EQ(story(rotation), (Story{"offered " + name(2).hex()}));
  EXPECT_EQ(rotation.held(), (KeyNames{name(2), name(1)}));

  // Others still offer the old one, then a link is still made with it: the grace begins after both.
  rotation.handle_timeout({name(1)}, kStart + 60s);
  rotation.member(node(2), {name(2), name(1)}, kStart + 61s);
  rotation.member(node(3), {name(2), name(1)}, kStart + 61s);
  rotation.handle_timeout({name(1), name(2)}, kStart + 62s);
  rotation.handle_timeout({name(2)}, kStart + 71s);
  EXPECT_TRUE(story(rotation).empty());
  rotation.handle_timeout({name(2)}, kStart + 72s);
  EXPECT_EQ(story(rotation), (Story{"retired " + name(1).hex()}));
  EXPECT_EQ(rotation.held(), (KeyNames{name(2)}));
  EXPECT_EQ(rotation.poll_timeout(), kNever);
}

TEST(Rotation, AloneItOffersTheNewKeyAtOnce) {
  Rotation rotation(kConfig, {psk(1)}, kStart);
  EXPECT_TRUE(rotation.reload({psk(2)}, kStart).value());
  EXPECT_EQ(rotation.keyring()->offered().id, name(2));
  EXPECT_FALSE(rotation.reload({psk(2)}, kStart).value());  // no news
}

TEST(Rotation, AMemberThatCrashedCountsForOneGraceAndOneThatLeftDoesNot) {
  for (bool left : {false, true}) {
    Rotation rotation(kConfig, {psk(1)}, kStart);
    rotation.member(node(2), {name(1)}, kStart);
    rotation.member_gone(node(2), left, kStart);
    EXPECT_TRUE(rotation.reload({psk(2)}, kStart + 1s));
    EXPECT_EQ(rotation.keyring()->offered().id, left ? name(2) : name(1));
    rotation.handle_timeout({}, kStart + 10s);
    EXPECT_EQ(rotation.keyring()->offered().id, name(2));
  }
}

TEST(Rotation, AKeyThatTheConfigurationNamesIsNeverRetired) {
  Rotation rotation(kConfig, {psk(1)}, kStart);
  EXPECT_TRUE(rotation.reload({psk(2), psk(1)}, kStart));
  rotation.handle_timeout({}, kStart + 1h);
  EXPECT_EQ(rotation.held(), (KeyNames{name(2), name(1)}));
  EXPECT_TRUE(rotation.reload({psk(2)}, kStart + 1h));
  rotation.handle_timeout({}, kStart + 1h + 10s);
  EXPECT_EQ(rotation.held(), KeyNames{name(2)});
}

TEST(Rotation, ARotationThatIsTakenBackEndsWhereItBegan) {
  Rotation rotation(kConfig, {psk(1)}, kStart);
  rotation.member(node(2), {name(1)}, kStart);
  EXPECT_TRUE(rotation.reload({psk(2)}, kStart));
  EXPECT_TRUE(rotation.reload({psk(1)}, kStart + 1s));
  EXPECT_EQ(rotation.keyring()->offered().id, name(1));
  rotation.handle_timeout({}, kStart + 11s);
  EXPECT_EQ(rotation.held(), KeyNames{name(1)});
}

TEST(Rotation, ALateMemberWithTheOldKeyAloneMakesTheOldKeyTheOfferedOneAgain) {
  Rotation rotation(kConfig, {psk(1)}, kStart);
  EXPECT_TRUE(rotation.reload({psk(2)}, kStart));
  rotation.member(node(2), {name(1)}, kStart + 1s);
  EXPECT_EQ(rotation.keyring()->offered().id, name(1));
  rotation.handle_timeout({name(1)}, kStart + 1h);
  EXPECT_EQ(rotation.held(), (KeyNames{name(1), name(2)}));
}

TEST(Rotation, WithAPatienceTheNewKeyIsOfferedAndTheOldOneRetiredWhateverOthersHold) {
  Rotation rotation({.grace = 10s, .patience = 30s}, {psk(1)}, kStart);
  rotation.member(node(2), {name(1)}, kStart);
  EXPECT_TRUE(rotation.reload({psk(2)}, kStart));
  rotation.handle_timeout({name(1)}, kStart + 29s);
  EXPECT_EQ(rotation.keyring()->offered().id, name(1));
  (void)story(rotation);
  rotation.handle_timeout({name(1)}, kStart + 30s);
  EXPECT_EQ(story(rotation), (Story{"forced " + name(2).hex()}));
  rotation.handle_timeout({name(1)}, kStart + 40s);
  EXPECT_EQ(story(rotation), (Story{"retired " + name(1).hex()}));
}

TEST(Rotation, RefusesWhatIsNoKeyAndWhatIsTooManyAndChangesNothing) {
  Rotation rotation(kConfig, {psk(1)}, kStart);
  EXPECT_FALSE(rotation.reload({}, kStart));
  EXPECT_FALSE(rotation.reload({crypto::Secret(Bytes(31, 1))}, kStart));
  rotation.member(node(2), {name(1)}, kStart);
  for (uint8_t i = 2; i <= kMaxPsks; ++i) EXPECT_TRUE(rotation.reload({psk(i)}, kStart));
  auto refused = rotation.reload({psk(100)}, kStart);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::limit);
  EXPECT_EQ(rotation.held().size(), kMaxPsks);
}

TEST(Rotation, RemembersTheLastRetiredKeysToRefuseThemByName) {
  Rotation rotation({.grace = 0ns, .patience = 0ns}, {psk(1)}, kStart);
  for (uint8_t i = 2; i < 10; ++i) {
    EXPECT_TRUE(rotation.reload({psk(i)}, kStart));
    rotation.handle_timeout({}, kStart + 1s * i);
  }
  EXPECT_EQ(rotation.held(), KeyNames{name(9)});
  const auto refuses = [&](uint8_t number) {
    return rotation.keyring()
        ->refuse_retired({}, make_proof(MeshKey::derive(psk(number)), {}, Bytes(16, 1)))
        .has_value();
  };
  for (uint8_t i = 5; i < 9; ++i) EXPECT_TRUE(refuses(i)) << int{i};
  for (uint8_t i = 1; i < 5; ++i) EXPECT_FALSE(refuses(i)) << int{i};
  EXPECT_TRUE(rotation.reload({psk(8)}, kStart + 1h));  // an old one may come back
  EXPECT_FALSE(refuses(8));
}

}  // namespace
}  // namespace kith::mesh
