#include "once/code.h"

#include <algorithm>

#include "base/codec.h"
#include "crypto/hash.h"

namespace kith::once {
namespace {

constexpr std::string_view kIdLabel = "kith once id 1";
constexpr std::string_view kMacLabel = "kith once code 1";
constexpr uint8_t kVersion = 1;
constexpr size_t kMacSize = 16;
constexpr size_t kSigned =
    1 + kGroupSize * Fingerprint::kSize + std::tuple_size_v<decltype(OnceCode::random)> + 8;
constexpr size_t kText = (kSigned + kMacSize) / 3 * 4;
static_assert((kSigned + kMacSize) % 3 == 0 && kText == 92);
constexpr int64_t kMaxExpiry = int64_t{1} << 46;

Bytes mac(const crypto::Secret& key, ByteView content) {
  crypto::Digest digest = crypto::hmac_sha256(key.reveal(), {as_bytes(kMacLabel), content});
  return Bytes(digest.begin(), digest.begin() + kMacSize);
}

}  // namespace

RecordId OnceCode::id() const { return RecordId{.bytes = crypto::sha256({as_bytes(kIdLabel), random})}; }

std::string OnceCode::text(const std::vector<crypto::Secret>& keys) const {
  Bytes bytes;
  Writer writer(bytes);
  writer.u8(kVersion);
  for (size_t i = 0; i < kGroupSize; ++i) writer.id(i < group.size() ? group[i] : Fingerprint{});
  writer.raw(random);
  writer.u64(static_cast<uint64_t>(unix_ms(expires)));
  append(bytes, mac(keys.front(), bytes));
  return base64url(bytes);
}

Result<OnceCode> OnceCode::parse(std::string_view text, const std::vector<crypto::Secret>& keys, WallTime now,
                                 std::chrono::milliseconds expired_for) {
  const Error no_code(Code::invalid, "not a code of this cluster", Side::client);
  if (text.size() != kText) return no_code;
  auto bytes = unbase64url(text);
  if (!bytes) return no_code;
  ByteView content = ByteView(*bytes).first(kSigned);
  bool genuine = false;
  for (const crypto::Secret& key : keys)
    genuine |= crypto::equal_constant_time(mac(key, content), ByteView(*bytes).subspan(kSigned));
  if (!genuine || content[0] != kVersion) return no_code;

  Reader in(content.subspan(1));
  OnceCode out;
  for (size_t i = 0; i < kGroupSize; ++i) {
    auto fingerprint = in.id<Fingerprint>();
    if (!fingerprint.is_zero()) out.group.push_back(fingerprint);
  }
  ByteView random = in.raw(out.random.size());
  std::copy(random.begin(), random.end(), out.random.begin());
  uint64_t expires_ms = in.u64();
  if (expires_ms > static_cast<uint64_t>(kMaxExpiry)) return no_code;
  out.expires = from_unix_ms(static_cast<int64_t>(expires_ms));
  if (now >= out.expires + expired_for) return Error(Code::timeout, "the code has expired", Side::client);
  return out;
}

}  // namespace kith::once
