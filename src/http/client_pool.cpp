#include "http/client_pool.h"

namespace kith::http {

std::unique_ptr<ClientConnection> ClientPool::take(const PoolKey& key) {
  auto found = idle_.find(key);
  if (found == idle_.end()) return nullptr;
  auto& kept = found->second;
  while (!kept.empty()) {
    std::unique_ptr<ClientConnection> connection = std::move(kept.back());
    kept.pop_back();
    // Whatever has come since, the end or bytes nobody asked for, makes it useless.
    if (!expired(*connection) && connection->stream->quiet()) return connection;
  }
  idle_.erase(found);
  return nullptr;
}

void ClientPool::give(std::unique_ptr<ClientConnection> connection) {
  if (options_.max_idle_per_host == 0) return;
  connection->idle_since = loop_.now();
  connection->input.shrink();
  auto& kept = idle_[connection->key];
  if (kept.size() >= options_.max_idle_per_host) kept.erase(kept.begin());
  kept.push_back(std::move(connection));
  if (!purge_timer_) purge_timer_ = loop_.call_after(options_.idle_timeout, [this] { purge(); });
}

void ClientPool::purge() {
  for (auto it = idle_.begin(); it != idle_.end();) {
    std::erase_if(it->second, [this](const auto& connection) { return expired(*connection); });
    it = it->second.empty() ? idle_.erase(it) : std::next(it);
  }
  purge_timer_.reset();
  if (!idle_.empty()) purge_timer_ = loop_.call_after(options_.idle_timeout / 2, [this] { purge(); });
}

}  // namespace kith::http
