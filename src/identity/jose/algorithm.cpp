#include "identity/jose/algorithm.h"

#include <openssl/evp.h>

#include <array>
#include <string>

#include "base/text.h"

namespace kith::identity::jose {
namespace {

struct Row {
  Algorithm algorithm;
  std::string_view name;
  KeyType key;
  int hash_bits;
};
constexpr std::array<Row, 10> kRows = {{
    {Algorithm::rs256, "RS256", KeyType::rsa, 256},
    {Algorithm::rs384, "RS384", KeyType::rsa, 384},
    {Algorithm::rs512, "RS512", KeyType::rsa, 512},
    {Algorithm::ps256, "PS256", KeyType::rsa, 256},
    {Algorithm::ps384, "PS384", KeyType::rsa, 384},
    {Algorithm::ps512, "PS512", KeyType::rsa, 512},
    {Algorithm::es256, "ES256", KeyType::ec_p256, 256},
    {Algorithm::es384, "ES384", KeyType::ec_p384, 384},
    {Algorithm::es512, "ES512", KeyType::ec_p521, 512},
    {Algorithm::eddsa, "EdDSA", KeyType::ed25519, 512},
}};

const Row& row_of(Algorithm algorithm) { return kRows[static_cast<size_t>(algorithm)]; }

}  // namespace

std::string_view name_of(Algorithm algorithm) { return row_of(algorithm).name; }
KeyType key_type_of(Algorithm algorithm) { return row_of(algorithm).key; }

std::optional<Algorithm> algorithm_named(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.algorithm;
  }
  return std::nullopt;
}

AlgorithmSet AlgorithmSet::all() {
  AlgorithmSet set;
  for (const Row& row : kRows) set.add(row.algorithm);
  return set;
}

Result<AlgorithmSet> AlgorithmSet::named(const std::vector<std::string>& names) {
  if (names.empty()) return all();
  AlgorithmSet set;
  for (const std::string& name : names) {
    std::optional<Algorithm> algorithm = algorithm_named(name);
    if (!algorithm) {
      return Error(Code::invalid, "'" + printable(name, 40) + "' is not a signature algorithm for tokens",
                   Side::config);
    }
    set.add(*algorithm);
  }
  return set;
}

std::string half_hash(Algorithm algorithm, std::string_view value) {
  int bits = row_of(algorithm).hash_bits;
  const EVP_MD* digest = bits == 256 ? EVP_sha256() : bits == 384 ? EVP_sha384() : EVP_sha512();
  std::array<uint8_t, EVP_MAX_MD_SIZE> hash{};
  unsigned size = 0;
  KITH_CHECK(EVP_Digest(value.data(), value.size(), hash.data(), &size, digest, nullptr) == 1);
  return base64url(ByteView(hash).first(size / 2));
}

}  // namespace kith::identity::jose
