// TlsEngine: one end of a TLS connection without IO. Ciphertext goes in and out by hand, so the same
// engine serves the mesh core (pure), HTTP over real sockets and the simulator.
//
//   engine.feed(bytes from the wire) -> engine.handshake() / engine.read() / engine.write()
//   then always send engine.take_output().
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/secret.h"

namespace kith::crypto {

class TlsContext;  // immutable, shared, made once per profile or key ring

enum class TlsRole : uint8_t { client, server };

// A certificate profile: what tls.<profile> of the configuration says, with files already read.
struct TlsProfile {
  std::string certificate_pem;  // chain, leaf first; empty for a client without certificate
  Secret private_key_pem;
  std::string ca_pem;           // added to the system's authorities
  bool system_cas = true;
  enum class ClientAuth : uint8_t { none, request, require_any, verify_if_given, require_and_verify };
  ClientAuth client_auth = ClientAuth::none;
  std::string client_ca_pem;
  int min_version = 12;         // 12 or 13
  std::string ciphers;          // OpenSSL names joined by ':', TLS 1.2 only; empty = our AEAD list
};

// For mesh links: TLS 1.3 with an external PSK and (EC)DHE (RFC 8446 section 2.2 and 4.2.11), no
// certificate, no resumption, no 0-RTT, suites with SHA-256 only.
struct PskOffer {
  Bytes identity;
  Secret key;  // 32 bytes
};
// Server side: the key for an identity, or nullopt to refuse it.
class PskLookup {
 public:
  virtual ~PskLookup() = default;
  virtual std::optional<Secret> find(ByteView identity) = 0;
};

Result<std::shared_ptr<const TlsContext>> make_server_context(const TlsProfile& profile);
Result<std::shared_ptr<const TlsContext>> make_client_context(const TlsProfile& profile);
std::shared_ptr<const TlsContext> make_psk_context();

class TlsEngine {
 public:
  // A client verifies the certificate against server_name (also sent as SNI; an IP literal is
  // verified as an address and sent not at all).
  static Result<TlsEngine> client(std::shared_ptr<const TlsContext> context, const std::string& server_name);
  static Result<TlsEngine> server(std::shared_ptr<const TlsContext> context);
  static TlsEngine psk_client(std::shared_ptr<const TlsContext> context, PskOffer offer);
  // lookup outlives the engine's handshake.
  static TlsEngine psk_server(std::shared_ptr<const TlsContext> context, PskLookup& lookup);

  TlsEngine(TlsEngine&&) noexcept;
  TlsEngine& operator=(TlsEngine&&) noexcept;
  ~TlsEngine();

  void feed(ByteView ciphertext);
  // Drives the handshake as far as the input allows. True when complete. A failure is final; output
  // (the alert) may still have to be sent.
  Result<bool> handshake();
  bool handshake_done() const;
  // Plaintext into out; 0 = nothing yet. closed after the other side's close_notify.
  Result<size_t> read(MutableByteView out);
  // Encrypts all of it into the output. Only after the handshake.
  Result<void> write(ByteView plaintext);
  void close_notify();
  bool has_output() const;
  Bytes take_output();

  // Keying material bound to this connection (RFC 8446 section 7.5, RFC 9266). After the handshake.
  Secret exporter(std::string_view label, ByteView context, size_t size) const;
  // KeyUpdate in our direction (RFC 8446 section 4.6.3).
  void update_key();
  std::string protocol() const;         // "TLSv1.3"
  std::string cipher() const;           // "TLS_AES_128_GCM_SHA256"
  std::string alpn() const;             // "" when none was chosen
  std::string peer_subject() const;     // RFC 2253 text of a verified client certificate, or ""
  std::optional<int> received_alert() const;  // the alert that ended the handshake, if the peer sent one

 private:
  struct State;
  explicit TlsEngine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kith::crypto
