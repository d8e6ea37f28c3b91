// How kith does TLS, once: TLS 1.2 with forward secret AEAD suites, or 1.3. No compression, no
// renegotiation, no session tickets or cache, no early data (RFC 9325 sections 3 and 4).
#include "crypto/tls_context.h"

#include <openssl/x509v3.h>

#include "base/text.h"

namespace kith::crypto {
namespace {

using Ctx = Owned<SSL_CTX, SSL_CTX_free>;
using Certificate = Owned<X509, X509_free>;
using Kind = TlsContext::Kind;

constexpr char kSuites12[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr char kGroups[] = "X25519:P-256:P-384";
// OpenSSL's level 2: at least 112 bits of strength, so no SHA-1 signatures and no RSA below 2048 bits.
constexpr int kSecurityLevel = 2;
constexpr long kMaxClientChain = 32 << 10;
constexpr size_t kMaxCertificates = 1024;  // in one PEM text; a bundle of public authorities has 150

Error config_error(std::string message) { return Error(Code::invalid, std::move(message), Side::config); }

Ctx make_ctx(const SSL_METHOD* method) {
  Ctx ctx(SSL_CTX_new(method));
  KITH_CHECK(ctx);
  SSL_CTX_set_options(ctx.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
  // A system-wide OpenSSL configuration file must not loosen what is decided here.
  SSL_CTX_clear_options(ctx.get(), SSL_OP_ALLOW_NO_DHE_KEX | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                       SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
                                       SSL_OP_LEGACY_SERVER_CONNECT);
  SSL_CTX_set_session_cache_mode(ctx.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(ctx.get(), SSL_MODE_RELEASE_BUFFERS);  // an idle connection holds no record buffers
  SSL_CTX_set_security_level(ctx.get(), kSecurityLevel);
  SSL_CTX_set_info_callback(ctx.get(), note_alert);
  KITH_CHECK(SSL_CTX_set_num_tickets(ctx.get(), 0) == 1 && SSL_CTX_set_max_early_data(ctx.get(), 0) == 1);
  return ctx;
}

// Each name must be one known suite: OpenSSL alone would skip unknown names and take keywords.
Result<void> set_suites(SSL_CTX* ctx, const std::string& ciphers) {
  if (ciphers.empty()) {
    KITH_CHECK(SSL_CTX_set_cipher_list(ctx, kSuites12) == 1);
    return {};
  }
  if (SSL_CTX_set_cipher_list(ctx, ciphers.c_str()) != 1) {
    ERR_clear_error();
    return config_error("tls: none of the cipher suites is known: " + printable(ciphers));
  }
  const STACK_OF(SSL_CIPHER)* known = SSL_CTX_get_ciphers(ctx);
  for (std::string_view name : split(ciphers, ':')) {
    const SSL_CIPHER* found = nullptr;
    for (int i = 0; i < sk_SSL_CIPHER_num(known) && found == nullptr; ++i) {
      const SSL_CIPHER* suite = sk_SSL_CIPHER_value(known, i);
      if (name == SSL_CIPHER_get_name(suite)) found = suite;
    }
    if (found == nullptr) return config_error("tls: unknown cipher suite " + printable(name));
    const int exchange = SSL_CIPHER_get_kx_nid(found);
    if (SSL_CIPHER_is_aead(found) != 1 || (exchange != NID_kx_ecdhe && exchange != NID_kx_dhe)) {
      return config_error("tls: not a forward secret AEAD suite: " + printable(name));
    }
  }
  return {};
}

Result<void> set_versions(SSL_CTX* ctx, int min_version) {
  if (min_version != 12 && min_version != 13)
    return config_error("tls: the lowest version must be 1.2 or 1.3");
  const int min = min_version == 13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  KITH_CHECK(SSL_CTX_set_min_proto_version(ctx, min) == 1);
  KITH_CHECK(SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1);
  KITH_CHECK(SSL_CTX_set1_groups_list(ctx, kGroups) == 1);
  return {};
}

// All certificates of a PEM text, in order; text between them is skipped, as everywhere.
Result<std::vector<Certificate>> read_certificates(std::string_view pem, std::string_view what) {
  auto bio = memory_bio(pem);
  std::vector<Certificate> certificates;
  for (;;) {
    Certificate next(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
    if (!next) break;
    if (certificates.size() == kMaxCertificates) {
      return Error(Code::limit, "tls: too many certificates in the " + std::string(what), Side::config);
    }
    certificates.push_back(std::move(next));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  std::string reason = take_openssl_error();
  if (!at_end) return config_error("tls: malformed certificate in the " + std::string(what) + ": " + reason);
  if (certificates.empty()) return config_error("tls: no certificate in the " + std::string(what));
  return certificates;
}

Result<void> set_certificate(SSL_CTX* ctx, const TlsProfile& profile) {
  KITH_TRY(auto chain, read_certificates(profile.certificate_pem, "certificate file"));
  auto bio = memory_bio(profile.private_key_pem.reveal_text());
  Owned<EVP_PKEY, EVP_PKEY_free> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (!key) {
    ERR_clear_error();
    return config_error("tls: the key file holds no unencrypted PEM private key");
  }
  if (SSL_CTX_use_certificate(ctx, chain[0].get()) != 1) {
    return config_error("tls: the certificate cannot be used: " + take_openssl_error());
  }
  for (size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(ctx, chain[i].get()) != 1) {
      return config_error("tls: the certificate chain cannot be used: " + take_openssl_error());
    }
  }
  if (SSL_CTX_use_PrivateKey(ctx, key.get()) != 1 || SSL_CTX_check_private_key(ctx) != 1) {
    return config_error("tls: the key does not belong to the certificate: " + take_openssl_error());
  }
  return {};
}

Result<void> add_authorities(SSL_CTX* ctx, std::string_view pem, std::string_view what) {
  KITH_TRY(auto authorities, read_certificates(pem, what));
  for (const Certificate& authority : authorities) {
    KITH_CHECK(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), authority.get()) == 1);
  }
  return {};
}

int accept_any_certificate(X509_STORE_CTX*, void*) { return 1; }

Result<void> set_client_auth(SSL_CTX* ctx, const TlsProfile& profile) {
  using Auth = TlsProfile::ClientAuth;
  const Auth auth = profile.client_auth;
  if (auth == Auth::none) {
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, nullptr);
    return {};
  }
  const bool required = auth == Auth::require_any || auth == Auth::require_and_verify;
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  SSL_CTX_set_max_cert_list(ctx, kMaxClientChain);
  if (auth == Auth::request || auth == Auth::require_any) {
    SSL_CTX_set_cert_verify_callback(ctx, accept_any_certificate, nullptr);
    return {};
  }
  // Without authorities of its own a server would let in whoever has any public certificate.
  if (profile.client_ca_pem.empty()) return config_error("tls: verifying clients needs client authorities");
  KITH_TRY(auto authorities, read_certificates(profile.client_ca_pem, "client authorities file"));
  for (const Certificate& authority : authorities) {
    KITH_CHECK(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), authority.get()) == 1);
    KITH_CHECK(SSL_CTX_add_client_CA(ctx, authority.get()) == 1);
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> make_server_context(const TlsProfile& profile) {
  using Auth = TlsProfile::ClientAuth;
  Ctx ctx = make_ctx(TLS_server_method());
  KITH_TRY_VOID(set_versions(ctx.get(), profile.min_version));
  KITH_TRY_VOID(set_suites(ctx.get(), profile.ciphers));
  KITH_TRY_VOID(set_certificate(ctx.get(), profile));
  KITH_TRY_VOID(set_client_auth(ctx.get(), profile));
  const bool verifies =
      profile.client_auth == Auth::verify_if_given || profile.client_auth == Auth::require_and_verify;
  return std::make_shared<const TlsContext>(Kind::server, std::move(ctx), verifies);
}

Result<std::shared_ptr<const TlsContext>> make_client_context(const TlsProfile& profile) {
  Ctx ctx = make_ctx(TLS_client_method());
  KITH_TRY_VOID(set_versions(ctx.get(), profile.min_version));
  KITH_TRY_VOID(set_suites(ctx.get(), profile.ciphers));
  if (!profile.certificate_pem.empty()) KITH_TRY_VOID(set_certificate(ctx.get(), profile));
  if (!profile.system_cas && profile.ca_pem.empty()) {
    return config_error("tls: no authorities to verify servers with");
  }
  if (profile.system_cas) KITH_CHECK(SSL_CTX_set_default_verify_paths(ctx.get()) == 1);
  ERR_clear_error();
  if (!profile.ca_pem.empty()) KITH_TRY_VOID(add_authorities(ctx.get(), profile.ca_pem, "authorities file"));
  SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_PEER, nullptr);
  return std::make_shared<const TlsContext>(Kind::client, std::move(ctx), false);
}

std::shared_ptr<const TlsContext> make_psk_context() {
  Ctx ctx = make_ctx(TLS_method());
  // Records that only please middle boxes would be bytes nobody authenticates.
  SSL_CTX_clear_options(ctx.get(), SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
  KITH_CHECK(SSL_CTX_set_min_proto_version(ctx.get(), TLS1_3_VERSION) == 1);
  KITH_CHECK(SSL_CTX_set_max_proto_version(ctx.get(), TLS1_3_VERSION) == 1);
  KITH_CHECK(SSL_CTX_set_ciphersuites(ctx.get(), "TLS_AES_128_GCM_SHA256") == 1);
  KITH_CHECK(SSL_CTX_set1_groups_list(ctx.get(), "X25519:P-256") == 1);
  SSL_CTX_set_psk_find_session_callback(ctx.get(), find_psk_session);
  SSL_CTX_set_psk_use_session_callback(ctx.get(), use_psk_session);
  return std::make_shared<const TlsContext>(Kind::psk, std::move(ctx), false);
}

}  // namespace kith::crypto
