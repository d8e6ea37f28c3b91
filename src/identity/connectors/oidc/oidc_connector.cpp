#include "identity/connectors/oidc/oidc_connector.h"

#include "base/text.h"
#include "identity/oidc/flow.h"

namespace kith::identity::oidc {
namespace {

// Names within Private.
constexpr char kState[] = "state";
constexpr char kNonce[] = "nonce";
constexpr char kVerifier[] = "verifier";
constexpr char kRedirectUri[] = "redirect_uri";
constexpr char kIssuer[] = "issuer";

Error wrong(std::string message) { return Error(Code::invalid, std::move(message), Side::config); }

std::vector<http::Url> parse_all(const std::vector<std::string>& texts) {
  std::vector<http::Url> urls;
  urls.reserve(texts.size());
  for (const std::string& text : texts) {
    Result<http::Url> url = http::parse_url(text);
    KITH_CHECK(url.has_value());  // check() has seen it
    urls.push_back(std::move(*url));
  }
  return urls;
}

jose::AlgorithmSet algorithms_of(const OidcConnectorConfig& config) {
  Result<jose::AlgorithmSet> set = jose::AlgorithmSet::named(config.signing_algorithms);
  KITH_CHECK(set.has_value());
  return *set;
}

std::vector<Connector::Place> places(const std::vector<http::Url>& urls) {
  std::vector<Connector::Place> list;
  for (const http::Url& url : urls) list.push_back({url.authority(), url.target.path});
  return list;
}

// The registered URL to come back to: of the request's own origin, else of its host (its scheme or port
// may have been changed by a load balancer), else the first. The text is as registered.
std::string choose(const std::vector<http::Url>& urls, const std::vector<std::string>& texts,
                   const std::string& origin) {
  Result<http::Url> from = http::parse_url(origin + "/");
  for (size_t i = 0; from && i < urls.size(); ++i) {
    if (urls[i].origin() == from->origin()) return texts[i];
  }
  for (size_t i = 0; from && i < urls.size(); ++i) {
    if (urls[i].host == from->host) return texts[i];
  }
  return texts.empty() ? std::string() : texts.front();
}

std::string random_text(runtime::Entropy& entropy) {
  std::array<uint8_t, 32> bytes{};
  entropy.fill(bytes);
  return base64url(bytes);
}

std::string recall(const Private& remembered, const char* name) {
  auto it = remembered.find(name);
  return it == remembered.end() ? std::string() : it->second;
}

Result<void> check_urls(const std::vector<std::string>& urls, std::string_view key) {
  for (const std::string& text : urls) {
    if (Result<http::Url> url = http::parse_url(text); !url) {
      return wrong(std::string(key) + ": '" + printable(text) + "' is not an absolute http(s) URL");
    }
  }
  return {};
}

}  // namespace

Result<void> check(const OidcConnectorConfig& config) {
  if (Result<http::Url> url = parse_well_known_url(config.well_known_url); !url) {
    return wrong("oidcWellKnownURL: " + url.error().message());
  }
  if (config.client_id.empty()) return wrong("oauthClientID is missing");
  if (config.login_redirect_urls.empty()) return wrong("oauthLoginRedirect.urls is empty");
  KITH_TRY_VOID(check_urls(config.login_redirect_urls, "oauthLoginRedirect.urls"));
  KITH_TRY_VOID(check_urls(config.logout_redirect_urls, "oauthLogoutRedirect.urls"));
  Result<jose::AlgorithmSet> algorithms = jose::AlgorithmSet::named(config.signing_algorithms);
  if (!algorithms) return wrong("idTokenSigningAlgs: " + algorithms.error().message());
  return {};
}

OidcConnector::OidcConnector(OidcConnectorConfig config, runtime::Ports& ports, http::Client& client,
                             std::shared_ptr<const crypto::TlsContext> tls, Log log)
    : config_(std::move(config)),
      well_known_(parse_all({config_.well_known_url}).front()),
      login_urls_(parse_all(config_.login_redirect_urls)),
      logout_urls_(parse_all(config_.logout_redirect_urls)),
      algorithms_(algorithms_of(config_)),
      ports_(ports),
      client_(client),
      tls_(std::move(tls)),
      log_(std::move(log)),
      metadata_(ports.loop, "metadata of connector '" + config_.name + "'", log_,
                [this] { return fetch_metadata(); }),
      keys_(ports.loop, "keys of connector '" + config_.name + "'", log_, [this] { return fetch_keys(); }) {}

std::vector<Connector::Place> OidcConnector::login_callbacks() const { return places(login_urls_); }
std::vector<Connector::Place> OidcConnector::logout_callbacks() const { return places(logout_urls_); }

runtime::Task<Result<LoginStart>> OidcConnector::start_login(std::string state, std::string origin) {
  KITH_CO_TRY(MetadataPtr metadata, co_await metadata_.get());
  AuthorizationRequest request;
  request.client_id = config_.client_id;
  request.redirect_uri = choose(login_urls_, config_.login_redirect_urls, origin);
  request.scopes = config_.scopes;
  request.state = std::move(state);
  request.nonce = random_text(ports_.entropy);
  if (!config_.disable_pkce) request.pkce_verifier = random_text(ports_.entropy);
  request.offline_access = config_.offline_access;
  request.extra = config_.extra_params;

  LoginStart start;
  start.redirect = authorization_url(*metadata, request);
  start.remember[kState] = request.state;
  start.remember[kNonce] = request.nonce;
  start.remember[kVerifier] = request.pkce_verifier;
  start.remember[kRedirectUri] = request.redirect_uri;
  start.remember[kIssuer] = metadata->issuer;
  co_return start;
}

runtime::Task<Result<LoginResult>> OidcConnector::finish_login(Callback callback, Private remembered) {
  KITH_CO_TRY(MetadataPtr metadata, co_await metadata_.get());
  if (recall(remembered, kIssuer) != metadata->issuer) {
    co_return Error(Code::protocol, "the login was begun with another issuer", Side::client);
  }
  KITH_CO_TRY(std::string code, read_callback(*metadata, callback.params, recall(remembered, kState)));
  KITH_CO_TRY(Tokens tokens, co_await redeem(metadata, std::move(code), remembered));
  KITH_CO_TRY(jose::Token token, co_await verify(tokens.id_token));

  Expectation expected;
  expected.issuer = metadata->issuer;
  expected.client_id = config_.client_id;
  expected.nonce = recall(remembered, kNonce);
  expected.access_token = tokens.access_token;
  expected.now = ports_.loop.wall_now();
  Result<Subject> subject = check_id_token(token, expected);
  if (!subject) co_return Error(Code::protocol, subject.error().message(), Side::upstream);

  json::object more;
  if (metadata->userinfo_endpoint) {
    KITH_CO_TRY(more, co_await userinfo(metadata, tokens.access_token, subject->subject));
  }
  Identity identity;
  identity.connector = config_.name;
  identity.issuer = metadata->issuer;
  identity.subject = subject->subject;
  identity.sid = subject->sid;
  identity.authenticated = subject->authenticated;
  identity.claims = to_claims(token.claims, more);
  identity.id_token = std::move(tokens.id_token);
  identity.acr = subject->acr;
  co_return LoginResult(std::move(identity));
}

runtime::Task<std::optional<std::string>> OidcConnector::start_logout(const Identity& identity,
                                                                      std::string state, std::string origin) {
  LogoutRequest request;
  request.client_id = config_.client_id;
  request.id_token = identity.id_token;  // taken before the first suspension
  request.redirect_uri = choose(logout_urls_, config_.logout_redirect_urls, origin);
  request.state = std::move(state);
  Result<MetadataPtr> metadata = co_await metadata_.get();
  if (!metadata) {
    log_.warn("the provider's session is not ended",
              {{"connector", config_.name}, {"error", metadata.error().message()}});
    co_return std::nullopt;
  }
  co_return logout_url(**metadata, request);
}

runtime::Task<Result<Metadata>> OidcConnector::fetch_metadata() {
  KITH_CO_TRY(std::string document, co_await get_document(well_known_, kMaxMetadataBytes));
  co_return parse_metadata(document, config_.well_known_url);
}

runtime::Task<Result<jose::KeySet>> OidcConnector::fetch_keys() {
  KITH_CO_TRY(MetadataPtr metadata, co_await metadata_.get());
  KITH_CO_TRY(std::string document, co_await get_document(metadata->jwks_uri, jose::kMaxKeySetBytes));
  co_return jose::KeySet::parse(document);
}

runtime::Task<Result<std::string>> OidcConnector::get_document(http::Url url, size_t max_bytes) {
  Call call;
  call.url = std::move(url);
  call.max_bytes = max_bytes;
  call.tls = tls_;
  std::string from = call.url.text();
  KITH_CO_TRY(Answer answer, co_await exchange(ports_.loop, client_, std::move(call)));
  if (answer.status != 200) {
    co_return Error(Code::unavailable, from + " answered " + std::to_string(answer.status), Side::upstream);
  }
  co_return std::move(answer.body);
}

runtime::Task<Result<Tokens>> OidcConnector::redeem(MetadataPtr metadata, std::string code,
                                                    Private remembered) {
  KITH_CO_TRY(TokenRequest request,
              token_request(*metadata, config_.client_id, config_.client_secret, code,
                            recall(remembered, kRedirectUri), recall(remembered, kVerifier)));
  Call call;
  call.url = metadata->token_endpoint;
  call.authorization = std::move(request.authorization);
  call.form = std::move(request.form);
  call.max_bytes = kMaxTokenResponseBytes;
  call.tls = tls_;
  KITH_CO_TRY(Answer answer, co_await exchange(ports_.loop, client_, std::move(call)));
  co_return read_token_response(answer.status, answer.content_type, answer.body);
}

runtime::Task<Result<jose::Token>> OidcConnector::verify(std::string id_token) {
  KITH_CO_TRY(KeysPtr keys, co_await keys_.get());
  Result<jose::Token> token = jose::verify_token(id_token, *keys, algorithms_);
  if (!token && token.error().code() == Code::not_found) {  // the provider may have new keys
    KeysPtr newer = co_await keys_.renewed(keys);
    if (newer != keys) token = jose::verify_token(id_token, *newer, algorithms_);
  }
  if (!token) co_return Error(Code::protocol, "ID token: " + token.error().message(), Side::upstream);
  co_return token;
}

runtime::Task<Result<json::object>> OidcConnector::userinfo(MetadataPtr metadata, std::string access_token,
                                                            std::string subject) {
  Call call;
  call.url = *metadata->userinfo_endpoint;
  call.authorization = "Bearer " + access_token;
  call.max_bytes = kMaxUserinfoBytes;
  call.tls = tls_;
  KITH_CO_TRY(Answer answer, co_await exchange(ports_.loop, client_, std::move(call)));
  co_return read_userinfo(answer.status, answer.content_type, answer.body, subject);
}

}  // namespace kith::identity::oidc
