#include "crypto/aead.h"

#include <gtest/gtest.h>

namespace kith::crypto {
namespace {

const Secret kKey(Bytes(32, 7));
const AeadNonce kNonce = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

TEST(Aead, SealsAsTheVectorsOfTheGcmSpecification) {
  Secret zero(Bytes(32, 0));  // test cases 13 and 14
  EXPECT_EQ(hex(aead_seal(zero, AeadNonce{}, {}, {})),
            "000000000000000000000000530f8afbc74536b9a963b4f1c4cb738b");
  EXPECT_EQ(hex(aead_seal(zero, AeadNonce{}, Bytes(16, 0), {})),
            "000000000000000000000000cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
}

TEST(Aead, OpensWhatItSealed) {
  for (size_t size : {0u, 1u, 16u, 1000u}) {
    Bytes plain(size, 'x');
    auto opened = aead_open(kKey, aead_seal(kKey, kNonce, plain, as_bytes("context")), as_bytes("context"));
    ASSERT_TRUE(opened);
    EXPECT_EQ(*opened, plain);
  }
}

TEST(Aead, RefusesEveryFlippedBitAndEveryCut) {
  const Bytes sealed = aead_seal(kKey, kNonce, as_bytes("attack at dawn"), as_bytes("context"));
  for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes bad = sealed;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    auto opened = aead_open(kKey, bad, as_bytes("context"));
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), Code::unauthenticated);
  }
  for (size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(aead_open(kKey, ByteView(sealed).first(size), as_bytes("context")));
  }
}

TEST(Aead, RefusesAnotherContextAndAnotherKey) {
  const Bytes sealed = aead_seal(kKey, kNonce, as_bytes("attack at dawn"), as_bytes("context"));
  EXPECT_FALSE(aead_open(kKey, sealed, as_bytes("other")));
  EXPECT_FALSE(aead_open(kKey, sealed, {}));
  EXPECT_FALSE(aead_open(Secret(Bytes(32, 8)), sealed, as_bytes("context")));
}

}  // namespace
}  // namespace kith::crypto
