// Private to tls_context.cpp and tls.cpp: what a context holds.
#pragma once

#include <openssl/ssl.h>

#include "crypto/openssl.h"
#include "crypto/tls.h"

namespace kith::crypto {

class TlsContext {
 public:
  enum class Kind : uint8_t { server, client, psk };

  TlsContext(Kind kind, Owned<SSL_CTX, SSL_CTX_free> ctx, bool verifies_clients)
      : kind_(kind), ctx_(std::move(ctx)), verifies_clients_(verifies_clients) {}

  Kind kind() const { return kind_; }
  // Contexts are not changed after they are made, but OpenSSL counts references in them.
  SSL_CTX* ssl_ctx() const { return ctx_.get(); }
  // Whether a client certificate that was accepted was also verified.
  bool verifies_clients() const { return verifies_clients_; }

 private:
  Kind kind_;
  Owned<SSL_CTX, SSL_CTX_free> ctx_;
  bool verifies_clients_;
};

// What the callbacks of OpenSSL need of an engine: its address is the SSL's app data.
struct TlsHooks {
  std::optional<PskOffer> offer;  // PSK client
  PskLookup* lookup = nullptr;    // PSK server, until the handshake is over
  std::optional<int> alert;       // the last fatal one received
};

int find_psk_session(SSL* ssl, const unsigned char* identity, size_t size, SSL_SESSION** session);
int use_psk_session(SSL* ssl, const EVP_MD* md, const unsigned char** identity, size_t* size,
                    SSL_SESSION** session);
void note_alert(const SSL* ssl, int where, int value);

}  // namespace kith::crypto
