#include "gateway/session_memo.h"

#include "gateway/session_body.h"

namespace kith::gateway {

namespace {

// Neither owner comes before the other: the same object, were it gone and its address taken again or not.
bool is_same(const std::weak_ptr<const cluster::SessionRecord>& a,
             const std::shared_ptr<const cluster::SessionRecord>& b) {
  return !a.owner_before(b) && !b.owner_before(a);
}

}  // namespace

Result<std::shared_ptr<const Identities>> KnownSession::identities(
    const std::shared_ptr<const cluster::SessionRecord>& record) {
  if (identities_ && is_same(record_, record)) return identities_;
  KITH_TRY(Identities decoded, decode_session_body(record->body));
  auto identities = std::make_shared<const Identities>(std::move(decoded));
  const bool keep = record->body.size() <= kMaxKept;
  record_ = record;
  identities_ = keep ? identities : nullptr;
  return identities;
}

std::shared_ptr<KnownSession> SessionMemo::find(std::string_view text, uint64_t keys) {
  if (keys != keys_) {
    slots_.assign(kSlots, {});
    keys_ = keys;
  }
  // In constant time: how far a guess was right is not to be learned.
  const Slot& found = slot(text);
  return crypto::equal_constant_time(as_bytes(found.text), as_bytes(text)) ? found.known : nullptr;
}

void SessionMemo::note(std::string_view text, std::shared_ptr<KnownSession> known) {
  slot(text) = {.text = std::string(text), .known = std::move(known)};
}

}  // namespace kith::gateway
