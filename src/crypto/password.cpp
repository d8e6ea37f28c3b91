#include "crypto/password.h"

#include <openssl/evp.h>

#include "base/text.h"
#include "crypto/openssl.h"

namespace kith::crypto {
namespace {

constexpr uint64_t kOurLn = 15, kOurR = 8, kOurP = 1;
constexpr size_t kOurHashSize = 32;
constexpr uint64_t kMinLn = 10, kMaxLn = 20, kMaxR = 16, kMaxP = 4;
constexpr size_t kMinSalt = 8, kMaxSalt = 64, kMinHash = 16, kMaxHash = 64;
constexpr size_t kMaxText = 256;

struct Parsed {
  uint64_t ln, r, p;
  Bytes salt;
  Bytes hash;
};

Error malformed(std::string what) {
  return Error(Code::invalid, "password hash: " + std::move(what), Side::config);
}

// Base64 as the PHC form has it: the usual alphabet, no padding.
std::string unpadded(ByteView bytes) {
  std::string text = base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  return text;
}
std::optional<Bytes> from_unpadded(std::string_view text) {
  if (text.find('=') != text.npos) return std::nullopt;
  std::string padded(text);
  padded.append((4 - padded.size() % 4) % 4, '=');
  return unbase64(padded);
}

Result<uint64_t> parameter(std::string_view text, std::string_view name, uint64_t min, uint64_t max) {
  std::optional<uint64_t> value;
  if (text.size() > name.size() + 1 && text.starts_with(name) && text[name.size()] == '=') {
    value = parse_u64(text.substr(name.size() + 1));
  }
  if (!value || *value < min || *value > max) {
    return malformed(std::string(name) + " must be from " + std::to_string(min) + " to " +
                     std::to_string(max));
  }
  return *value;
}

Result<Parsed> parse(std::string_view text) {
  if (text.size() > kMaxText) return malformed("too long");
  std::vector<std::string_view> parts = split(text, '$');
  if (parts.size() != 5 || !parts[0].empty() || parts[1] != "scrypt") {
    return malformed("must have the form $scrypt$ln=15,r=8,p=1$<salt>$<hash>");
  }
  std::vector<std::string_view> parameters = split(parts[2], ',');
  if (parameters.size() != 3) return malformed("must have the parameters ln, r and p, in this order");
  KITH_TRY(uint64_t ln, parameter(parameters[0], "ln", kMinLn, kMaxLn));
  KITH_TRY(uint64_t r, parameter(parameters[1], "r", 1, kMaxR));
  KITH_TRY(uint64_t p, parameter(parameters[2], "p", 1, kMaxP));
  std::optional<Bytes> salt = from_unpadded(parts[3]);
  std::optional<Bytes> hash = from_unpadded(parts[4]);
  if (!salt || salt->size() < kMinSalt || salt->size() > kMaxSalt) {
    return malformed("salt must be 8 to 64 bytes in base64 without padding");
  }
  if (!hash || hash->size() < kMinHash || hash->size() > kMaxHash) {
    return malformed("hash must be 16 to 64 bytes in base64 without padding");
  }
  return Parsed{ln, r, p, std::move(*salt), std::move(*hash)};
}

// False when the machine has not the memory for it.
bool scrypt(const Secret& password, ByteView salt, uint64_t ln, uint64_t r, uint64_t p, MutableByteView out) {
  constexpr uint64_t kMaxMemory = uint64_t{3} << 30;  // ln=20, r=16 needs 2 GiB (RFC 7914 section 2)
  std::string_view text = password.reveal_text();
  // A null password would mean "only check the parameters" to OpenSSL.
  const char* data = text.empty() ? "" : text.data();
  bool good = EVP_PBE_scrypt(data, text.size(), salt.data(), salt.size(), uint64_t{1} << ln, r, p, kMaxMemory,
                             out.data(), out.size()) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace

std::string hash_password(const Secret& password, ByteView salt16) {
  KITH_CHECK(salt16.size() == 16);
  Bytes hash(kOurHashSize);
  KITH_CHECK(scrypt(password, salt16, kOurLn, kOurR, kOurP, hash));
  return "$scrypt$ln=" + std::to_string(kOurLn) + ",r=" + std::to_string(kOurR) +
         ",p=" + std::to_string(kOurP) + "$" + unpadded(salt16) + "$" + unpadded(hash);
}

Result<void> check_password_hash(std::string_view hash) {
  KITH_TRY([[maybe_unused]] auto parsed, parse(hash));
  return {};
}

bool verify_password(const Secret& password, std::string_view hash) {
  Result<Parsed> parsed = parse(hash);
  if (!parsed) return false;
  Bytes computed(parsed->hash.size());
  return scrypt(password, parsed->salt, parsed->ln, parsed->r, parsed->p, computed) &&
         equal_constant_time(computed, parsed->hash);
}

}  // namespace kith::crypto
