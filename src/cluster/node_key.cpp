#include "cluster/node_key.h"

#include "crypto/hash.h"

namespace kith::cluster {
namespace {

crypto::SigningKey make_key(runtime::Entropy& entropy) {
  Bytes seed(32);
  entropy.fill(seed);
  crypto::SigningKey key = crypto::SigningKey::from_seed(seed);
  crypto::wipe(seed);
  return key;
}

constexpr size_t kMaxKeyFile = 16 << 10;

}  // namespace

Result<crypto::SigningKey> load_node_key(const std::string& path, runtime::Files& files, runtime::Entropy& entropy,
                                         const Log& log) {
  if (path.empty()) return make_key(entropy);
  if (!files.exists(path)) {
    crypto::SigningKey key = make_key(entropy);
    auto made = files.create(path, key.to_pem().reveal_text(), 0600);
    if (made) {
      log.info("made a new node key", {{"file", path}});
      return key;
    }
    if (made.error().code() != Code::conflict) return std::move(made).error().within("nodeKey.file");
  }
  auto content = files.read(path, kMaxKeyFile);
  if (!content) return std::move(content).error().within("nodeKey.file");
  auto key = crypto::SigningKey::from_pem(*content);
  if (!key) return std::move(key).error().within("nodeKey.file " + path);
  return key;
}

}  // namespace kith::cluster
