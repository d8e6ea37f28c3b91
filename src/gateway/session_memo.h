// What the session cookies and records in use decode to. A browser sends the same cookie with each of its
// requests and its session's record seldom changes; to verify and decode both anew each time took a third of
// the CPU time of a request.
//
// It answers nothing that the keys and the store would not: a cookie is found only by its whole text, and only
// while the keys it was verified with hold; its identities only for the very record that the store gives now.
// Of one loop.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/session_store.h"
#include "gateway/position_token.h"
#include "identity/connector.h"

namespace kith::gateway {

using Identities = std::vector<identity::Identity>;

// A session as a genuine cookie names it.
class KnownSession {
 public:
  // Longer bodies are decoded each time, so that the memo's memory has a bound.
  static constexpr size_t kMaxKept = 8 << 10;

  KnownSession(SessionCookie cookie, std::string reference)
      : cookie_(cookie), key_(session_key(cookie.id)), reference_(std::move(reference)) {}

  const SessionCookie& cookie() const { return cookie_; }
  const cluster::SessionKey& key() const { return key_; }
  const std::string& reference() const { return reference_; }  // what logs show of it

  // What the session's record holds. invalid when it cannot be read.
  Result<std::shared_ptr<const Identities>> identities(
      const std::shared_ptr<const cluster::SessionRecord>& record);
  void forget_identities() { identities_.reset(); }

  // Whether this node has once had all writes up to the cookie's position; then it has them for good.
  bool covered() const { return covered_; }
  void note_covered() { covered_ = true; }

 private:
  SessionCookie cookie_;
  cluster::SessionKey key_;
  std::string reference_;
  bool covered_ = false;
  std::weak_ptr<const cluster::SessionRecord> record_;  // what identities_ was decoded from
  std::shared_ptr<const Identities> identities_;
};

class SessionMemo {
 public:
  // At most so many, each in the one place its text hashes to: where two meet, the later one stays.
  static constexpr size_t kSlots = 4096;

  // keys: the generation of the keys that hold now; nothing is known from before. Null: not known.
  std::shared_ptr<KnownSession> find(std::string_view text, uint64_t keys);
  void note(std::string_view text, std::shared_ptr<KnownSession> known);

 private:
  struct Slot {
    std::string text;
    std::shared_ptr<KnownSession> known;
  };
  Slot& slot(std::string_view text) { return slots_[std::hash<std::string_view>()(text) % kSlots]; }

  std::vector<Slot> slots_ = std::vector<Slot>(kSlots);
  uint64_t keys_ = 0;
};

}  // namespace kith::gateway
