#include "identity/oidc/token_response.h"

#include <algorithm>

#include "base/text.h"
#include "identity/jose/strict_json.h"

namespace kith::identity::oidc {
namespace {

constexpr size_t kMaxDepth = 16;

Error wrong(std::string message) { return Error(Code::protocol, std::move(message), Side::upstream); }

bool busy(int status) { return status >= 500 || status == 429; }

Result<json::object> read_object(std::string_view content_type, std::string_view body, size_t max_bytes) {
  if (!iequals(trim(content_type.substr(0, content_type.find(';'))), "application/json")) {
    return wrong("the answer is '" + printable(content_type, 80) + "', not application/json");
  }
  JsonLimits limits;
  limits.max_bytes = max_bytes;
  limits.max_depth = kMaxDepth;
  Result<json::object> object = jose::parse_strict_object(body, limits);
  if (!object) return wrong(object.error().message());
  return object;
}

Error token_error(int status, std::string_view error) {
  std::string message =
      "the token endpoint answered " + std::to_string(status) + " '" + printable(error, 80) + "'";
  if (error == "invalid_grant") return Error(Code::invalid, std::move(message), Side::client);
  bool credentials = error == "invalid_client" || error == "unauthorized_client";
  return Error(Code::protocol, std::move(message), credentials ? Side::config : Side::upstream);
}

}  // namespace

Result<TokenRequest> token_request(const Metadata& metadata, const std::string& client_id,
                                   const crypto::Secret& secret, const std::string& code,
                                   const std::string& redirect_uri, const std::string& pkce_verifier) {
  TokenRequest request;
  auto add = [&request](std::string_view name, std::string_view value) {
    if (!request.form.empty()) request.form += '&';
    request.form += std::string(name) + "=" + http::encode_component(value);
  };
  add("grant_type", "authorization_code");
  add("code", code);
  add("redirect_uri", redirect_uri);
  if (!pkce_verifier.empty()) add("code_verifier", pkce_verifier);

  const std::vector<std::string>& methods = metadata.token_auth_methods;
  auto takes = [&methods](std::string_view method) {
    return std::find(methods.begin(), methods.end(), method) != methods.end();
  };
  if (secret.empty()) {
    add("client_id", client_id);
  } else if (methods.empty() || takes("client_secret_basic")) {
    // RFC 6749 section 2.3.1: both are form-encoded before they are joined.
    std::string pair = http::encode_component(client_id) + ":" + http::encode_component(secret.reveal_text());
    request.authorization = "Basic " + base64(as_bytes(pair));
  } else if (takes("client_secret_post")) {
    add("client_id", client_id);
    add("client_secret", secret.reveal_text());
  } else {
    return Error(Code::invalid, "the provider takes neither client_secret_basic nor client_secret_post",
                 Side::config);
  }
  return request;
}

Result<Tokens> read_token_response(int status, std::string_view content_type, std::string_view body) {
  if (busy(status)) {
    return Error(Code::unavailable, "the token endpoint answered " + std::to_string(status), Side::upstream);
  }
  Result<json::object> object = read_object(content_type, body, kMaxTokenResponseBytes);
  if (status != 200) return token_error(status, object ? find_string(*object, "error") : "no error code");
  if (!object) return std::move(object).error().within("token endpoint");
  Tokens tokens;
  tokens.id_token = std::string(find_string(*object, "id_token"));
  tokens.access_token = std::string(find_string(*object, "access_token"));
  if (!iequals(find_string(*object, "token_type"), "Bearer")) return wrong("the token is not a bearer token");
  if (tokens.id_token.empty()) return wrong("the token endpoint sent no ID token");
  // It is put into a header: RFC 6750 section 2.1 allows visible ASCII only.
  auto odd = [](char c) { return c <= ' ' || c > '~'; };
  if (tokens.access_token.empty() ||
      std::any_of(tokens.access_token.begin(), tokens.access_token.end(), odd)) {
    return wrong("the token endpoint sent no access token, or a malformed one");
  }
  return tokens;
}

Result<json::object> read_userinfo(int status, std::string_view content_type, std::string_view body,
                                   std::string_view subject) {
  std::string answered = "the userinfo endpoint answered " + std::to_string(status);
  if (busy(status)) return Error(Code::unavailable, std::move(answered), Side::upstream);
  if (status != 200) return wrong(std::move(answered));
  Result<json::object> object = read_object(content_type, body, kMaxUserinfoBytes);
  if (!object) return std::move(object).error().within("userinfo endpoint");
  if (subject.empty() || find_string(*object, "sub") != subject) {
    return wrong("the userinfo endpoint speaks of another subject than the ID token");
  }
  return object;
}

}  // namespace kith::identity::oidc
