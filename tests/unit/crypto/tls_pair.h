// Two engines joined by hand.
#pragma once

#include <functional>

#include "crypto/tls.h"

namespace kith::crypto {

struct TlsPair {
  TlsEngine client;
  TlsEngine server;
  // May change what passes; set before use.
  std::function<void(Bytes&)> on_client_output = [](Bytes&) {};
  std::function<void(Bytes&)> on_server_output = [](Bytes&) {};

  struct Outcome {
    Result<bool> client;
    Result<bool> server;
    bool both() const { return client && server && *client && *server; }
  };

  // Moves what each side has to say to the other. True when anything moved.
  bool exchange() {
    bool moved = false;
    if (Bytes out = client.take_output(); !out.empty()) {
      on_client_output(out);
      server.feed(out);
      moved = true;
    }
    if (Bytes out = server.take_output(); !out.empty()) {
      on_server_output(out);
      client.feed(out);
      moved = true;
    }
    return moved;
  }

  Outcome handshake() {
    Outcome outcome{client.handshake(), server.handshake()};
    while (exchange()) {
      if (outcome.client && !*outcome.client) outcome.client = client.handshake();
      if (outcome.server && !*outcome.server) outcome.server = server.handshake();
    }
    return outcome;
  }
};

// All that can be read now.
inline Bytes read_all(TlsEngine& engine) {
  Bytes all;
  Bytes buffer(5000);
  for (;;) {
    auto size = engine.read(buffer);
    if (!size || *size == 0) return all;
    append(all, ByteView(buffer).first(*size));
  }
}

}  // namespace kith::crypto
