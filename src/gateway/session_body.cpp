#include "gateway/session_body.h"

#include "base/codec.h"
#include "crypto/hash.h"

namespace kith::gateway {

namespace {

constexpr uint8_t kVersion = 1;

Result<void> write_identity(Writer& writer, const identity::Identity& identity) {
  if (identity.claims.size() > kMaxClaims) return Error(Code::limit, "too many claims");
  for (const std::string* text : {&identity.connector, &identity.issuer, &identity.subject, &identity.sid,
                                  &identity.acr, &identity.id_token}) {
    writer.string(*text);
  }
  writer.u64(static_cast<uint64_t>(unix_ms(identity.authenticated)));
  writer.varint(identity.claims.size());
  for (const auto& [name, claim] : identity.claims) {
    if (claim.values.size() > kMaxClaimValues) return Error(Code::limit, "too many values of a claim");
    writer.string(name);
    writer.u8(claim.list ? 1 : 0);
    writer.varint(claim.values.size());
    for (const std::string& value : claim.values) writer.string(value);
  }
  return {};
}

// A count, refused above max before anything is allocated for it.
size_t read_count(Reader& reader, size_t max) {
  uint64_t count = reader.varint();
  if (count > max) reader.fail();
  return reader.ok() ? static_cast<size_t>(count) : 0;
}

identity::Identity read_identity(Reader& reader) {
  identity::Identity identity;
  for (std::string* text : {&identity.connector, &identity.issuer, &identity.subject, &identity.sid,
                            &identity.acr, &identity.id_token}) {
    *text = reader.string(kMaxSessionBody);
  }
  identity.authenticated = from_unix_ms(static_cast<int64_t>(reader.u64()));
  size_t claims = read_count(reader, kMaxClaims);
  for (size_t i = 0; i < claims && reader.ok(); ++i) {
    std::string name = reader.string(kMaxSessionBody);
    identity::Claim claim;
    uint8_t list = reader.u8();
    if (list > 1) reader.fail();
    claim.list = list == 1;
    size_t values = read_count(reader, kMaxClaimValues);
    for (size_t j = 0; j < values && reader.ok(); ++j) claim.values.push_back(reader.string(kMaxSessionBody));
    if (!identity.claims.emplace(std::move(name), std::move(claim)).second) reader.fail();
  }
  return identity;
}

}  // namespace

store::Key scope_of(std::string_view connector, std::string_view subject) {
  Bytes text;
  Writer writer(text);
  writer.string("kith scope subject 1");
  writer.string(connector);
  writer.string(subject);
  return *store::Key::from(crypto::sha256(text));
}

Result<Bytes> encode_session_body(const std::vector<identity::Identity>& identities) {
  if (identities.size() > kMaxIdentities) return Error(Code::limit, "too many identities in a session");
  Bytes body;
  Writer writer(body);
  writer.u8(kVersion);
  writer.varint(identities.size());
  for (const identity::Identity& identity : identities) KITH_TRY_VOID(write_identity(writer, identity));
  if (body.size() > kMaxSessionBody) return Error(Code::limit, "claims too large for a session");
  return body;
}

Result<std::vector<identity::Identity>> decode_session_body(ByteView body) {
  Reader reader(body);
  if (body.size() > kMaxSessionBody || reader.u8() != kVersion) {
    return Error(Code::invalid, "session body of an unknown version");
  }
  std::vector<identity::Identity> identities;
  size_t count = read_count(reader, kMaxIdentities);
  for (size_t i = 0; i < count && reader.ok(); ++i) identities.push_back(read_identity(reader));
  if (!reader.done()) return Error(Code::invalid, "malformed session body");
  return identities;
}

}  // namespace kith::gateway
