#include <gtest/gtest.h>
#include <openssl/hmac.h>

#include "identity/jose/strict_json.h"
#include "identity/jose/token.h"
#include "signer.h"

namespace kith::identity::jose {
namespace {

using testing::key_set;
using testing::make_token;
using testing::other_rsa_key;
using testing::rsa_key;
using testing::SigningKey;
using testing::unsigned_part;

constexpr Algorithm kAll[] = {Algorithm::rs256, Algorithm::rs384, Algorithm::rs512, Algorithm::ps256,
                              Algorithm::ps384, Algorithm::ps512, Algorithm::es256, Algorithm::es384,
                              Algorithm::es512, Algorithm::eddsa};
constexpr char kPayload[] = R"({"sub":"ann"})";

std::string header(Algorithm algorithm, const std::string& kid) {
  return R"({"alg":")" + std::string(name_of(algorithm)) + R"(","kid":")" + kid + R"("})";
}

KeySet keys(const std::string& jwks) {
  Result<KeySet> set = KeySet::parse(key_set(jwks));
  EXPECT_TRUE(set);
  return *set;
}

Code failure(const std::string& token, const KeySet& set, AlgorithmSet allowed = AlgorithmSet::all()) {
  Result<Token> verified = verify_token(token, set, allowed);
  EXPECT_FALSE(verified) << token;
  return verified ? Code::internal : verified.error().code();
}

TEST(Token, VerifiesUnderEachAlgorithmAndUnderNoOtherKey) {
  for (Algorithm algorithm : kAll) {
    SCOPED_TRACE(name_of(algorithm));
    bool is_rsa = key_type_of(algorithm) == KeyType::rsa;
    std::optional<SigningKey> fresh, another;
    if (!is_rsa) {
      fresh = SigningKey::for_algorithm(algorithm);
      another = SigningKey::for_algorithm(algorithm);
    }
    const SigningKey& key = is_rsa ? rsa_key() : *fresh;
    const SigningKey& other = is_rsa ? other_rsa_key() : *another;
    std::string token = make_token(key, algorithm, header(algorithm, "k"), kPayload);
    Result<Token> verified = verify_token(token, keys(key.jwk("k")), AlgorithmSet::all());
    ASSERT_TRUE(verified) << verified.error().message();
    EXPECT_EQ(find_string(verified->claims, "sub"), "ann");
    EXPECT_EQ(verified->header.algorithm, algorithm);
    EXPECT_EQ(failure(token, keys(other.jwk("k"))), Code::unauthenticated);
  }
}

TEST(Token, IsRefusedUnderAnAlgorithmThatIsNotOnTheIssuersList) {
  std::string token = make_token(rsa_key(), Algorithm::rs256, header(Algorithm::rs256, "k"), kPayload);
  AlgorithmSet only;
  only.add(Algorithm::es256);
  EXPECT_EQ(failure(token, keys(rsa_key().jwk("k")), only), Code::invalid);
}

TEST(Token, NoneIsNoAlgorithmInAnySpelling) {
  for (const char* alg : {"none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "rs256", "RS1",
                          "ES256K", "PBES2-HS256+A128KW", "dir", "RSA1_5"}) {
    std::string input = unsigned_part(R"({"alg":")" + std::string(alg) + R"(","kid":"k"})", kPayload);
    EXPECT_EQ(failure(input + ".", keys(rsa_key().jwk("k"))), Code::invalid) << alg;
    EXPECT_EQ(failure(input + ".AAAA", keys(rsa_key().jwk("k"))), Code::invalid) << alg;
  }
}

// The classic confusion: the public key, which everybody knows, used as an HMAC secret.
TEST(Token, APublicKeyIsNeverAnHmacSecret) {
  std::string input = unsigned_part(R"({"alg":"HS256","kid":"k"})", kPayload);
  for (const std::string& secret : {rsa_key().public_pem(), rsa_key().jwk("k")}) {
    unsigned size = 0;
    Bytes mac(EVP_MAX_MD_SIZE);
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), as_bytes(input).data(), input.size(),
         mac.data(), &size);
    mac.resize(size);
    EXPECT_EQ(failure(input + "." + base64url(mac), keys(rsa_key().jwk("k"))), Code::invalid);
  }
}

TEST(Token, TheHeadersTypeMustFitTheKeysType) {
  SigningKey ec = SigningKey::ec("P-256");
  std::string token = make_token(ec, Algorithm::es256, header(Algorithm::es256, "k"), kPayload);
  EXPECT_EQ(failure(token, keys(rsa_key().jwk("k"))), Code::not_found);
  // A curve is part of the type.
  SigningKey p384 = SigningKey::ec("P-384");
  EXPECT_EQ(failure(token, keys(p384.jwk("k"))), Code::not_found);
}

TEST(Token, NoKeyOrAddressInTheHeaderIsEverUsed) {
  const SigningKey& evil = other_rsa_key();
  for (const std::string& member :
       {R"("jwk":)" + evil.jwk("k"), std::string(R"("jku":"https://evil.example/keys")"),
        std::string(R"("x5u":"https://evil.example/cert")")}) {
    std::string head = R"({"alg":"RS256","kid":"k",)" + member + "}";
    EXPECT_EQ(failure(make_token(evil, Algorithm::rs256, head, kPayload), keys(rsa_key().jwk("k"))),
              Code::invalid);
    EXPECT_EQ(failure(make_token(rsa_key(), Algorithm::rs256, head, kPayload), keys(rsa_key().jwk("k"))),
              Code::invalid);
  }
  std::string chain = R"({"alg":"RS256","kid":"k","x5c":["MIIB"]})";
  EXPECT_EQ(failure(make_token(evil, Algorithm::rs256, chain, kPayload), keys(rsa_key().jwk("k"))),
            Code::unauthenticated);
}

TEST(Token, AHeaderThatChangesTheRulesIsRefused) {
  for (const char* member : {R"("crit":["exp"],"exp":1)", R"("crit":[])", R"("b64":false)",
                             R"("b64":false,"crit":["b64"])", R"("zip":"DEF")"}) {
    std::string head = R"({"alg":"RS256","kid":"k",)" + std::string(member) + "}";
    std::string token = make_token(rsa_key(), Algorithm::rs256, head, kPayload);
    EXPECT_EQ(failure(token, keys(rsa_key().jwk("k"))), Code::invalid) << member;
  }
}

TEST(Token, AHeaderOfTheWrongShapeIsRefused) {
  for (const char* head :
       {"", "null", "[]", "\"RS256\"", "{", "{}", R"({"alg":256})", R"({"alg":["RS256"]})",
        R"({"alg":"RS256","alg":"RS256"})", R"({"alg":"none","alg":"RS256"})", R"({"alg":"RS256","kid":7})",
        R"({"alg":"RS256","kid":""})", R"({"alg":"RS256","typ":1})", R"({"alg":"RS256"} {"alg":"RS256"})"}) {
    std::string token = make_token(rsa_key(), Algorithm::rs256, head, kPayload);
    EXPECT_EQ(failure(token, keys(rsa_key().jwk("k"))), Code::invalid) << head;
  }
}

TEST(Token, HasExactlyThreeStrictParts) {
  KeySet set = keys(rsa_key().jwk("k"));
  std::string good = make_token(rsa_key(), Algorithm::rs256, header(Algorithm::rs256, "k"), kPayload);
  ASSERT_TRUE(verify_token(good, set, AlgorithmSet::all()));
  size_t dot = good.find('.'), last = good.rfind('.');
  std::string two = good.substr(0, last), head = good.substr(0, dot), rest = good.substr(dot);
  for (const std::string& bad : {std::string(),
                                 std::string("."),
                                 std::string(".."),
                                 two,
                                 two + ".",
                                 good + ".",
                                 good + ".x",
                                 "." + good,
                                 good + "=",
                                 good + "==",
                                 head + "=" + rest,
                                 good + " ",
                                 " " + good,
                                 good + "\n",
                                 head + "." + rest,
                                 two + "." + good.substr(last + 1, 341) + "B",
                                 head + "\n" + rest,
                                 head + "+" + rest,
                                 head + std::string(1, '\0') + rest,
                                 two + ".AAAA" + good.substr(last)}) {
    Result<Token> verified = verify_token(bad, set, AlgorithmSet::all());
    EXPECT_FALSE(verified) << bad;
  }
}

TEST(Token, IsRefusedAbove16KiBBeforeAnythingElse) {
  std::string payload = R"({"a":")" + std::string(kMaxTokenBytes, 'a') + "\"}";
  std::string token = make_token(rsa_key(), Algorithm::rs256, header(Algorithm::rs256, "k"), payload);
  EXPECT_EQ(failure(token, keys(rsa_key().jwk("k"))), Code::limit);
}

TEST(Token, AnyFlippedBitOfItIsFatal) {
  SigningKey key = SigningKey::ed25519();
  KeySet set = keys(key.jwk("k"));
  const std::string good = make_token(key, Algorithm::eddsa, header(Algorithm::eddsa, "k"), kPayload);
  ASSERT_TRUE(verify_token(good, set, AlgorithmSet::all()));
  for (size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      EXPECT_FALSE(verify_token(bad, set, AlgorithmSet::all())) << "byte " << i << " bit " << bit;
    }
  }
}

TEST(Token, ClaimsAreOneObjectWithoutRepeatedNames) {
  for (const char* payload : {"null", "[]", "1", "{", R"({"sub":"a","sub":"b"})", R"({"a":{"b":1,"b":2}})",
                              R"({"a":[{"b":1,"\u0062":2}]})", "{\"a\":\"\xff\"}"}) {
    std::string token = make_token(rsa_key(), Algorithm::rs256, header(Algorithm::rs256, "k"), payload);
    EXPECT_EQ(failure(token, keys(rsa_key().jwk("k"))), Code::invalid) << payload;
  }
}

TEST(Token, AnEcdsaSignatureIsTwoNumbersOfFixedSize) {
  SigningKey key = SigningKey::ec("P-256");
  KeySet set = keys(key.jwk("k"));
  std::string input = unsigned_part(header(Algorithm::es256, "k"), kPayload);
  Bytes raw = key.sign(Algorithm::es256, input);
  Bytes longer = raw;
  longer.insert(longer.begin(), 0);
  longer.insert(longer.begin() + 33, 0);
  EXPECT_TRUE(verify_token(input + "." + base64url(raw), set, AlgorithmSet::all()));
  for (const Bytes& bad :
       {Bytes(64, 0), Bytes(64, 0xff), longer, Bytes(raw.begin(), raw.end() - 1), Bytes(1, 0)}) {
    EXPECT_EQ(failure(input + "." + base64url(bad), set), Code::unauthenticated);
  }
}

TEST(Token, WithoutKidTakesTheOneKeyThatFitsAndRefusesAChoice) {
  std::string token = make_token(rsa_key(), Algorithm::rs256, R"({"alg":"RS256"})", kPayload);
  SigningKey ec = SigningKey::ec("P-256");
  EXPECT_TRUE(verify_token(token, keys(rsa_key().jwk("a") + "," + ec.jwk("b")), AlgorithmSet::all()));
  EXPECT_EQ(failure(token, keys(rsa_key().jwk("a") + "," + other_rsa_key().jwk("b"))), Code::invalid);
  EXPECT_EQ(failure(token, keys(other_rsa_key().jwk("a"))), Code::not_found);  // maybe rotated: ask again
}

TEST(KeySet, LeavesOutWhatIsNotForVerifying) {
  std::string rsa = rsa_key().jwk("ok");
  std::string point_off_curve =
      R"({"kty":"EC","crv":"P-256","kid":"off","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
      R"("y":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"})";
  KeySet set =
      keys(rsa + "," + rsa_key().jwk("enc", R"(,"use":"enc")") + "," +
           rsa_key().jwk("ops", R"(,"key_ops":["encrypt"])") + "," +
           rsa_key().jwk("alg", R"(,"alg":"RSA-OAEP")") + "," + rsa_key().jwk("es", R"(,"alg":"ES256")") +
           R"(,{"kty":"oct","kid":"h","k":"AAAA"},{"kty":"RSA","kid":"n","n":"AAAA","e":"AQAB"})" +
           R"(,{"kty":"OKP","crv":"X25519","x":"AAAA"},{"kty":"RSA","kid":"one"},{})");
  ASSERT_EQ(set.keys().size(), 1u);
  EXPECT_EQ(set.keys()[0].kid, "ok");
  SigningKey ec = SigningKey::ec("P-256");
  std::string token = make_token(ec, Algorithm::es256, header(Algorithm::es256, "off"), kPayload);
  EXPECT_EQ(failure(token, keys(point_off_curve)), Code::unauthenticated);
}

TEST(KeySet, RefusesSmallRsaKeysAndOddExponents) {
  SigningKey small = SigningKey::rsa(1024);
  EXPECT_TRUE(keys(small.jwk("k")).keys().empty());
  std::string weak = rsa_key().jwk("k");
  weak.replace(weak.find("AQAB"), 4, "AQ");
  EXPECT_TRUE(keys(weak).keys().empty());
}

TEST(KeySet, AKeyForOneAlgorithmServesNoOther) {
  KeySet set = keys(rsa_key().jwk("k", R"(,"alg":"PS256","use":"sig")"));
  EXPECT_EQ(failure(make_token(rsa_key(), Algorithm::rs256, header(Algorithm::rs256, "k"), kPayload), set),
            Code::not_found);
  EXPECT_TRUE(verify_token(make_token(rsa_key(), Algorithm::ps256, header(Algorithm::ps256, "k"), kPayload),
                           set, AlgorithmSet::all()));
}

TEST(KeySet, IsRefusedWhenItIsNoneOrTooLarge) {
  for (const char* text : {"", "[]", "{}", R"({"keys":{}})", R"({"keys":[1]})", R"({"keys":[],"keys":[]})"}) {
    EXPECT_FALSE(KeySet::parse(text)) << text;
  }
  std::string many = "{}";
  for (size_t i = 0; i < kMaxKeys; ++i) many += ",{}";
  EXPECT_EQ(KeySet::parse(key_set(many)).error().code(), Code::limit);
  EXPECT_EQ(KeySet::parse(std::string(kMaxKeySetBytes + 1, ' ')).error().code(), Code::limit);
}

TEST(StrictJson, ReadsDatesWithFractionsAndRefusesAbsurdOnes) {
  JsonLimits limits;
  auto date = [&](const std::string& value) {
    json::object object = *parse_strict_object(R"({"exp":)" + value + "}", limits);
    return optional_date(object, "exp");
  };
  EXPECT_EQ(unix_ms(**date("1300819380")), 1300819380000);
  EXPECT_EQ(unix_ms(**date("1300819380.5")), 1300819380500);
  EXPECT_EQ(unix_ms(**date("1.3e9")), 1300000000000);
  for (const char* bad : {"-1", "\"1300819380\"", "null", "true", "1e300", "18446744073709551615", "[1]"}) {
    EXPECT_FALSE(date(bad)) << bad;
  }
}

}  // namespace
}  // namespace kith::identity::jose
