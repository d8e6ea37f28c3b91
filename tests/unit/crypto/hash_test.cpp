#include "crypto/hash.h"

#include <gtest/gtest.h>

namespace kith::crypto {
namespace {

Bytes range(int first, int last) {
  Bytes bytes;
  for (int i = first; i <= last; ++i) bytes.push_back(static_cast<uint8_t>(i));
  return bytes;
}

TEST(Sha256, HashesTheVectorsOfFips180) {
  EXPECT_EQ(hex(sha256(as_bytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256(ByteView{})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, HashesPiecesAsTheirConcatenation) {
  EXPECT_EQ(sha256({as_bytes("a"), ByteView{}, as_bytes("bc")}), sha256(as_bytes("abc")));
}

TEST(Hmac, MatchesTheVectorsOfRfc4231) {
  struct Vector {
    Bytes key;
    Bytes data;
    const char* mac;
  };
  const Vector kVectors[] = {
      {Bytes(20, 0x0b), to_bytes("Hi There"),
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {to_bytes("Jefe"), to_bytes("what do ya want for nothing?"),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {Bytes(20, 0xaa), Bytes(50, 0xdd), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {range(1, 25), Bytes(50, 0xcd), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {Bytes(131, 0xaa), to_bytes("Test Using Larger Than Block-Size Key - Hash Key First"),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {Bytes(131, 0xaa),
       to_bytes(
           "This is a test using a larger than block-size key and a larger than block-size data. The key "
           "needs to be hashed before being used by the HMAC algorithm."),
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  for (const Vector& vector : kVectors) {
    EXPECT_EQ(hex(hmac_sha256(vector.key, vector.data)), vector.mac);
    ByteView data = vector.data;
    EXPECT_EQ(hex(hmac_sha256(vector.key, {data.first(3), data.subspan(3)})), vector.mac);
  }
}

TEST(Hmac, TakesAnEmptyKey) {
  EXPECT_EQ(hex(hmac_sha256(ByteView{}, ByteView{})),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Hkdf, MatchesTheVectorsOfRfc5869) {
  Bytes info1 = range(0xf0, 0xf9);
  EXPECT_EQ(hex(hkdf(Bytes(22, 0x0b), range(0, 0x0c), as_text(info1), 42).reveal()),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  Bytes info2 = range(0xb0, 0xff);
  EXPECT_EQ(hex(hkdf(range(0, 0x4f), range(0x60, 0xaf), as_text(info2), 82).reveal()),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
            "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
  EXPECT_EQ(hex(hkdf(Bytes(22, 0x0b), {}, "", 42).reveal()),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(Secret, ComparesInConstantTimeAndByLengthFirst) {
  EXPECT_TRUE(equal_constant_time(as_bytes("same"), as_bytes("same")));
  EXPECT_FALSE(equal_constant_time(as_bytes("same"), as_bytes("sane")));
  EXPECT_FALSE(equal_constant_time(as_bytes("same"), as_bytes("sam")));
  EXPECT_TRUE(equal_constant_time({}, {}));
}

TEST(Secret, WipesItsMemory) {
  Bytes memory = to_bytes("hunter2");
  wipe(memory);
  EXPECT_EQ(memory, Bytes(7, 0));
  wipe({});
}

TEST(Secret, CopiesAreIndependentAndMovesLeaveNothing) {
  Secret first(std::string_view("one"));
  Secret second = first;
  Secret third = std::move(first);
  EXPECT_EQ(second.reveal_text(), "one");
  EXPECT_EQ(third.reveal_text(), "one");
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): what is tested
}

}  // namespace
}  // namespace kith::crypto
