#include "gateway/transaction.h"

#include <algorithm>

#include "base/codec.h"

namespace kith::gateway {

namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kStateText = 32;  // kStateBytes in base64url
constexpr size_t kMaxRemembered = 32;
constexpr size_t kMaxFieldBytes = Sealer::kMaxText;

Bytes encode(const Transaction& transaction) {
  Bytes bytes;
  Writer writer(bytes);
  writer.u8(kVersion);
  writer.string(transaction.connector);
  writer.string(transaction.state);
  writer.string(transaction.return_target);
  writer.u64(static_cast<uint64_t>(unix_ms(transaction.created)));
  writer.varint(transaction.remembered.size());
  for (const auto& [name, value] : transaction.remembered) {
    writer.string(name);
    writer.string(value);
  }
  return bytes;
}

std::optional<Transaction> decode(ByteView bytes) {
  Reader reader(bytes);
  if (reader.u8() != kVersion) return std::nullopt;
  Transaction transaction;
  transaction.connector = reader.string(kMaxFieldBytes);
  transaction.state = reader.string(kStateText);
  transaction.return_target = reader.string(kMaxFieldBytes);
  transaction.created = from_unix_ms(static_cast<int64_t>(reader.u64()));
  uint64_t count = reader.varint();
  if (count > kMaxRemembered) return std::nullopt;
  for (uint64_t i = 0; i < count && reader.ok(); ++i) {
    std::string name = reader.string(kMaxFieldBytes);
    transaction.remembered[std::move(name)] = reader.string(kMaxFieldBytes);
  }
  if (!reader.done()) return std::nullopt;
  return transaction;
}

bool is_open(const Transaction& transaction, WallTime now) {
  return now - transaction.created < Transactions::kLifetime &&
         transaction.created - now < Transactions::kLifetime;  // begun by a node whose clock is ahead
}

}  // namespace

std::string Transactions::new_state() {
  std::array<uint8_t, kStateBytes> random;
  entropy_.fill(random);
  return base64url(random);
}

std::string Transactions::cookie_name(std::string_view state) const {
  return cookies_.transaction_prefix().append(state.substr(0, 8));
}

std::optional<Transaction> Transactions::open(const http::Headers& request, const std::string& name) const {
  http::CookieLookup found = http::find_cookie(request, name);
  if (!found.value) return std::nullopt;
  auto plain = sealer_.open(*found.value, name);
  return plain ? decode(*plain) : std::nullopt;
}

Result<std::vector<std::string>> Transactions::begin(const http::Headers& request,
                                                     const Transaction& transaction) {
  std::string name = cookie_name(transaction.state);
  std::string value = sealer_.seal(encode(transaction), name);
  if (name.size() + value.size() > Sealer::kMaxText)
    return Error(Code::limit, "login state too large for a cookie");
  std::vector<std::string> headers = {cookies_.set_short(name, value, kLifetime)};

  std::vector<std::pair<WallTime, std::string>> open_ones;
  for (std::string& other : cookie_names(request)) {
    if (!other.starts_with(cookies_.transaction_prefix())) continue;
    auto opened = open(request, other);
    if (opened && is_open(*opened, transaction.created)) {
      open_ones.emplace_back(opened->created, std::move(other));
    } else {
      headers.push_back(cookies_.expire_short(other));
    }
  }
  std::sort(open_ones.begin(), open_ones.end());
  for (size_t i = 0; open_ones.size() - i >= kMaxOpen; ++i) {
    headers.push_back(cookies_.expire_short(open_ones[i].second));
  }
  return headers;
}

Result<Transaction> Transactions::find(const http::Headers& request, std::string_view state,
                                       WallTime now) const {
  Error none(Code::not_found, "no such login in this browser", Side::client);
  if (state.size() != kStateText || !unbase64url(state)) return none;
  auto transaction = open(request, cookie_name(state));
  if (!transaction || !is_open(*transaction, now)) return none;
  if (!crypto::equal_constant_time(as_bytes(transaction->state), as_bytes(state))) return none;
  return std::move(*transaction);
}

std::string Transactions::end(const Transaction& transaction) const {
  return cookies_.expire_short(cookie_name(transaction.state));
}

}  // namespace kith::gateway
