#include "crypto/ed25519.h"

#include <gtest/gtest.h>

namespace kith::crypto {
namespace {

TEST(Ed25519, SignsTheVectorsOfRfc8032) {
  struct Vector {
    const char *seed, *pub, *message, *signature;
  };
  const Vector kVectors[] = {
      {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
       "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
       "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf"
       "5f0"
       "595bbe24655141438e7a100b"},
      {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
       "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
       "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2"
       "eae"
       "b4302aeeb00d291612bb0c00"},
      {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
       "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
       "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c1"
       "5e9"
       "716ed28dc027beceea1ec40a"},
  };
  for (const Vector& vector : kVectors) {
    SigningKey key = SigningKey::from_seed(*unhex(vector.seed));
    Bytes message = *unhex(vector.message);
    EXPECT_EQ(hex(key.public_key()), vector.pub);
    EXPECT_EQ(hex(key.sign(message)), vector.signature);
    EXPECT_TRUE(verify(key.public_key(), message, key.sign(message)));
  }
}

TEST(Ed25519, RefusesEveryFlippedBitOfTheSignature) {
  SigningKey key = SigningKey::from_seed(Bytes(32, 1));
  const Signature good = key.sign(as_bytes("message"));
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Signature bad = good;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    EXPECT_FALSE(verify(key.public_key(), as_bytes("message"), bad));
  }
}

TEST(Ed25519, RefusesAnotherMessageAnotherKeyAndAKeyThatIsNoPoint) {
  SigningKey key = SigningKey::from_seed(Bytes(32, 1));
  Signature signature = key.sign(as_bytes("message"));
  EXPECT_FALSE(verify(key.public_key(), as_bytes("massage"), signature));
  EXPECT_FALSE(verify(SigningKey::from_seed(Bytes(32, 2)).public_key(), as_bytes("message"), signature));
  PublicKey nonsense;
  nonsense.fill(0xff);
  EXPECT_FALSE(verify(nonsense, as_bytes("message"), signature));
}

TEST(Ed25519, ReadsBackThePemItWrote) {
  SigningKey key = SigningKey::from_seed(Bytes(32, 3));
  Secret pem = key.to_pem();
  EXPECT_TRUE(pem.reveal_text().starts_with("-----BEGIN PRIVATE KEY-----\n"));
  auto again = SigningKey::from_pem(pem.reveal_text());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->public_key(), key.public_key());
}

TEST(Ed25519, RefusesPemOfAnotherKindWithAClearMessage) {
  // Curve P-256.
  auto other = SigningKey::from_pem(
      "-----BEGIN PRIVATE KEY-----\n"
      "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\n"
      "OF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r\n"
      "1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G\n"
      "-----END PRIVATE KEY-----\n");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().message(), "private key is not an Ed25519 key");
  EXPECT_FALSE(SigningKey::from_pem(""));
  EXPECT_FALSE(SigningKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"));
  EXPECT_FALSE(SigningKey::from_pem(std::string(20 << 10, '-')));
}

}  // namespace
}  // namespace kith::crypto
