// HTTP/1.1 server on one loop: accepts from a listener, serves each connection until it closes.
#pragma once

#include <memory>

#include "base/log.h"
#include "crypto/tls.h"
#include "http/exchange.h"
#include "runtime/scope.h"

namespace kith::http {

// The most that ServerOptions may allow: a head has to fit into one message to another node, too.
inline constexpr size_t kMaxHeadBytes = 64 << 10;
inline constexpr size_t kMaxHeaders = 200;

struct ServerOptions {                // documented keys of `http:`
  Duration read_timeout = 20s;        // a whole request with its body, while bytes are due; 0 = none
  Duration read_header_timeout = 5s;  // a request head; 0 = read_timeout
  Duration write_timeout = 20s;       // one write of response bytes that makes no progress; 0 = none
  Duration idle_timeout = 60s;        // between requests
  size_t max_head_bytes = 32 << 10;   // request line and headers
  size_t max_headers = 100;
  size_t max_connections = 20'000;  // of this server; above, new ones are closed
};

class Server {
 public:
  virtual ~Server() = default;
  // Accepts until the listener fails or drain() is called; the connections go on.
  virtual runtime::Task<void> serve(std::unique_ptr<runtime::Listener> listener) = 0;
  // Stops accepting, answers requests in flight with "Connection: close", closes idle connections.
  // At the deadline the rest is cut: their exchanges fail. Completes when the last handler has returned.
  // Called at most once. A server is destroyed when serve() has returned and no connection is left,
  // which drain() sees to.
  virtual runtime::Task<void> drain(MonoTime deadline) = 0;
  virtual size_t connections() const = 0;
  virtual size_t requests_in_flight() const = 0;
};

// tls may be null (plain HTTP). The handler outlives the server.
std::unique_ptr<Server> make_server(runtime::Ports& ports, ServerOptions options, Handler& handler,
                                    std::shared_ptr<const crypto::TlsContext> tls, Log log);

}  // namespace kith::http
