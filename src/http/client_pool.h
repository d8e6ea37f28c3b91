// Kept connections of a client, per origin and TLS context; the one used last is taken first, so that
// the surplus ages out.
#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "base/input_buffer.h"
#include "http/client.h"

namespace kith::http {

// Two contexts are two pools: a connection made for one upstream's authorities is not trusted by another.
struct PoolKey {
  std::string host;
  uint16_t port = 0;
  const crypto::TlsContext* tls = nullptr;  // null: plain HTTP
  auto operator<=>(const PoolKey&) const = default;
};

struct ClientConnection {
  std::unique_ptr<runtime::Stream> stream;
  InputBuffer input;
  std::string output;  // the head being sent; keeps its memory
  PoolKey key;
  std::shared_ptr<const crypto::TlsContext> tls;  // keeps key.tls from naming another one
  MonoTime idle_since{};
};

class ClientPool {
 public:
  ClientPool(runtime::Loop& loop, const ClientOptions& options) : loop_(loop), options_(options) {}

  // Null when none is fit for use.
  std::unique_ptr<ClientConnection> take(const PoolKey& key);
  // The connection is between responses, with nothing received beyond the last one.
  void give(std::unique_ptr<ClientConnection> connection);

 private:
  bool expired(const ClientConnection& connection) const {
    return loop_.now() - connection.idle_since >= options_.idle_timeout;
  }
  void purge();

  runtime::Loop& loop_;
  const ClientOptions& options_;
  std::map<PoolKey, std::vector<std::unique_ptr<ClientConnection>>> idle_;  // oldest first
  runtime::Timer purge_timer_;
};

}  // namespace kith::http
