// An SSL object between two memory BIOs. A PSK is given to OpenSSL as a session made by hand, which is
// its way to say "external PSK" (RFC 8446 section 4.2.11).
#include "crypto/tls.h"

#include <openssl/x509v3.h>

#include "base/net.h"
#include "base/text.h"
#include "crypto/tls_context.h"

namespace kith::crypto {

struct TlsEngine::State {
  State(std::shared_ptr<const TlsContext> tls_context, TlsRole tls_role)
      : context(std::move(tls_context)), role(tls_role), ssl(SSL_new(context->ssl_ctx())) {
    Owned<BIO, BIO_free_all> in(BIO_new(BIO_s_mem()));
    Owned<BIO, BIO_free_all> out(BIO_new(BIO_s_mem()));
    KITH_CHECK(ssl && in && out);
    BIO_set_mem_eof_return(in.get(), -1);  // an empty input means "not yet", not the end
    SSL_set_bio(ssl.get(), in.release(), out.release());
    SSL_set_app_data(ssl.get(), &hooks);
    if (role == TlsRole::client) {
      SSL_set_connect_state(ssl.get());
    } else {
      SSL_set_accept_state(ssl.get());
    }
  }

  bool psk() const { return context->kind() == TlsContext::Kind::psk; }
  bool usable() const { return done && !failed; }
  // Makes the failure final and says what it was.
  Error fail(std::string_view doing);

  std::shared_ptr<const TlsContext> context;
  TlsRole role;
  TlsHooks hooks;
  Owned<SSL, SSL_free> ssl;
  bool done = false;
  bool failed = false;
};

namespace {

constexpr uint8_t kAes128GcmSha256[] = {0x13, 0x01};  // RFC 8446 appendix B.4

using Session = Owned<SSL_SESSION, SSL_SESSION_free>;

// Null when the key cannot be one.
Session make_session(SSL* ssl, const Secret& key) {
  const SSL_CIPHER* cipher = SSL_CIPHER_find(ssl, kAes128GcmSha256);
  Session session(SSL_SESSION_new());
  if (cipher == nullptr || !session || key.size() != 32 ||
      SSL_SESSION_set1_master_key(session.get(), key.reveal().data(), key.size()) != 1 ||
      SSL_SESSION_set_cipher(session.get(), cipher) != 1 ||
      SSL_SESSION_set_protocol_version(session.get(), TLS1_3_VERSION) != 1) {
    return nullptr;
  }
  return session;
}

TlsHooks& hooks_of(const SSL* ssl) { return *static_cast<TlsHooks*>(SSL_get_app_data(ssl)); }

}  // namespace

int find_psk_session(SSL* ssl, const unsigned char* identity, size_t size, SSL_SESSION** session) {
  *session = nullptr;
  TlsHooks& hooks = hooks_of(ssl);
  if (hooks.lookup == nullptr) return 0;
  std::optional<Secret> key = hooks.lookup->find({identity, size});
  // Unknown: OpenSSL asks for the next identity, and without any fails, since there is no certificate.
  if (key) *session = make_session(ssl, *key).release();
  return !key || *session != nullptr ? 1 : 0;
}

int use_psk_session(SSL* ssl, const EVP_MD* md, const unsigned char** identity, size_t* size,
                    SSL_SESSION** session) {
  *session = nullptr;
  TlsHooks& hooks = hooks_of(ssl);
  if (!hooks.offer) return 0;
  // Set when the server has chosen a suite already (after a HelloRetryRequest).
  if (md != nullptr && EVP_MD_is_a(md, "SHA256") != 1) return 0;
  *session = make_session(ssl, hooks.offer->key).release();
  *identity = hooks.offer->identity.data();
  *size = hooks.offer->identity.size();
  return *session != nullptr ? 1 : 0;
}

void note_alert(const SSL* ssl, int where, int value) {
  const bool fatal = (value >> 8) == SSL3_AL_FATAL;
  if ((where & SSL_CB_ALERT) != 0 && (where & SSL_CB_READ) != 0 && fatal) hooks_of(ssl).alert = value & 0xff;
}

Error TlsEngine::State::fail(std::string_view doing) {
  failed = true;
  hooks.lookup = nullptr;
  std::string message("tls ");
  message.append(doing);
  const long verdict = SSL_get_verify_result(ssl.get());
  std::string reason = take_openssl_error();
  if (hooks.alert) {
    message += ": the other side refused: ";
    message += SSL_alert_desc_string_long(*hooks.alert);
  } else if (!psk() && !done && verdict != X509_V_OK) {
    message += ": certificate refused: ";
    message += X509_verify_cert_error_string(verdict);
    return Error(Code::unauthenticated, std::move(message), Side::peer);
  } else {
    message += ": " + reason;
  }
  return Error(psk() && !done ? Code::unauthenticated : Code::protocol, std::move(message), Side::peer);
}

TlsEngine::TlsEngine(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsEngine::TlsEngine(TlsEngine&&) noexcept = default;
TlsEngine& TlsEngine::operator=(TlsEngine&&) noexcept = default;
TlsEngine::~TlsEngine() = default;

Result<TlsEngine> TlsEngine::client(std::shared_ptr<const TlsContext> context,
                                    const std::string& server_name) {
  KITH_CHECK(context && context->kind() == TlsContext::Kind::client);
  auto state = std::make_unique<State>(std::move(context), TlsRole::client);
  SSL* ssl = state->ssl.get();
  if (auto address = IpAddress::parse(server_name)) {
    KITH_CHECK(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address->text().c_str()) == 1);
    return TlsEngine(std::move(state));
  }
  std::string name = server_name;
  if (name.ends_with('.')) name.pop_back();  // RFC 6066 section 3: without the trailing dot
  const bool has_nul = name.find('\0') != name.npos;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (name.empty() || has_nul || SSL_set1_host(ssl, name.c_str()) != 1 ||
      SSL_set_tlsext_host_name(ssl, name.c_str()) != 1) {
    ERR_clear_error();
    return Error(Code::invalid, "tls: not a host name: " + printable(server_name));
  }
  return TlsEngine(std::move(state));
}

Result<TlsEngine> TlsEngine::server(std::shared_ptr<const TlsContext> context) {
  KITH_CHECK(context && context->kind() == TlsContext::Kind::server);
  return TlsEngine(std::make_unique<State>(std::move(context), TlsRole::server));
}

TlsEngine TlsEngine::psk_client(std::shared_ptr<const TlsContext> context, PskOffer offer) {
  KITH_CHECK(context && context->kind() == TlsContext::Kind::psk);
  auto state = std::make_unique<State>(std::move(context), TlsRole::client);
  state->hooks.offer = std::move(offer);
  // There are no authorities: whatever certificate a server may show instead, it is refused.
  SSL_set_verify(state->ssl.get(), SSL_VERIFY_PEER, nullptr);
  return TlsEngine(std::move(state));
}

TlsEngine TlsEngine::psk_server(std::shared_ptr<const TlsContext> context, PskLookup& lookup) {
  KITH_CHECK(context && context->kind() == TlsContext::Kind::psk);
  auto state = std::make_unique<State>(std::move(context), TlsRole::server);
  state->hooks.lookup = &lookup;
  return TlsEngine(std::move(state));
}

void TlsEngine::feed(ByteView ciphertext) {
  size_t written = 0;
  if (ciphertext.empty()) return;
  KITH_CHECK(BIO_write_ex(SSL_get_rbio(state_->ssl.get()), ciphertext.data(), ciphertext.size(), &written) ==
                 1 &&
             written == ciphertext.size());
}

Result<bool> TlsEngine::handshake() {
  State& state = *state_;
  if (state.failed) return Error(Code::closed, "tls handshake has failed before", Side::peer);
  if (state.done) return true;
  ERR_clear_error();
  const int outcome = SSL_do_handshake(state.ssl.get());
  if (outcome != 1) {
    if (SSL_get_error(state.ssl.get(), outcome) == SSL_ERROR_WANT_READ) return false;
    return state.fail("handshake");
  }
  // With a PSK context nothing but the PSK may have authenticated the other side.
  if (state.psk() && SSL_session_reused(state.ssl.get()) != 1) return state.fail("handshake without the PSK");
  state.done = true;
  state.hooks.lookup = nullptr;
  state.hooks.offer.reset();
  return true;
}

bool TlsEngine::handshake_done() const { return state_->done; }

Result<size_t> TlsEngine::read(MutableByteView out) {
  State& state = *state_;
  if (state.failed) return Error(Code::closed, "tls connection has failed before", Side::peer);
  if (!state.done || out.empty()) return size_t{0};
  ERR_clear_error();
  size_t size = 0;
  const int outcome = SSL_read_ex(state.ssl.get(), out.data(), out.size(), &size);
  if (outcome == 1) return size;
  switch (SSL_get_error(state.ssl.get(), outcome)) {
    case SSL_ERROR_WANT_READ: return size_t{0};
    case SSL_ERROR_ZERO_RETURN:
      return Error(Code::closed, "tls connection closed by the other side", Side::peer);
    default: return state.fail("read");
  }
}

Result<void> TlsEngine::write(ByteView plaintext) {
  State& state = *state_;
  if (!state.usable()) return Error(Code::closed, "tls connection is not open");
  if (plaintext.empty()) return {};
  ERR_clear_error();
  size_t written = 0;
  if (SSL_write_ex(state.ssl.get(), plaintext.data(), plaintext.size(), &written) != 1)
    return state.fail("write");
  KITH_CHECK(written == plaintext.size());
  return {};
}

void TlsEngine::close_notify() {
  if (!state_->usable()) return;
  SSL_shutdown(state_->ssl.get());  // its failure means that the connection is over already
  ERR_clear_error();
}

bool TlsEngine::has_output() const { return BIO_ctrl_pending(SSL_get_wbio(state_->ssl.get())) > 0; }

Bytes TlsEngine::take_output() {
  BIO* bio = SSL_get_wbio(state_->ssl.get());
  Bytes output(BIO_ctrl_pending(bio));
  size_t size = 0;
  KITH_CHECK(output.empty() ||
             (BIO_read_ex(bio, output.data(), output.size(), &size) == 1 && size == output.size()));
  return output;
}

Secret TlsEngine::exporter(std::string_view label, ByteView context, size_t size) const {
  KITH_CHECK(state_->done);
  Bytes material(size);
  KITH_CHECK(SSL_export_keying_material(state_->ssl.get(), material.data(), material.size(), label.data(),
                                        label.size(), context.data(), context.size(), 1) == 1);
  return Secret(std::move(material));
}

void TlsEngine::update_key() {
  SSL* ssl = state_->ssl.get();
  if (!state_->usable() || SSL_version(ssl) < TLS1_3_VERSION) return;
  // The handshake call is what puts the KeyUpdate into the output; a failure shows at the next write.
  if (SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1) SSL_do_handshake(ssl);
  ERR_clear_error();
}

std::string TlsEngine::protocol() const { return SSL_get_version(state_->ssl.get()); }

std::string TlsEngine::cipher() const { return SSL_get_cipher_name(state_->ssl.get()); }

std::string TlsEngine::alpn() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(state_->ssl.get(), &name, &size);
  return to_string(ByteView(name, size));
}

std::string TlsEngine::peer_subject() const {
  SSL* ssl = state_->ssl.get();
  if (!state_->done || !state_->context->verifies_clients() || SSL_get_verify_result(ssl) != X509_V_OK)
    return "";
  const X509* certificate = SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr) return "";
  Owned<BIO, BIO_free_all> bio(BIO_new(BIO_s_mem()));
  KITH_CHECK(bio);
  if (X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0) return "";
  const char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return std::string(text, size > 0 ? static_cast<size_t>(size) : 0);
}

std::optional<int> TlsEngine::received_alert() const { return state_->hooks.alert; }

}  // namespace kith::crypto
