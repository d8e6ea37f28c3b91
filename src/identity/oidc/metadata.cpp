#include "identity/oidc/metadata.h"

#include "base/text.h"
#include "identity/jose/strict_json.h"

namespace kith::identity::oidc {
namespace {

bool is_loopback_host(const std::string& host) {
  if (host == "localhost") return true;
  Result<IpAddress> address = IpAddress::parse(host);
  return address && address->is_loopback();
}

Result<std::optional<http::Url>> optional_endpoint(const json::object& document, std::string_view name,
                                                   bool https_only) {
  KITH_TRY(std::optional<std::string> text, jose::optional_text(document, name));
  if (!text) return std::optional<http::Url>();
  Result<http::Url> url = parse_provider_url(*text);
  if (!url) return std::move(url).error().within(name);
  if (https_only && url->scheme != "https") {
    return Error(Code::invalid, std::string(name) + " is not https though the provider is");
  }
  return std::optional<http::Url>(std::move(*url));
}

Result<http::Url> endpoint(const json::object& document, std::string_view name, bool https_only) {
  KITH_TRY(std::optional<http::Url> url, optional_endpoint(document, name, https_only));
  if (!url) return Error(Code::invalid, "metadata without " + std::string(name));
  return std::move(*url);
}

}  // namespace

Result<http::Url> parse_provider_url(std::string_view text) {
  Result<http::Url> url = http::parse_url(text);
  if (!url) return Error(Code::invalid, "'" + printable(text, 200) + "' is not a URL");
  if (url->scheme != "https" && !is_loopback_host(url->host)) {
    return Error(Code::invalid,
                 "'" + printable(text, 200) + "' is not https (http is for loopback hosts only)");
  }
  return url;
}

Result<http::Url> parse_well_known_url(std::string_view text) {
  KITH_TRY(http::Url url, parse_provider_url(text));
  if (!text.ends_with(kWellKnownSuffix) || url.target.has_query) {
    return Error(Code::invalid,
                 "'" + printable(text, 200) + "' does not end with " + std::string(kWellKnownSuffix));
  }
  return url;
}

Result<Metadata> parse_metadata(std::string_view document, std::string_view well_known_url) {
  KITH_CHECK(well_known_url.ends_with(kWellKnownSuffix));
  JsonLimits limits;
  limits.max_bytes = kMaxMetadataBytes;
  limits.max_depth = 16;
  KITH_TRY(json::object object, jose::parse_strict_object(document, limits));
  KITH_TRY(std::optional<std::string> issuer, jose::optional_text(object, "issuer"));
  std::string expected(well_known_url.substr(0, well_known_url.size() - kWellKnownSuffix.size()));
  if (!issuer || (*issuer != expected && *issuer != expected + "/")) {
    return Error(Code::invalid, "metadata of issuer '" + printable(issuer.value_or("")) + "' found at '" +
                                    printable(well_known_url) + "'");
  }
  bool https_only = well_known_url.starts_with("https:");
  Metadata metadata;
  metadata.issuer = std::move(*issuer);
  KITH_TRY(metadata.authorization_endpoint, endpoint(object, "authorization_endpoint", https_only));
  KITH_TRY(metadata.token_endpoint, endpoint(object, "token_endpoint", https_only));
  KITH_TRY(metadata.jwks_uri, endpoint(object, "jwks_uri", https_only));
  KITH_TRY(metadata.userinfo_endpoint, optional_endpoint(object, "userinfo_endpoint", https_only));
  KITH_TRY(metadata.end_session_endpoint, optional_endpoint(object, "end_session_endpoint", https_only));
  KITH_TRY(metadata.token_auth_methods,
           jose::optional_texts(object, "token_endpoint_auth_methods_supported"));
  const json::value* sends = find(object, "authorization_response_iss_parameter_supported");
  metadata.sends_issuer = sends != nullptr && sends->is_bool() && sends->get_bool();
  return metadata;
}

}  // namespace kith::identity::oidc
