#include "crypto/password.h"

#include <gtest/gtest.h>

namespace kith::crypto {
namespace {

// "pleaseletmein", "SodiumChloride", N=16384, r=8, p=1 (RFC 7914 section 12).
const std::string kVector =
    "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$"
    "cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw";

TEST(Password, VerifiesTheVectorOfRfc7914) {
  EXPECT_TRUE(verify_password(Secret(std::string_view("pleaseletmein")), kVector));
  EXPECT_FALSE(verify_password(Secret(std::string_view("pleaseletmeim")), kVector));
  EXPECT_FALSE(verify_password(Secret(), kVector));
}

TEST(Password, VerifiesWhatItHashedEvenTheEmptyOne) {
  for (const Secret& password : {Secret(std::string_view("correct horse")), Secret()}) {
    std::string hash = hash_password(password, Bytes(16, 5));
    EXPECT_TRUE(check_password_hash(hash));
    EXPECT_TRUE(hash.starts_with("$scrypt$ln=15,r=8,p=1$"));
    EXPECT_TRUE(verify_password(password, hash));
    EXPECT_FALSE(verify_password(Secret(std::string_view("battery staple")), hash));
  }
}

TEST(Password, RefusesParametersThatWouldExhaustTheMachineOrProtectNothing) {
  const std::string tail = "$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf047/2o+7qQT44+qbVD9lRdofI";
  EXPECT_TRUE(check_password_hash("$scrypt$ln=20,r=16,p=4" + tail));
  for (const char* parameters :
       {"ln=21,r=8,p=1", "ln=15,r=17,p=1", "ln=15,r=8,p=5", "ln=9,r=8,p=1", "ln=15,r=0,p=1", "ln=15,r=8,p=0",
        "ln=-1,r=8,p=1", "ln=,r=8,p=1", "r=8,ln=15,p=1", "ln=15,r=8", "ln=15,r=8,p=1,q=1",
        "ln=99999999999999999999,r=8,p=1"}) {
    EXPECT_FALSE(check_password_hash(std::string("$scrypt$") + parameters + tail)) << parameters;
  }
}

TEST(Password, RefusesMalformedTextWithoutHashing) {
  const std::string head = "$scrypt$ln=15,r=8,p=1";
  const std::string salt = "$U29kaXVtQ2hsb3JpZGU";
  const std::string hash = "$cCO9yzr9c0hGHAbNgf047/2o+7qQT44+qbVD9lRdofI";
  ASSERT_TRUE(check_password_hash(head + salt + hash));
  for (const std::string& bad :
       {std::string(), std::string("plain"), head + salt, head + salt + hash + "$", "x" + head + salt + hash,
        head + "$" + hash, head + salt + "$", head + salt + hash + "=", head + salt + "$AAAA",
        std::string("$argon2id$ln=15,r=8,p=1") + salt + hash, head + salt + hash + std::string(300, 'A')}) {
    EXPECT_FALSE(check_password_hash(bad)) << bad;
    EXPECT_FALSE(verify_password(Secret(std::string_view("x")), bad)) << bad;
  }
}

}  // namespace
}  // namespace kith::crypto
