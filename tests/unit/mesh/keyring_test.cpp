#include "mesh/keyring.h"

#include <gtest/gtest.h>

namespace kith::mesh {
namespace {

crypto::Secret psk(uint8_t number) { return crypto::Secret(Bytes(kPskSize, number)); }
bool same(const crypto::Secret& a, const crypto::Secret& b) {
  return crypto::equal_constant_time(a.reveal(), b.reveal());
}

TEST(Keyring, FindsTheKeyOfItsOwnOffer) {
  Keyring keyring({psk(1), psk(2)});
  for (Channel channel : {Channel::membership, Channel::urgent, Channel::bulk}) {
    crypto::PskOffer offer = keyring.offer(channel, Bytes(16, 7));
    auto found = keyring.find(port_of(channel), offer.identity);
    ASSERT_TRUE(found);
    EXPECT_TRUE(same(*found, offer.key));
  }
}

TEST(Keyring, AcceptsAllKeysButOffersTheFirst) {
  Keyring before({psk(1)}), during({psk(2), psk(1)}), after({psk(2)});
  Bytes random(16, 7);
  EXPECT_TRUE(during.find(Port::data, before.offer(Channel::bulk, random).identity));
  EXPECT_TRUE(during.find(Port::data, after.offer(Channel::bulk, random).identity));
  EXPECT_TRUE(after.find(Port::data, during.offer(Channel::bulk, random).identity));
  EXPECT_FALSE(before.find(Port::data, during.offer(Channel::bulk, random).identity));
}

TEST(Keyring, DerivesSeparateKeysForThePorts) {
  Keyring keyring({psk(1)});
  crypto::PskOffer membership = keyring.offer(Channel::membership, Bytes(16, 7));
  crypto::PskOffer urgent = keyring.offer(Channel::urgent, Bytes(16, 7));
  crypto::PskOffer bulk = keyring.offer(Channel::bulk, Bytes(16, 7));
  EXPECT_FALSE(same(membership.key, urgent.key));
  EXPECT_TRUE(same(urgent.key, bulk.key));
  EXPECT_FALSE(same(membership.key, psk(1)));
  EXPECT_NE(membership.identity, urgent.identity);
}

TEST(Keyring, RefusesEveryFlippedBitAndEveryOtherLengthOfAnIdentity) {
  Keyring keyring({psk(1)});
  const Bytes good = keyring.offer(Channel::membership, Bytes(16, 7)).identity;
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    EXPECT_FALSE(keyring.find(Port::membership, bad));
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(keyring.find(Port::membership, ByteView(good).first(size)));
  }
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(keyring.find(Port::membership, longer));
}

TEST(KeyFinder, TellsAnUnknownKeyFromTheOtherPort) {
  auto keyring = std::make_shared<const Keyring>(std::vector{psk(1)});
  Bytes random(16, 7);
  KeyFinder idle(keyring, Port::membership);
  EXPECT_EQ(idle.outcome(), KeyFinder::Outcome::not_asked);
  KeyFinder right(keyring, Port::membership);
  EXPECT_TRUE(right.find(keyring->offer(Channel::membership, random).identity));
  EXPECT_EQ(right.outcome(), KeyFinder::Outcome::found);
  KeyFinder crossed(keyring, Port::membership);
  EXPECT_FALSE(crossed.find(keyring->offer(Channel::urgent, random).identity));
  EXPECT_EQ(crossed.outcome(), KeyFinder::Outcome::wrong_port);
  KeyFinder stranger(keyring, Port::membership);
  EXPECT_FALSE(stranger.find(Keyring({psk(2)}).offer(Channel::membership, random).identity));
  EXPECT_EQ(stranger.outcome(), KeyFinder::Outcome::unknown);
}

TEST(KeyFinder, LooksAtFewIdentitiesOnly) {
  auto keyring = std::make_shared<const Keyring>(std::vector{psk(1)});
  KeyFinder finder(keyring, Port::membership);
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(finder.find(Bytes(33, 1)));
  EXPECT_FALSE(finder.find(keyring->offer(Channel::membership, Bytes(16, 7)).identity));
}

}  // namespace
}  // namespace kith::mesh
