#include "identity/oidc/flow.h"

#include <algorithm>

#include "base/text.h"
#include "crypto/hash.h"

namespace kith::identity::oidc {
namespace {

constexpr size_t kMaxCodeBytes = 4096;
constexpr size_t kMaxHintBytes = 4096;  // servers commonly take request lines of 8 KiB

// Ours, and those that could carry ours past us (request objects, RFC 9101).
constexpr std::string_view kReserved[] = {
    "response_type", "client_id",      "redirect_uri",          "scope",   "state",
    "nonce",         "code_challenge", "code_challenge_method", "request", "request_uri",
};

class UrlBuilder {
 public:
  explicit UrlBuilder(const http::Url& base) : text_(base.text()), first_(!base.target.has_query) {}
  void add(std::string_view name, std::string_view value) {
    text_ += first_ ? '?' : '&';
    first_ = false;
    text_ += http::encode_component(name) + "=" + http::encode_component(value);
  }
  std::string take() && { return std::move(text_); }

 private:
  std::string text_;
  bool first_;
};

bool has_scope(std::string_view scopes, std::string_view wanted) {
  std::vector<std::string_view> parts = split(scopes, ' ');
  return std::find(parts.begin(), parts.end(), wanted) != parts.end();
}

std::string_view param(const Params& params, const char* name) {
  auto it = params.find(name);
  return it == params.end() ? std::string_view() : std::string_view(it->second);
}

Error provider_error(std::string_view error, std::string_view description) {
  Code code = Code::protocol;
  for (std::string_view refusal : {"access_denied", "login_required", "consent_required",
                                   "interaction_required", "account_selection_required"}) {
    if (error == refusal) code = Code::denied;
  }
  if (error == "temporarily_unavailable" || error == "server_error") code = Code::unavailable;
  std::string message = "the provider answered '" + printable(error, 80) + "'";
  if (!description.empty()) message += ": " + printable(description);
  return Error(code, std::move(message), Side::upstream);
}

}  // namespace

std::string pkce_challenge(std::string_view verifier) {
  return base64url(crypto::sha256(as_bytes(verifier)));
}

std::string authorization_url(const Metadata& metadata, const AuthorizationRequest& request) {
  std::string scopes = request.scopes;
  if (!has_scope(scopes, "openid")) scopes = scopes.empty() ? "openid" : "openid " + scopes;
  bool offline = request.offline_access;
  if (offline && !has_scope(scopes, "offline_access")) scopes += " offline_access";

  UrlBuilder url(metadata.authorization_endpoint);
  url.add("response_type", "code");
  url.add("client_id", request.client_id);
  url.add("redirect_uri", request.redirect_uri);
  url.add("scope", scopes);
  url.add("state", request.state);
  url.add("nonce", request.nonce);
  if (!request.pkce_verifier.empty()) {
    url.add("code_challenge", pkce_challenge(request.pkce_verifier));
    url.add("code_challenge_method", "S256");
  }
  // Core section 11: offline access takes consent.
  if (offline && !request.extra.contains("prompt")) url.add("prompt", "consent");
  for (const auto& [name, value] : request.extra) {
    if (std::find(std::begin(kReserved), std::end(kReserved), name) == std::end(kReserved)) {
      url.add(name, value);
    }
  }
  return std::move(url).take();
}

Result<std::string> read_callback(const Metadata& metadata, const Params& params, std::string_view state) {
  auto wrong = [](std::string message) { return Error(Code::protocol, std::move(message), Side::upstream); };
  if (state.empty() || !crypto::equal_constant_time(as_bytes(param(params, "state")), as_bytes(state))) {
    return Error(Code::protocol, "the callback's state is not the one that was sent", Side::client);
  }
  // RFC 9207 section 2.4: compare whenever it is there; insist when the provider promised it.
  if (params.contains("iss") ? param(params, "iss") != metadata.issuer : metadata.sends_issuer) {
    return wrong("the callback is not from issuer '" + printable(metadata.issuer) + "'");
  }
  if (params.contains("error")) {
    return provider_error(param(params, "error"), param(params, "error_description"));
  }
  std::string_view code = param(params, "code");
  if (code.empty()) return wrong("the callback has no code");
  if (code.size() > kMaxCodeBytes) return wrong("the callback's code is too long");
  return std::string(code);
}

std::optional<std::string> logout_url(const Metadata& metadata, const LogoutRequest& request) {
  if (!metadata.end_session_endpoint) return std::nullopt;
  UrlBuilder url(*metadata.end_session_endpoint);
  if (!request.id_token.empty() && request.id_token.size() <= kMaxHintBytes) {
    url.add("id_token_hint", request.id_token);
  }
  url.add("client_id", request.client_id);
  if (!request.redirect_uri.empty()) {
    url.add("post_logout_redirect_uri", request.redirect_uri);
    url.add("state", request.state);
  }
  return std::move(url).take();
}

}  // namespace kith::identity::oidc
