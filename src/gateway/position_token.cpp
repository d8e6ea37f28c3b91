#include "gateway/position_token.h"

#include "base/codec.h"
#include "crypto/hash.h"

namespace kith::gateway {

namespace {

constexpr std::string_view kVersion = "1.";
constexpr std::string_view kLabel = "kith session cookie 1";
constexpr size_t kIdText = 43;        // 32 bytes in base64url
constexpr size_t kPositionSize = 24;  // prefix, incarnation, seq
constexpr size_t kMacSize = 16;
constexpr size_t kPositionText = 54;  // 40 bytes in base64url
constexpr size_t kCookieText = kVersion.size() + kIdText + 1 + kPositionText;
static_assert(kCookieText < 120);

Bytes position_bytes(const PositionToken& position) {
  Bytes bytes;
  Writer writer(bytes);
  writer.id(position.origin);
  writer.u64(position.incarnation);
  writer.u64(position.seq);
  return bytes;
}

std::array<uint8_t, kMacSize> mac(const crypto::Secret& key, const SessionId& id, ByteView position) {
  crypto::Digest digest = crypto::hmac_sha256(key.reveal(), {as_bytes(kLabel), id.view(), position});
  std::array<uint8_t, kMacSize> cut;
  std::copy_n(digest.begin(), cut.size(), cut.begin());
  return cut;
}

}  // namespace

PositionToken PositionToken::of(const Dot& dot) {
  PositionToken token{.origin = {}, .incarnation = dot.origin.incarnation, .seq = dot.seq};
  std::copy_n(dot.origin.node.bytes.begin(), NodePrefix::kSize, token.origin.bytes.begin());
  return token;
}

cluster::SessionKey session_key(const SessionId& id) {
  return cluster::SessionKey{.bytes = crypto::sha256(id.view())};
}

std::string encode_session_cookie(const SessionCookie& cookie, const std::vector<crypto::Secret>& keys) {
  Bytes position = position_bytes(cookie.position);
  auto tag = mac(keys.front(), cookie.id, position);
  append(position, tag);
  return std::string(kVersion) + base64url(cookie.id.view()) + "." + base64url(position);
}

std::optional<SessionCookie> decode_session_cookie(std::string_view text,
                                                   const std::vector<crypto::Secret>& keys) {
  if (text.size() != kCookieText || !text.starts_with(kVersion)) return std::nullopt;
  text.remove_prefix(kVersion.size());
  if (text[kIdText] != '.') return std::nullopt;
  auto id_bytes = unbase64url(text.substr(0, kIdText));
  auto token = unbase64url(text.substr(kIdText + 1));
  if (!id_bytes || !token || token->size() != kPositionSize + kMacSize) return std::nullopt;
  auto id = SessionId::from(*id_bytes);
  if (!id) return std::nullopt;

  ByteView position = ByteView(*token).first(kPositionSize);
  bool genuine = false;
  bool old_key = false;
  for (const crypto::Secret& key : keys) {
    auto tag = mac(key, *id, position);
    const bool fits = crypto::equal_constant_time(tag, ByteView(*token).subspan(kPositionSize));
    if (fits) old_key = &key != &keys.front();
    genuine |= fits;
  }
  if (!genuine) return std::nullopt;

  Reader reader(position);
  SessionCookie cookie{.id = *id, .position = {}, .old_key = old_key};
  cookie.position.origin = reader.id<NodePrefix>();
  cookie.position.incarnation = reader.u64();
  cookie.position.seq = reader.u64();
  return cookie;
}

}  // namespace kith::gateway
