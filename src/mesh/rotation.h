// Which pre-shared keys this node accepts, which it offers, and when an old one is retired.
//
// Problem: the operator gives each node the new key at another time; some are away, some never get it.
// No link may break and no cookie become unreadable meanwhile. Idea: each node says in its signed record
// which keys it holds, the one that it offers first. The rules, which need no leader:
//   - held: what the configuration names, and what it named before until that is retired;
//   - offered: the most wanted key that every member holds. The order of wanting is the configuration's,
//     then the older ones. With a patience, the most wanted one is offered after that long whatever others
//     hold;
//   - retired: a key that the configuration does not name any more, once for the whole grace nobody has
//     offered it and no link of ours was made with it. It is remembered for a while, to be refused by name.
// A member that went away without a farewell counts for one grace longer.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <variant>
#include <vector>

#include "base/node.h"
#include "base/time.h"
#include "mesh/keyring.h"

namespace kith::mesh {

struct RotationConfig {
  Duration grace = 10min;   // how long an old key is still accepted
  Duration patience = 0ns;  // 0: the new key waits for every member
};

// What a node says of its keys: the first is the one it offers.
using KeyNames = std::vector<KeyId>;

class Rotation {
 public:
  struct Offered {
    KeyId key;
    bool forced;  // not every member holds it
  };
  struct Retired {
    KeyId key;
  };
  // The most wanted key cannot be offered, since these members do not hold it. Said when it changes.
  struct Waiting {
    KeyId key;
    std::vector<NodeId> without;
  };
  using Event = std::variant<Offered, Retired, Waiting>;

  // psks: 1 to kMaxPsks keys of kPskSize bytes, the most wanted first.
  Rotation(const RotationConfig& config, const std::vector<crypto::Secret>& psks, MonoTime now);

  // What the configuration names from now on. True when it is news. Fails, changing nothing, when it is no
  // key or when with the keys that are not retired yet there would be too many (limit).
  Result<bool> reload(const std::vector<crypto::Secret>& psks, MonoTime now);
  void member(NodeId node, const KeyNames& keys, MonoTime now);  // joined, or its record has changed
  void member_gone(NodeId node, bool left, MonoTime now);
  // The keys that our links at this time were made with.
  void handle_timeout(const std::set<KeyId>& in_use, MonoTime now);
  MonoTime poll_timeout() const;
  std::optional<Event> poll_event();

  // A new object after each change.
  const std::shared_ptr<const Keyring>& keyring() const { return keyring_; }
  KeyNames held() const;
  // The pre-shared keys in the order of held().
  std::vector<crypto::Secret> psks() const;

 private:
  struct Key {
    MeshKey mesh;
    crypto::Secret psk;
    bool configured = true;
    MonoTime unwanted_since{};  // when the configuration ceased to name it
    MonoTime idle_since{};      // since when nobody offers or uses it
  };
  struct Peer {
    KeyNames keys;
    std::optional<MonoTime> gone;
  };

  void settle(MonoTime now);
  void choose_offered(MonoTime now);
  void publish();
  std::vector<NodeId> without(const KeyId& key) const;
  bool offered_by_others(const KeyId& key) const;
  bool may_retire(const Key& key, MonoTime now) const;

  const RotationConfig config_;
  std::vector<Key> keys_;  // in the order of wanting
  KeyId offered_;
  MonoTime last_{};        // when the rules were looked at
  MonoTime wanted_since_;  // since when keys_[0] is the most wanted
  std::set<KeyId> in_use_;
  std::deque<RetiredKey> retired_;
  std::map<NodeId, Peer> peers_;
  std::vector<NodeId> said_without_;
  std::deque<Event> events_;
  std::shared_ptr<const Keyring> keyring_;
};

}  // namespace kith::mesh
