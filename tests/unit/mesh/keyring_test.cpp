#include "mesh/keyring.h"

#include <gtest/gtest.h>

namespace kith::mesh {
namespace {

crypto::Secret psk(uint8_t number) { return crypto::Secret(Bytes(kPskSize, number)); }
bool same(const crypto::Secret& a, const crypto::Secret& b) {
  return crypto::equal_constant_time(a.reveal(), b.reveal());
}
Opening opening(Channel channel = Channel::membership, uint8_t challenge = 9) {
  const auto number = static_cast<uint8_t>(channel);
  Opening out{.dialler = Preamble{.kind = Preamble::Kind::dialler, .channel = number}.encode(),
              .acceptor = Preamble{.kind = Preamble::Kind::acceptor, .channel = number}.encode()};
  out.challenge.fill(challenge);
  return out;
}
const Bytes kRandom(16, 7);

TEST(Keyring, FindsTheKeyOfAProofAndNoOther) {
  const Keyring keyring = Keyring::of({psk(1), psk(2)});
  for (size_t i = 0; i < keyring.size(); ++i) {
    const MeshKey* found = keyring.find(opening(), make_proof(keyring.key(i), opening(), kRandom));
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->id, keyring.key(i).id);
  }
  EXPECT_EQ(keyring.find(opening(), make_proof(MeshKey::derive(psk(3)), opening(), kRandom)), nullptr);
}

TEST(Keyring, DerivesSeparateKeysForThePortsAndANameThatIsNoneOfThem) {
  const MeshKey key = MeshKey::derive(psk(1));
  EXPECT_FALSE(same(key.membership, key.data));
  EXPECT_FALSE(same(key.membership, key.identity));
  EXPECT_FALSE(same(key.membership, psk(1)));
  EXPECT_NE(hex(key.identity.reveal()).substr(0, 16), key.id.hex());
  EXPECT_NE(key.id, MeshKey::derive(psk(2)).id);
  EXPECT_EQ(&key.tls(Port::data), &key.data);
}

TEST(Keyring, RefusesEveryFlippedBitOfAProof) {
  const Keyring keyring = Keyring::of({psk(1)});
  const Proof good = make_proof(keyring.offered(), opening(), kRandom);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Proof bad = good;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    EXPECT_EQ(keyring.find(opening(), bad), nullptr);
  }
}

TEST(Keyring, AProofIsGoodForOneChallengeAndOneChannel) {
  const Keyring keyring = Keyring::of({psk(1)});
  const Proof proof = make_proof(keyring.offered(), opening(), kRandom);
  EXPECT_EQ(keyring.find(opening(Channel::membership, 8), proof), nullptr);
  EXPECT_EQ(keyring.find(opening(Channel::urgent), proof), nullptr);
}

TEST(Keyring, RefusesARetiredKeyInAWayThatItsHolderAloneBelieves) {
  const MeshKey old = MeshKey::derive(psk(1));
  const Keyring keyring({MeshKey::derive(psk(2))}, {{old.id, old.identity}});
  const Proof proof = make_proof(old, opening(), kRandom);
  EXPECT_EQ(keyring.find(opening(), proof), nullptr);
  const auto mac = keyring.refuse_retired(opening(), proof);
  ASSERT_TRUE(mac);
  EXPECT_TRUE(is_retired_refusal(old, opening(), proof, *mac));
  EXPECT_FALSE(is_retired_refusal(MeshKey::derive(psk(3)), opening(), proof, *mac));
  EXPECT_FALSE(is_retired_refusal(old, opening(Channel::membership, 8), proof, *mac));
  EXPECT_FALSE(keyring.refuse_retired(opening(), make_proof(MeshKey::derive(psk(3)), opening(), kRandom)));
}

TEST(ProvenKey, IsGivenForItsProofOnly) {
  const MeshKey key = MeshKey::derive(psk(1));
  const Proof proof = make_proof(key, opening(), kRandom);
  ProvenKey proven(proof, key.data);
  ASSERT_TRUE(proven.find(proof));
  EXPECT_TRUE(same(*proven.find(proof), key.data));
  for (size_t size = 0; size < proof.size(); ++size) EXPECT_FALSE(proven.find(ByteView(proof).first(size)));
  Proof other = proof;
  other[0] ^= 1;
  EXPECT_FALSE(proven.find(other));
}

}  // namespace
}  // namespace kith::mesh
