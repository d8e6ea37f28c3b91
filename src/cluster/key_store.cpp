#include "cluster/key_store.h"

#include <algorithm>

#include "crypto/hash.h"

namespace kith::cluster {
namespace {

bool same(const crypto::Secret& a, const crypto::Secret& b) {
  return crypto::equal_constant_time(a.reveal(), b.reveal());
}

bool holds(const std::vector<crypto::Secret>& keys, const crypto::Secret& key) {
  return std::any_of(keys.begin(), keys.end(), [&](const crypto::Secret& other) { return same(other, key); });
}

}  // namespace

KeyStore::KeyStore(const std::string& cluster, const mesh::RotationConfig& config,
                   const std::vector<crypto::Secret>& psks, Duration cookie_memory, Log log, MonoTime now)
    : cluster_(cluster),
      cookie_memory_(cookie_memory),
      log_(std::move(log)),
      rotation_(config, psks, now),
      seen_(rotation_.keyring()) {
  for (const crypto::Secret& psk : rotation_.psks()) made_.push_back(cookie_key(psk));
  cookie_keys_ = std::make_shared<CookieKeys>(made_);
}

crypto::Secret KeyStore::cookie_key(const crypto::Secret& psk) const {
  return crypto::hkdf(psk.reveal(), as_bytes(cluster_), "kith cookie", 32);
}

void KeyStore::publish(MonoTime now) {
  std::vector<crypto::Secret> next;
  for (const crypto::Secret& psk : rotation_.psks()) next.push_back(cookie_key(psk));
  for (crypto::Secret& key : made_) {
    if (!holds(next, key)) old_.push_front({std::move(key), now + cookie_memory_});
  }
  made_ = next;
  std::erase_if(old_, [&](const OldCookieKey& old) { return old.until <= now || holds(made_, old.key); });
  if (old_.size() > kMaxOldCookieKeys) old_.resize(kMaxOldCookieKeys);
  for (const OldCookieKey& old : old_) next.push_back(old.key);
  cookie_keys_->set(std::move(next));
}

KeyStore::Changes KeyStore::settle(const NameOf& name_of, MonoTime now) {
  Changes changes;
  while (auto event = rotation_.poll_event()) {
    if (const auto* offered = std::get_if<mesh::Rotation::Offered>(&*event)) {
      log_.info(offered->forced ? "key rotation: this key is offered now although not every member holds it"
                                : "key rotation: this key is offered now, every member holds it",
                {{"cluster", cluster_}, {"key", offered->key.hex()}});
    } else if (const auto* retired = std::get_if<mesh::Rotation::Retired>(&*event)) {
      log_.info("key rotation: a key was retired, it is not accepted any more",
                {{"cluster", cluster_}, {"key", retired->key.hex()}});
      changes.retired.push_back(retired->key);
    } else if (const auto* waiting = std::get_if<mesh::Rotation::Waiting>(&*event)) {
      std::string names;
      for (const NodeId& node : waiting->without) {
        std::string name = name_of(node);
        names += (names.empty() ? "" : ", ") + (name.empty() ? node.hex() : name);
      }
      log_.info("key rotation: waiting until every member holds the new key",
                {{"cluster", cluster_}, {"key", waiting->key.hex()}, {"without", names}});
    }
  }
  if (seen_ == rotation_.keyring()) return changes;
  seen_ = rotation_.keyring();
  changes.keyring = true;
  publish(now);
  return changes;
}

}  // namespace kith::cluster
