#include "mesh/rotation.h"

#include <algorithm>

#include "base/check.h"
#include "base/take.h"

namespace kith::mesh {
namespace {

// How often the rules are looked at while something waits for time to pass.
constexpr Duration kLook = 100ms;

bool contains(const KeyNames& names, const KeyId& key) {
  return std::find(names.begin(), names.end(), key) != names.end();
}

}  // namespace

Rotation::Rotation(const RotationConfig& config, const std::vector<crypto::Secret>& psks, MonoTime now)
    : config_(config), wanted_since_(now) {
  auto loaded = reload(psks, now);
  KITH_CHECK(loaded);
  events_.clear();  // to begin is no change
}

Result<bool> Rotation::reload(const std::vector<crypto::Secret>& psks, MonoTime now) {
  if (psks.empty()) return Error(Code::invalid, "no pre-shared key", Side::config);
  std::vector<Key> next;
  const auto holds = [](const std::vector<Key>& keys, const KeyId& id) {
    return std::any_of(keys.begin(), keys.end(), [&](const Key& key) { return key.mesh.id == id; });
  };
  for (const crypto::Secret& psk : psks) {
    if (psk.size() != kPskSize) return Error(Code::invalid, "a pre-shared key has 32 bytes", Side::config);
    Key key{.mesh = MeshKey::derive(psk), .psk = psk};
    if (!holds(next, key.mesh.id)) next.push_back(std::move(key));
  }
  const size_t configured = next.size();
  for (const Key& old : keys_) {
    if (holds(next, old.mesh.id)) continue;
    next.push_back(old);
    if (!std::exchange(next.back().configured, false)) continue;
    next.back().unwanted_since = next.back().idle_since = now;
  }
  if (next.size() > kMaxPsks) {
    return Error(Code::limit,
                 "with the keys that are not retired yet there are more than " + std::to_string(kMaxPsks) +
                     "; let the rotation under way end first",
                 Side::config);
  }
  const bool same = next.size() == keys_.size() &&
                    std::equal(next.begin(), next.end(), keys_.begin(), [](const Key& a, const Key& b) {
                      return a.mesh.id == b.mesh.id && a.configured == b.configured;
                    });
  if (same) return false;
  if (keys_.empty() || keys_.front().mesh.id != next.front().mesh.id) wanted_since_ = now;
  keys_ = std::move(next);
  KITH_CHECK(configured > 0);
  std::erase_if(retired_, [&](const RetiredKey& key) { return holds(keys_, key.id); });
  if (!holds(keys_, offered_)) offered_ = keys_.front().mesh.id;
  publish();
  settle(now);
  return true;
}

void Rotation::member(NodeId node, const KeyNames& keys, MonoTime now) {
  peers_[node] = {keys, std::nullopt};
  settle(now);
}

void Rotation::member_gone(NodeId node, bool left, MonoTime now) {
  auto at = peers_.find(node);
  if (at == peers_.end()) return;
  at->second.gone = now;
  if (left) peers_.erase(at);
  settle(now);
}

void Rotation::handle_timeout(const std::set<KeyId>& in_use, MonoTime now) {
  in_use_ = in_use;
  std::erase_if(peers_, [&](const auto& entry) {
    return entry.second.gone && now - *entry.second.gone >= config_.grace;
  });
  settle(now);
}

MonoTime Rotation::poll_timeout() const {
  const bool lingers =
      std::any_of(keys_.begin(), keys_.end(), [](const Key& key) { return !key.configured; });
  const bool waits = offered_ != keys_.front().mesh.id;
  const bool remembers = std::any_of(peers_.begin(), peers_.end(),
                                     [](const auto& entry) { return entry.second.gone.has_value(); });
  return lingers || waits || remembers ? last_ + kLook : kNever;
}

std::optional<Rotation::Event> Rotation::poll_event() {
  return take_front(events_);
}

KeyNames Rotation::held() const {
  KeyNames names;
  for (size_t i = 0; i < keyring_->size(); ++i) names.push_back(keyring_->key(i).id);
  return names;
}

std::vector<crypto::Secret> Rotation::psks() const {
  std::vector<crypto::Secret> out;
  for (const KeyId& name : held()) {
    for (const Key& key : keys_) {
      if (key.mesh.id == name) out.push_back(key.psk);
    }
  }
  return out;
}

// ---------------------------------------------------------------- the rules

void Rotation::settle(MonoTime now) {
  last_ = now;
  choose_offered(now);
  for (Key& key : keys_) {
    const KeyId& id = key.mesh.id;
    if (id == offered_ || offered_by_others(id) || in_use_.contains(id)) key.idle_since = now;
  }
  const size_t before = keys_.size();
  for (auto key = keys_.begin(); key != keys_.end();) {
    if (!may_retire(*key, now)) {
      ++key;
      continue;
    }
    events_.push_back(Retired{key->mesh.id});
    retired_.push_front({key->mesh.id, key->mesh.identity});
    key = keys_.erase(key);
  }
  if (retired_.size() > kMaxRetired) retired_.resize(kMaxRetired);
  if (keys_.size() != before) publish();
}

void Rotation::choose_offered(MonoTime now) {
  const Key& wanted = keys_.front();
  std::vector<NodeId> missing = without(wanted.mesh.id);
  const bool forced = !missing.empty() && config_.patience > 0ns && now - wanted_since_ >= config_.patience;
  KeyId choice = offered_;
  for (const Key& key : keys_) {
    if (!without(key.mesh.id).empty() && !(forced && &key == &wanted)) continue;
    choice = key.mesh.id;
    break;
  }
  if (choice != offered_) {
    offered_ = choice;
    events_.push_back(Offered{choice, forced});
    publish();
  }
  if (choice == wanted.mesh.id) missing.clear();
  if (missing == said_without_) return;
  said_without_ = missing;
  if (!missing.empty()) events_.push_back(Waiting{wanted.mesh.id, std::move(missing)});
}

std::vector<NodeId> Rotation::without(const KeyId& key) const {
  std::vector<NodeId> nodes;
  for (const auto& [node, peer] : peers_) {
    if (!contains(peer.keys, key)) nodes.push_back(node);
  }
  return nodes;
}

bool Rotation::offered_by_others(const KeyId& key) const {
  return std::any_of(peers_.begin(), peers_.end(), [&](const auto& entry) {
    return !entry.second.keys.empty() && entry.second.keys.front() == key;
  });
}

bool Rotation::may_retire(const Key& key, MonoTime now) const {
  if (key.configured || key.mesh.id == offered_) return false;
  const bool forced = config_.patience > 0ns && now - key.unwanted_since >= config_.patience + config_.grace;
  return forced || now - key.idle_since >= config_.grace;
}

// The offered key first, the others in the order of wanting.
void Rotation::publish() {
  std::vector<MeshKey> accepted;
  for (const Key& key : keys_) {
    accepted.insert(key.mesh.id == offered_ ? accepted.begin() : accepted.end(), key.mesh);
  }
  keyring_ = std::make_shared<const Keyring>(std::move(accepted),
                                             std::vector<RetiredKey>(retired_.begin(), retired_.end()));
}

}  // namespace kith::mesh
